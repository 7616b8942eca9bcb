import type { DType } from '../../engine/spec/numbers';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, present } from '../common/sourced';
import { hasUnevenStages } from '../common/uneven-stages';
import { NO_SECTIONS, overlaid, type Sections } from '../deepspeed/sections';
import { follows, hidden, taken, type Source } from '../deepspeed/source';
import { adapterDetails, modelName } from '../trl/trainer';

export const MEGATRON = 'policy.megatron_cfg';
export const DTENSOR = 'policy.dtensor_cfg';

/** Keys of stages that hold other numbers of layers than the rest. */
export const STAGES = {
  pipeline: `${MEGATRON}.pipeline_model_parallel_size`,
  first: `${MEGATRON}.num_layers_in_first_pipeline_stage`,
  last: `${MEGATRON}.num_layers_in_last_pipeline_stage`,
};

/** Which backend trains: stated in the file or in a base that is at hand. */
export function backendOf(source: Source): 'megatron' | 'dtensor' | undefined {
  const megatron = source.flag(`${MEGATRON}.enabled`);
  const dtensor = source.flag(`${DTENSOR}.enabled`);
  if (megatron === true) return 'megatron';
  return dtensor === true && (megatron === false || source.complete !== false) ? 'dtensor' : undefined;
}

/** What runs beside the policy on GPUs of its own. */
const BESIDE = [
  'env.nemo_gym',
  'on_policy_distillation',
  'non_colocated_teachers',
  'teachers',
  '_teachers',
  'teacher',
  'reward_model',
];

function size(source: Source, name: string): Sourced<number> | undefined {
  const value = source.integer(name);
  return value === undefined || value < 1 ? undefined : taken(source, name, value);
}

/** GPUs of training: all of the cluster, less those that generation keeps for itself. */
function clusterOf(source: Source): Pick<Sections, 'cluster' | 'layout'> {
  const perNode = size(source, 'cluster.gpus_per_node');
  const nodes = size(source, 'cluster.num_nodes');
  const cluster = present<Plan['cluster']>({ nodes, gpusPerNode: perNode });
  const apart = 'policy.generation.colocated';
  // A base that is not at hand may take GPUs away for generation.
  if (source.complete === false && source.flag(`${apart}.enabled`) === undefined)
    return { cluster: present<Plan['cluster']>({ gpusPerNode: perNode }), layout: {} };
  if (source.flag(`${apart}.enabled`) !== false || perNode === undefined || nodes === undefined)
    return { cluster, layout: {} };
  const own = source.integer(`${apart}.resources.num_nodes`);
  const gpus = source.integer(`${apart}.resources.gpus_per_node`) ?? perNode.value;
  const kept = own === undefined ? gpus * (nodes.value === 1 ? 1 : nodes.value) : own * perNode.value;
  const left = perNode.value * nodes.value - kept;
  // Environments and teachers are dealt GPUs by launch scripts: what is left for training is not known then.
  const shared = BESIDE.some((key) => source.entry(key) !== undefined);
  const world = left < 1 || shared ? undefined : left;
  return {
    cluster: present<Plan['cluster']>({ gpusPerNode: perNode }),
    layout: present<Plan['layout']>({
      worldSize: follows(source, 'cluster.num_nodes', world, 'the GPUs that generation does not keep'),
    }),
  };
}

function recomputeOf(source: Source, section: string): Plan['recompute'] {
  const key = `${section}.activation_checkpointing`;
  const flag = source.flag(key);
  if (flag === undefined) return {};
  if (!flag) return present<Plan['recompute']>({ granularity: taken(source, key, 'none' as const) });
  const word = source.text(`${section}.recompute_granularity`);
  const selective = word === 'selective';
  const modules = source.words(`${section}.recompute_modules`);
  return present<Plan['recompute']>({
    granularity: selective
      ? taken(source, `${section}.recompute_granularity`, 'selective' as const)
      : taken(source, key, 'full' as const),
    modules: selective && modules !== undefined ? taken(source, `${section}.recompute_modules`, modules) : undefined,
    method: selective ? undefined : byDefault('uniform' as const, 'every layer by itself'),
    layers: selective ? undefined : byDefault(1, 'every layer by itself'),
  });
}

function megatronSections(source: Source): Sections {
  const at = (name: string): string => `${MEGATRON}.${name}`;
  const tensor = size(source, at('tensor_model_parallel_size'));
  const distributed = source.flag(at('optimizer.use_distributed_optimizer'));
  const wide = source.flag(at('distributed_data_parallel_config.grad_reduce_in_fp32'));
  const kind = source.text(at('optimizer.optimizer'));
  const offload = source.flag(at('optimizer.optimizer_cpu_offload'));
  const format = dtypeOf(source.text('policy.precision') ?? '');
  const uneven = hasUnevenStages(source, STAGES);
  return {
    ...NO_SECTIONS,
    layout: present<Plan['layout']>({
      tensor,
      pipeline: uneven ? undefined : size(source, at('pipeline_model_parallel_size')),
      context: size(source, at('context_parallel_size')),
      expert: size(source, at('expert_model_parallel_size')),
      expertTensor: size(source, at('expert_tensor_parallel_size')),
      sequenceParallel: taken(source, at('sequence_parallel'), source.flag(at('sequence_parallel'))),
    }),
    precision: present<Plan['precision']>({
      weights: taken(source, 'policy.precision', format),
      compute: taken(source, 'policy.precision', format),
      gradients: taken<DType>(
        source,
        at('distributed_data_parallel_config.grad_reduce_in_fp32'),
        wide === undefined ? undefined : wide ? 'F32' : (format ?? 'BF16'),
      ),
    }),
    optimizer: present<Plan['optimizer']>({
      stack: byDefault('megatron', 'the Megatron backend'),
      kind: taken(source, at('optimizer.optimizer'), kind === 'adam' ? 'adam' : kind === 'sgd' ? 'sgd' : undefined),
      // Every base that NeMo-RL ships shards the states; without the base at hand that is what runs.
      zeroStage:
        distributed === undefined && source.complete === false
          ? byDefault(1, 'examples/configs of NeMo-RL set use_distributed_optimizer')
          : taken(
              source,
              at('optimizer.use_distributed_optimizer'),
              distributed === undefined ? undefined : distributed ? (1 as const) : (0 as const),
            ),
      offloadOptimizer: taken(source, at('optimizer.optimizer_cpu_offload'), offload),
    }),
    recompute: recomputeOf(source, MEGATRON),
    unresolved: uneven ? unevenStages(source, at('pipeline_model_parallel_size')) : [],
  };
}

