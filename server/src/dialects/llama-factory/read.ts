import type { TrainingDetails } from '../../engine/memory/input';
import type { Finding } from '../../plan/finding';
import type { Plan, ResolvedPlan, Sourced } from '../../plan/plan';
import { statedWorld } from '../../plan/resolve-layout';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { nestedKeyFindings } from '../common/nested-keys';
import { rootMap } from '../common/nodes';
import { byDefault, present } from '../common/sourced';
import { withStages } from '../common/uneven-stages';
import { DEEPSPEED, deepSpeedBeside } from '../deepspeed/companion';
import { completeDeepSpeed, zeroStage } from '../deepspeed/plan';
import { NO_SECTIONS, overlaid, trainingPlan, type Sections } from '../deepspeed/sections';
import { checkSource, hidden, layered, placeIn, taken, type Source } from '../deepspeed/source';
import { HF_TRAINER, withAuto } from '../deepspeed/trainer';
import type { DialectReading, ReadCompanion, Reference } from '../dialect';
import { adapterDetails, launched, modelFile, trainerSections, unknownMemory, type TrainerNames } from '../trl/trainer';
import { llamaFactoryFile } from './framework';
import { classicPrecision, quantizedBase } from './precision';
import { byMegatron, llamaFactoryConditions } from './rules';
import { llamaFactorySchema } from './schema-data';
import { isFirst, readFirst } from './v1';

const NAMES: TrainerNames = {
  model: 'model_name_or_path',
  microBatch: 'per_device_train_batch_size',
  accumulation: 'gradient_accumulation_steps',
  sequence: ['cutoff_len'],
  optimizer: 'optim',
  checkpointing: { name: 'disable_gradient_checkpointing', inverted: true, otherwise: true },
  microDefault: 8,
  sequenceDefault: 2048,
};

/** Degrees of the Megatron launches. */
function megatronSections(source: Source): Sections {
  const degree = (name: string): Sourced<number> | undefined => {
    const value = source.integer(name);
    return value === undefined || value < 1 ? undefined : taken(source, name, value);
  };
  const distributed = source.flag('use_distributed_optimizer');
  const recompute = source.text('recompute_granularity');
  return {
    ...NO_SECTIONS,
    layout: present<Plan['layout']>({
      tensor: degree('tensor_model_parallel_size'),
      pipeline: degree('pipeline_model_parallel_size'),
      context: degree('context_parallel_size'),
      expert: degree('expert_model_parallel_size'),
      expertTensor: degree('expert_tensor_parallel_size'),
      virtualPipeline: degree('virtual_pipeline_model_parallel_size'),
      sequenceParallel: taken(source, 'sequence_parallel', source.flag('sequence_parallel')),
    }),
    optimizer: present<Plan['optimizer']>({
      stack: byDefault('megatron', 'Megatron runs the step'),
      zeroStage:
        taken(source, 'use_distributed_optimizer', distributed === undefined ? undefined : distributed ? 1 : 0) ??
        byDefault(1, "the framework's default"),
    }),
    recompute: present<Plan['recompute']>({
      granularity:
        taken(
          source,
          'recompute_granularity',
          recompute === 'full' || recompute === 'selective' ? recompute : undefined,
        ) ?? byDefault('none', "the framework's default"),
      layers: taken(source, 'recompute_num_layers', source.integer('recompute_num_layers')),
    }),
    unresolved: hidden(source, [
      ['layout.tensor', 'tensor_model_parallel_size'],
      ['layout.pipeline', 'pipeline_model_parallel_size'],
      ['layout.context', 'context_parallel_size'],
      ['layout.expert', 'expert_model_parallel_size'],
    ]),
  };
}

/** Ways to train whose states and experts live elsewhere. */
const UNMODELLED = ['use_galore', 'use_apollo', 'use_badam', 'use_adam_mini', 'use_kt'];

function classicSections(source: Source): Sections {
  const trainer = trainerSections(source, NAMES);
  const kind = source.text('finetuning_type') ?? 'lora';
  const adapters = kind === 'lora' || kind === 'oft';
  const lora =
    kind === 'lora' ? adapterDetails(source, { rank: 'lora_rank', targets: 'lora_target', otherwise: 8 }) : {};
  if (byMegatron(source)) {
    const megatron = overlaid(trainer, megatronSections(source));
    return { ...megatron, details: lora };
  }
  const { precision, details } = classicPrecision(source, adapters);
  // Other stages need the logits themselves.
  const fused = source.flag('enable_liger_kernel') === true && ['pt', 'sft'].includes(source.text('stage') ?? 'sft');
  const loss: TrainingDetails = fused ? { linearLoss: 'liger' } : {};
  const unknown = kind === 'freeze' ? ['finetuning_type'] : UNMODELLED;
  return launched(
    source,
    overlaid(trainer, {
      ...NO_SECTIONS,
      unresolved: unknownMemory(source, unknown),
      details: { ...details, ...loss, ...lora, ...quantizedBase(source) },
    }),
    precision,
  );
}

