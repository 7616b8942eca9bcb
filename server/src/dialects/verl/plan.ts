import type { DType } from '../../engine/spec/numbers';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, present } from '../common/sourced';
import { NO_SECTIONS, overlaid, type Sections } from '../deepspeed/sections';
import { follows, hidden, taken, type Source } from '../deepspeed/source';
import { adapterDetails, modelName } from '../trl/trainer';
import { ACTOR, MODEL, ROLLOUT, type VerlForm } from './source';

const MEGATRON = `${ACTOR}.megatron`;
const FSDP = `${ACTOR}.fsdp_config`;

/** Keys of stages that hold other numbers of layers than the rest. */
export const STAGES = {
  pipeline: `${MEGATRON}.pipeline_model_parallel_size`,
  first: `${MEGATRON}.override_transformer_config.num_layers_in_first_pipeline_stage`,
  last: `${MEGATRON}.override_transformer_config.num_layers_in_last_pipeline_stage`,
};

function size(source: Source, ...names: readonly string[]): Sourced<number> | undefined {
  const name = names.find((key) => (source.integer(key) ?? 0) >= 1);
  return name === undefined ? undefined : taken(source, name, source.integer(name));
}

/** A value of the file, or verl's own default where nothing else can set it. */
function orDefault<T>(source: Source, name: string, value: T | undefined, otherwise: T): Sourced<T> | undefined {
  if (value !== undefined) return taken(source, name, value);
  return source.entry(name) === undefined && source.complete !== false
    ? byDefault(otherwise, "verl's default")
    : undefined;
}

/** The training engine of the actor; `fsdp` where a complete file does not say. */
export function strategyOf(source: Source): string | undefined {
  const word = source.text(`${ACTOR}.strategy`);
  if (word !== undefined) return word;
  if (source.unknown(`${ACTOR}.strategy`)) return undefined;
  if (source.entry(`${MEGATRON}.tensor_model_parallel_size`) !== undefined) return 'megatron';
  return source.complete === false && source.entry(FSDP) === undefined ? undefined : 'fsdp';
}

function clusterOf(source: Source): Plan['cluster'] {
  return present<Plan['cluster']>({
    nodes: size(source, 'trainer.nnodes'),
    gpusPerNode: size(source, 'trainer.n_gpus_per_node'),
  });
}

function megatronSections(source: Source): Sections {
  const tensor = size(source, `${MEGATRON}.tensor_model_parallel_size`);
  const flag = source.flag(`${MEGATRON}.sequence_parallel`);
  const distributed = source.flag(`${MEGATRON}.use_distributed_optimizer`);
  const override = `${MEGATRON}.override_transformer_config`;
  const recompute = source.text(`${override}.recompute_granularity`);
  const single = (tensor?.value ?? 1) === 1;
  return {
    ...NO_SECTIONS,
    layout: present<Plan['layout']>({
      tensor,
      pipeline: size(source, `${MEGATRON}.pipeline_model_parallel_size`),
      virtualPipeline: size(source, `${MEGATRON}.virtual_pipeline_model_parallel_size`),
      context: size(source, `${MEGATRON}.context_parallel_size`),
      expert: size(source, `${MEGATRON}.expert_model_parallel_size`),
      // Unset, experts are split as the dense layers are.
      expertTensor:
        size(source, `${MEGATRON}.expert_tensor_parallel_size`) ??
        (tensor === undefined
          ? undefined
          : follows(source, `${MEGATRON}.tensor_model_parallel_size`, tensor.value, 'unset means the tensor degree')),
      sequenceParallel: single
        ? byDefault(false, 'verl switches it off without tensor parallelism')
        : orDefault(source, `${MEGATRON}.sequence_parallel`, flag, true),
    }),
    optimizer: present<Plan['optimizer']>({
      stack: byDefault('megatron', 'strategy megatron'),
      zeroStage: orDefault(
        source,
        `${MEGATRON}.use_distributed_optimizer`,
        distributed === undefined ? undefined : distributed ? (1 as const) : (0 as const),
        1 as const,
      ),
    }),
    precision: precisionOf(source, `${MEGATRON}.dtype`),
    recompute: present<Plan['recompute']>({
      granularity: taken(
        source,
        `${override}.recompute_granularity`,
        recompute === 'full' || recompute === 'selective' ? recompute : undefined,
      ),
      method: taken(source, `${override}.recompute_method`, methodOf(source.text(`${override}.recompute_method`))),
      layers: size(source, `${override}.recompute_num_layers`),
      modules: taken(
        source,
        `${override}.recompute_modules`,
        recompute === 'selective' ? source.words(`${override}.recompute_modules`) : undefined,
      ),
    }),
  };
}