/** Uneven stages need the model's layers, which the layout of this plan cannot hold: its pipeline stays unknown. */
function unevenStages(source: Source, key: string): Sections['unresolved'] {
  const at = taken(source, key, 0)?.at;
  return at === undefined ? [] : [{ path: 'layout.pipeline', at }];
}

function dtensorSections(source: Source): Sections {
  const at = (name: string): string => `${DTENSOR}.${name}`;
  const offload = source.flag(at('cpu_offload'));
  const format = dtypeOf(source.text('policy.precision') ?? '');
  const details: TrainingDetails =
    source.flag(at('lora_cfg.enabled')) === true
      ? adapterDetails(source, {
          rank: at('lora_cfg.dim'),
          targets: source.flag(at('lora_cfg.match_all_linear')) === false ? at('lora_cfg.target_modules') : '',
          otherwise: 8,
        })
      : {};
  return {
    ...NO_SECTIONS,
    layout: present<Plan['layout']>({
      tensor: size(source, at('tensor_parallel_size')),
      context: size(source, at('context_parallel_size')),
      expert: size(source, at('expert_parallel_size')),
      dataReplicate: size(source, at('dp_replicate_size')),
      sequenceParallel: taken(source, at('sequence_parallel'), source.flag(at('sequence_parallel'))),
    }),
    precision: present<Plan['precision']>({
      weights: byDefault<DType>('F32', 'weights are kept in FP32 under mixed precision'),
      compute: taken(source, 'policy.precision', format),
      masterWeights: byDefault('none', 'the sharded weights are the master weights'),
    }),
    optimizer: present<Plan['optimizer']>({
      stack: byDefault('fsdp2', 'the DTensor backend'),
      zeroStage: byDefault(3, 'FSDP2 shards parameters, gradients and states'),
      offloadParameters: taken(source, at('cpu_offload'), offload),
      offloadOptimizer: taken(source, at('cpu_offload'), offload),
    }),
    recompute: recomputeOf(source, DTENSOR),
    details: { ...(details.lora === undefined ? {} : details), modelCode: 'transformers' },
  };
}

/** Packed rows hold as many tokens as the file says, or as many as an unpacked microbatch. */
function batchOf(source: Source): Plan['batch'] {
  const packed = source.flag('policy.sequence_packing.enabled') === true;
  const tokens = packed ? size(source, 'policy.sequence_packing.train_mb_tokens') : undefined;
  return present<Plan['batch']>({
    globalBatch: size(source, 'policy.train_global_batch_size'),
    microBatch:
      tokens === undefined
        ? size(source, 'policy.train_micro_batch_size')
        : follows(source, 'policy.sequence_packing.enabled', 1, 'samples are packed into one row'),
    sequenceLength: tokens ?? size(source, 'policy.max_total_sequence_length'),
  });
}

const HIDDEN: readonly (readonly [string, string])[] = [
  ['layout.tensor', `${MEGATRON}.tensor_model_parallel_size`],
  ['layout.pipeline', `${MEGATRON}.pipeline_model_parallel_size`],
  ['layout.context', `${MEGATRON}.context_parallel_size`],
  ['layout.tensor', `${DTENSOR}.tensor_parallel_size`],
  ['cluster.nodes', 'cluster.num_nodes'],
  ['cluster.gpusPerNode', 'cluster.gpus_per_node'],
  ['batch.microBatch', 'policy.train_micro_batch_size'],
  ['batch.sequenceLength', 'policy.max_total_sequence_length'],
  ['model.name', 'policy.model_name'],
];

/** What a NeMo-RL recipe says of the policy's training step. */
export function nemoRlSections(source: Source): Sections {
  const backend = backendOf(source);
  const { cluster, layout } = clusterOf(source);
  const name = source.text('policy.model_name');
  const engine =
    backend === 'megatron' ? megatronSections(source) : backend === 'dtensor' ? dtensorSections(source) : NO_SECTIONS;
  return overlaid(engine, {
    ...NO_SECTIONS,
    model: present<Plan['model']>({
      name: name === undefined ? undefined : modelName(source, 'policy.model_name', name),
    }),
    cluster,
    layout,
    batch: batchOf(source),
    unresolved: hidden(source, HIDDEN),
  });
}