/** Every parallel degree multiplies here, expert parallelism too: stricter than Megatron itself. */
function megatronWorld(source: Source, resolved: ResolvedPlan): Finding[] {
  const keys = ['tensor', 'pipeline', 'context', 'expert'].map((name) =>
    name === 'context' ? 'context_parallel_size' : `${name}_model_parallel_size`,
  );
  const degrees = keys.map((key) => source.integer(key) ?? 1);
  const product = degrees.reduce((total, degree) => total * degree, 1);
  const world = statedWorld(resolved.plan);
  if (!byMegatron(source) || keys.some((key) => source.unknown(key)) || world === undefined || product < 1) return [];
  const at = keys.map((key) => placeIn(source, key)).find((place) => place !== undefined);
  if (at === undefined || world % product === 0) return [];
  return [
    {
      rule: 'world-not-divisible',
      severity: 'error',
      at,
      source: llamaFactoryFile('hparams/parser.py', '_validate_megatron_bridge_parallel_args'),
      message: `Tensor × pipeline × context × expert is ${degrees.join(' × ')} = ${product} and does not divide the ${world} GPUs; LLaMA-Factory counts expert parallelism on top of the others.`,
    },
  ];
}

/** Weights that come quantized from the hub cannot be shared out by ZeRO-3; their method is known from the model's own file or its name. */
function quantizedCheckpoint(source: Source, resolved: ResolvedPlan): Finding[] {
  if (zeroStage(source, DEEPSPEED)?.value !== 3) return [];
  const at = placeIn(source, 'model_name_or_path');
  const name = source.text('model_name_or_path') ?? '';
  const method = resolved.quantization.method;
  const told = resolved.plan.quantization.method;
  const stated = told !== undefined && told.origin !== 'assumed' && (method === 'int4-group' || method === 'int8');
  if (at === undefined || (!stated && !/[-_](gptq|awq|aqlm)\b/i.test(name))) return [];
  const stage = placeIn(source, `${DEEPSPEED}.zero_optimization.stage`);
  return [
    {
      rule: 'quantized-checkpoint-not-shardable',
      severity: stated ? 'error' : 'warning',
      at,
      source: llamaFactoryFile('model/model_utils/quantization.py', 'configure_quantization'),
      message:
        'A checkpoint that is already quantized (GPTQ, AWQ, AQLM) cannot be trained under ZeRO stage 3 or FSDP; use stage 2, or the unquantized checkpoint.',
      ...(stage === undefined ? {} : { related: [{ at: stage, message: 'ZeRO stage 3 is asked for here' }] }),
    },
  ];
}

/** Unknown keys of either form; the other form's keys are unknown too. */
function keyFindings(root: MapNode, first: boolean): Finding[] {
  const all = llamaFactorySchema.properties ?? {};
  const own = new Set(llamaFactorySchema['x-v1']);
  const kept = Object.entries(all).filter(([key, schema]) => (first ? own.has(key) : schema['x-group'] !== 'v1'));
  return nestedKeyFindings(
    root,
    { ...llamaFactorySchema, properties: Object.fromEntries(kept) },
    {
      framework: 'LLaMA-Factory',
      source: llamaFactoryFile('hparams/parser.py', '_parse_args'),
      refuses: 'which stops on unknown ones',
      near: 'error',
      far: 'warning',
      value: 'warning',
    },
  );
}

function modelReference(source: Source, key: string): Reference[] {
  const target = modelFile(source.text(key));
  const at = placeIn(source, key);
  return target === undefined || at === undefined ? [] : [{ at, target, kind: 'model-config' }];
}

/** Keys of stages that hold other numbers of layers than the rest. */
const STAGES = {
  pipeline: 'pipeline_model_parallel_size',
  first: 'num_layers_in_first_pipeline_stage',
  last: 'num_layers_in_last_pipeline_stage',
};

function completion(source: Source, deepSpeed: boolean): Pick<DialectReading, 'complete'> {
  if (deepSpeed) return { complete: completeDeepSpeed(source, DEEPSPEED) };
  return byMegatron(source) ? { complete: (plan, { model }) => withStages(source, STAGES, plan, model) } : {};
}

function modelOnly(root: MapNode, source: Source, { model }: Sections, first: boolean): DialectReading {
  return {
    plan: { ...trainingPlan('llama-factory', { ...NO_SECTIONS, model }), task: 'model' },
    findings: keyFindings(root, first),
    references: modelReference(source, first ? 'model' : 'model_name_or_path'),
  };
}

/** Arguments of `chat`, `api` and `export` name a model and train nothing. */
function trains(source: Source): boolean {
  return ['do_train', 'dataset', 'train_dataset', 'output_dir', 'stage'].some((key) => source.entry(key) !== undefined);
}

/** Reads arguments of `llamafactory-cli train`, flat or in the sections of v1, with the DeepSpeed file that they name. */
export function readLlamaFactory(tree: ConfigTree, read: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: trainingPlan('llama-factory', NO_SECTIONS), findings: [], references: [] };
  const own = layered([{ root, prefix: '' }]);
  const first = isFirst(own);
  const named = deepSpeedBeside(own, first ? 'dist_config.config_file' : 'deepspeed', read);
  const plain = layered([{ root, prefix: '' }, ...named.layers]);
  const source = withAuto(plain, first ? { train_micro_batch_size_per_gpu: 'micro_batch_size' } : HF_TRAINER);
  const sections = first ? readFirst(source) : classicSections(source);
  if (!trains(source)) return modelOnly(root, source, sections, first);
  return {
    plan: trainingPlan('llama-factory', overlaid(sections, { ...NO_SECTIONS, unresolved: named.unresolved })),
    ...completion(source, named.layers.length > 0),
    findings: [...keyFindings(root, first), ...(first ? [] : checkSource(llamaFactoryConditions, source))],
    ...(first
      ? {}
      : { check: (resolved) => [...megatronWorld(source, resolved), ...quantizedCheckpoint(source, resolved)] }),
    references: [...modelReference(source, first ? 'model' : 'model_name_or_path'), ...named.references],
  };
}