function methodOf(word: string | undefined): 'uniform' | 'block' | undefined {
  return word === 'uniform' || word === 'block' ? word : undefined;
}

function precisionOf(source: Source, key: string): Plan['precision'] {
  const format = dtypeOf(source.text(key) ?? 'bfloat16');
  const compute =
    taken(source, key, source.entry(key) === undefined ? undefined : format) ??
    byDefault<DType>('BF16', "verl's default");
  return { weights: compute, compute };
}

/** FSDP keeps weights in `model_dtype`, FP32 unless said otherwise, and gathers them in BF16. */
function fsdpSections(source: Source, version: 1 | 2, section: string, sequence: readonly string[]): Sections {
  const dtype = `${section}.model_dtype`;
  const stored = dtypeOf(source.text(dtype) ?? '');
  const shard = source.integer(`${section}.fsdp_size`);
  const policy = source.flag(`${section}.offload_policy`);
  const keep = source.flag(`${section}.reshard_after_forward`);
  const narrow = stored === 'BF16' || stored === 'F16';
  const states = narrow ? byDefault<DType>(stored, 'states take the format of the weights') : undefined;
  return {
    ...NO_SECTIONS,
    layout: present<Plan['layout']>({
      context: size(source, ...sequence),
      dataShard: shard === undefined || shard < 1 ? undefined : taken(source, `${section}.fsdp_size`, shard),
    }),
    optimizer: present<Plan['optimizer']>({
      stack: byDefault(version === 2 ? 'fsdp2' : 'fsdp1', `strategy fsdp${version === 2 ? '2' : ''}`),
      zeroStage: byDefault(3, 'FSDP shards parameters, gradients and states'),
      reshardAfterForward: taken(source, `${section}.reshard_after_forward`, keep),
      // `param_offload` moves the actor away between updates and back for each: at the peak all of it is on the device.
      offloadParameters: taken(source, `${section}.offload_policy`, policy),
      offloadOptimizer: taken(source, `${section}.offload_policy`, policy),
    }),
    precision: present<Plan['precision']>({
      weights: taken(source, dtype, stored) ?? byDefault<DType>('F32', "verl's default"),
      compute: byDefault<DType>('BF16', 'FSDP gathers weights in BF16'),
      masterWeights: byDefault('none', 'the sharded weights are the master weights'),
      gradients: states,
      firstMoment: states,
      secondMoment: states,
    }),
    details: { modelCode: 'transformers' },
  };
}

function product(
  first: Sourced<number> | undefined,
  second: number | undefined,
  note: string,
): Sourced<number> | undefined {
  if (first === undefined) return undefined;
  return second === undefined || second === 1
    ? first
    : { ...first, value: first.value * second, origin: 'derived', note };
}

/** Prompt and response together, or the packed tokens of one pass under dynamic batching. */
function ppoBatch(source: Source, context: number): Plan['batch'] {
  const samples = source.integer(`${ROLLOUT}.n`) ?? 1;
  const globalBatch = product(size(source, `${ACTOR}.ppo_mini_batch_size`), samples, 'prompts × samples of each');
  if (source.flag(`${ACTOR}.use_dynamic_bsz`) === true) {
    const tokens = size(source, `${ACTOR}.ppo_max_token_len_per_gpu`);
    return present<Plan['batch']>({
      microBatch: follows(source, `${ACTOR}.use_dynamic_bsz`, 1, 'samples are packed into one row'),
      sequenceLength: product(tokens, context, 'tokens of one GPU × ranks that share a row'),
      microbatches: byDefault(1, 'as many packed rows as the tokens of the batch fill'),
    });
  }
  const prompt = size(source, 'data.max_prompt_length', `${ROLLOUT}.prompt_length`);
  const response = source.integer('data.max_response_length') ?? source.integer(`${ROLLOUT}.response_length`);
  return present<Plan['batch']>({
    globalBatch,
    microBatch: size(source, `${ACTOR}.ppo_micro_batch_size_per_gpu`),
    sequenceLength:
      prompt === undefined || response === undefined
        ? undefined
        : { ...prompt, value: prompt.value + response, origin: 'derived', note: 'prompt and response' },
  });
}

function modelSections(source: Source, keys: { readonly path: string; readonly section: string }): Sections {
  const name = source.text(keys.path);
  const again = source.flag(`${keys.section}.enable_gradient_checkpointing`);
  const rank = source.integer(`${keys.section}.lora_rank`) ?? 0;
  const granularity = again === false ? ('none' as const) : ('full' as const);
  return {
    ...NO_SECTIONS,
    model: present<Plan['model']>({ name: name === undefined ? undefined : modelName(source, keys.path, name) }),
    recompute: present<Plan['recompute']>({
      granularity: orDefault(
        source,
        `${keys.section}.enable_gradient_checkpointing`,
        again === undefined ? undefined : granularity,
        'full' as const,
      ),
    }),
    details:
      rank > 0
        ? adapterDetails(source, { rank: `${keys.section}.lora_rank`, targets: `${keys.section}.target_modules` })
        : {},
  };
}

const HIDDEN: readonly (readonly [string, string])[] = [
  ['layout.tensor', `${MEGATRON}.tensor_model_parallel_size`],
  ['layout.pipeline', `${MEGATRON}.pipeline_model_parallel_size`],
  ['layout.context', `${MEGATRON}.context_parallel_size`],
  ['layout.context', `${ACTOR}.ulysses_sequence_parallel_size`],
  ['layout.expert', `${MEGATRON}.expert_model_parallel_size`],
  ['cluster.nodes', 'trainer.nnodes'],
  ['cluster.gpusPerNode', 'trainer.n_gpus_per_node'],
  ['batch.microBatch', `${ACTOR}.ppo_micro_batch_size_per_gpu`],
  ['batch.sequenceLength', 'data.max_response_length'],
  ['model.name', `${MODEL}.path`],
];

/** The actor's update step: the heaviest job of a PPO run on the GPUs that it shares with the rollout engine. */
function ppoSections(source: Source): Sections {
  const strategy = strategyOf(source);
  const sequence = [`${FSDP}.ulysses_sequence_parallel_size`, `${ACTOR}.ulysses_sequence_parallel_size`];
  const wide = sequence.filter((key) => (source.integer(key) ?? 1) > 1);
  const engine =
    strategy === 'megatron'
      ? megatronSections(source)
      : strategy === 'fsdp' || strategy === 'fsdp2'
        ? fsdpSections(source, strategy === 'fsdp2' ? 2 : 1, FSDP, wide.length > 0 ? wide : sequence)
        : { ...NO_SECTIONS, ...(strategy === undefined ? {} : { optimizer: {} }) };
  const model = modelSections(source, { path: `${MODEL}.path`, section: MODEL });
  // Megatron recomputes by its own settings, and adapters there are other modules.
  const kept = strategy === 'megatron' ? { ...model, recompute: {}, details: {} } : model;
  const context = engine.layout.context?.value ?? 1;
  return overlaid(overlaid(kept, engine), {
    ...NO_SECTIONS,
    cluster: clusterOf(source),
    batch: ppoBatch(source, context),
    unresolved: hidden(source, HIDDEN),
  });
}

/** One model trained on samples. */
function sftSections(source: Source): Sections {
  const strategy = source.text('model.strategy') ?? source.text('engine.strategy') ?? 'fsdp2';
  const section = source.entry('engine') === undefined ? 'model.fsdp_config' : 'engine';
  const path = source.entry('model.partial_pretrain') === undefined ? 'model.path' : 'model.partial_pretrain';
  const details: TrainingDetails = { modelCode: 'transformers' };
  const offload = source.flag(`${section}.offload_params`) ?? source.flag(`${section}.cpu_offload`);
  const base = overlaid(modelSections(source, { path, section: 'model' }), {
    ...NO_SECTIONS,
    details,
    cluster: clusterOf(source),
    batch: present<Plan['batch']>({
      globalBatch: size(source, 'data.train_batch_size'),
      microBatch: size(source, 'data.micro_batch_size_per_gpu'),
      sequenceLength: size(source, 'data.max_length'),
    }),
  });
  if (!strategy.startsWith('fsdp')) return base;
  const sharded = fsdpSections(source, strategy === 'fsdp2' ? 2 : 1, section, [
    'ulysses_sequence_parallel_size',
    `${section}.ulysses_sequence_parallel_size`,
  ]);
  return overlaid(overlaid(base, sharded), {
    ...NO_SECTIONS,
    optimizer: present<Plan['optimizer']>({
      offloadParameters: offload === undefined ? undefined : follows(source, section, offload, 'FSDP options'),
      offloadOptimizer: offload === undefined ? undefined : follows(source, section, offload, 'FSDP options'),
    }),
  });
}

/** What a verl file says of the training step. */
export function verlSections(source: Source, form: VerlForm): Sections {
  return form === 'sft' ? sftSections(source) : ppoSections(source);
}
