import type { DType } from '../../engine/spec/numbers';
import type { OptimizerSpec } from '../../engine/spec/training';
import type { TrainingDetails } from '../../engine/memory/input';
import type { Plan, Sourced } from '../../plan/plan';
import type { Known } from '../dialect';
import { dtypeOf } from '../common/dtypes';
import { byDefault, present } from '../common/sourced';
import { NO_SECTIONS, type Sections } from './sections';
import { follows, hidden, isAuto, taken, type Source } from './source';

/** Optimizers by what they keep: one-bit and fused variants of Adam keep Adam's two moments. */
const OPTIMIZERS: Readonly<Record<string, OptimizerSpec['kind']>> = {
  adam: 'adam',
  adamw: 'adam',
  lamb: 'adam',
  onebitadam: 'adam',
  zerooneadam: 'adam',
  onebitlamb: 'adam',
  lion: 'lion',
  muon: 'muon',
  sgd: 'sgd',
  adafactor: 'adafactor',
};

const path = (prefix: string, name: string): string => (prefix === '' ? name : `${prefix}.${name}`);

/** The ZeRO stage that a file states; `zero_optimization: true` is the old way to say 1. */
export function zeroStage(source: Source, prefix = ''): Sourced<OptimizerSpec['zeroStage']> | undefined {
  const name = path(prefix, 'zero_optimization.stage');
  const stage = source.integer(name);
  if (stage === 0 || stage === 1 || stage === 2 || stage === 3) return taken(source, name, stage);
  const flag = source.flag(path(prefix, 'zero_optimization'));
  return flag === undefined
    ? undefined
    : follows(source, path(prefix, 'zero_optimization'), flag ? 1 : 0, 'the old form of ZeRO stage 1');
}

function offload(source: Source, prefix: string, part: string): Sourced<boolean> | undefined {
  const name = path(prefix, `zero_optimization.${part}.device`);
  const device = source.text(name);
  return taken(source, name, device === 'cpu' || device === 'nvme' ? true : device === 'none' ? false : undefined);
}

function optimizerOf(source: Source, prefix: string): Plan['optimizer'] {
  const type = path(prefix, 'optimizer.type');
  const kind = OPTIMIZERS[source.text(type)?.toLowerCase() ?? ''];
  return present<Plan['optimizer']>({
    stack: byDefault('deepspeed', 'DeepSpeed runs the step'),
    kind: taken(source, type, kind),
    zeroStage: zeroStage(source, prefix),
    offloadOptimizer: offload(source, prefix, 'offload_optimizer'),
    offloadParameters: offload(source, prefix, 'offload_param'),
  });
}

/**
 * Formats of weights, gradients and states.
 * Source: deepspeedai/DeepSpeed, deepspeed/runtime/engine.py, `get_data_types`: gradients in the model's format under ZeRO, in FP32 for BF16 without it.
 */
function precisionOf(source: Source, prefix: string): Plan['precision'] {
  const bf16 = path(prefix, 'bf16.enabled');
  const fp16 = path(prefix, 'fp16.enabled');
  const [name, format]: [string, DType] | [undefined, undefined] =
    source.flag(bf16) === true ? [bf16, 'BF16'] : source.flag(fp16) === true ? [fp16, 'F16'] : [undefined, undefined];
  const accumulation = path(prefix, 'data_types.grad_accum_dtype');
  const stated = taken(source, accumulation, dtypeOf(source.text(accumulation) ?? ''));
  if (name === undefined) {
    // Neither is on: one is off, and the other is off or left out. A value that is yet to be filled says nothing.
    const off = [bf16, fp16].map((key) => source.flag(key) === false || source.entry(key) === undefined);
    const plain =
      off.every(Boolean) && [bf16, fp16].some((key) => source.flag(key) === false)
        ? byDefault<DType>('F32', 'neither fp16 nor bf16 is enabled')
        : undefined;
    return present<Plan['precision']>({ weights: plain, compute: plain, gradients: stated ?? plain });
  }
  const half = format === 'BF16' ? 'bf16' : 'fp16';
  const low = path(prefix, `${half}.${half}_master_weights_and_grads`);
  const states = path(prefix, 'bf16.bf16_optimizer_states');
  const zero = (zeroStage(source, prefix)?.value ?? 0) > 0;
  const master = source.flag(low) === true ? taken(source, low, format) : undefined;
  const moments = source.flag(states) === true ? taken(source, states, format) : undefined;
  return present<Plan['precision']>({
    weights: taken(source, name, format),
    compute: taken(source, name, format),
    gradients: stated ?? byDefault(zero || format === 'F16' ? format : 'F32', "DeepSpeed's gradient format"),
    masterWeights: master,
    firstMoment: moments,
    secondMoment: moments,
  });
}

/** Batch sizes as written. With all three given the data-parallel ranks follow. */
function batchOf(source: Source, prefix: string): Pick<Sections, 'batch' | 'layout'> {
  const integer = (name: string): Sourced<number> | undefined =>
    taken(source, path(prefix, name), source.integer(path(prefix, name)));
  const globalBatch = integer('train_batch_size');
  const microBatch = integer('train_micro_batch_size_per_gpu');
  const microbatches = integer('gradient_accumulation_steps');
  const pass = (microBatch?.value ?? 0) * (microbatches?.value ?? 0);
  const data = globalBatch === undefined || pass <= 0 ? undefined : globalBatch.value / pass;
  return {
    batch: present<Plan['batch']>({ globalBatch, microBatch, microbatches }),
    layout:
      data === undefined || !Number.isInteger(data) || data <= 0
        ? {}
        : {
            data: {
              value: data,
              origin: 'derived',
              note: 'train_batch_size over micro batch and accumulation',
              ...(globalBatch?.at === undefined ? {} : { at: globalBatch.at }),
            },
          },
  };
}

function layoutOf(source: Source, prefix: string): Plan['layout'] {
  const degree = (name: string): Sourced<number> | undefined => {
    const value = source.integer(path(prefix, name));
    return value === undefined || value < 1 ? undefined : taken(source, path(prefix, name), value);
  };
  return present<Plan['layout']>({
    tensor: degree('tensor_parallel.autotp_size'),
    context: degree('sequence_parallel_size'),
    expert:
      source.flag(path(prefix, 'expert_parallel.enabled')) === true ? degree('expert_parallel.autoep_size') : undefined,
    dataShard: degree('zero_optimization.mics_shard_size'),
  });
}

/** Buffers in elements, as far as they are numbers. */
function detailsOf(source: Source, prefix: string): TrainingDetails {
  const elements = (...names: string[]): number | undefined =>
    names
      .map((name) => source.number(path(prefix, `zero_optimization.${name}`)))
      .find((value) => value !== undefined && value >= 0);
  const overlap = source.flag(path(prefix, 'zero_optimization.overlap_comm'));
  const stage = zeroStage(source, prefix)?.value;
  return present<TrainingDetails>({
    reduceBucketSize: elements('reduce_bucket_size'),
    allgatherBucketSize: elements('allgather_bucket_size'),
    prefetchBucketSize: elements('stage3_prefetch_bucket_size', 'prefetch_bucket_size'),
    persistenceThreshold: elements('stage3_param_persistence_threshold', 'param_persistence_threshold'),
    overlapComm: overlap ?? (stage === undefined ? undefined : stage === 3),
  });
}

const HIDDEN: readonly (readonly [string, string])[] = [
  ['batch.globalBatch', 'train_batch_size'],
  ['batch.microBatch', 'train_micro_batch_size_per_gpu'],
  ['batch.microbatches', 'gradient_accumulation_steps'],
  ['optimizer.zeroStage', 'zero_optimization.stage'],
  ['precision.weights', 'bf16.enabled'],
  ['precision.weights', 'fp16.enabled'],
  ['layout.tensor', 'tensor_parallel.autotp_size'],
];

/** What a DeepSpeed file under `prefix` says, in the terms of a plan; `auto` says nothing. */
export function deepSpeedSections(source: Source, prefix = ''): Sections {
  const { batch, layout } = batchOf(source, prefix);
  return {
    ...NO_SECTIONS,
    batch,
    layout: { ...layout, ...layoutOf(source, prefix) },
    precision: precisionOf(source, prefix),
    optimizer: optimizerOf(source, prefix),
    details: detailsOf(source, prefix),
    unresolved: hidden(
      source,
      HIDDEN.map(([field, name]) => [field, path(prefix, name)]),
    ),
  };
}

/**
 * Buffers that Hugging Face sizes by the model where the file says `auto`.
 * Source: huggingface/transformers, src/transformers/integrations/deepspeed.py, `HfTrainerDeepSpeedConfig.trainer_config_finalize`.
 */
export function autoBuffers(source: Source, prefix: string, hiddenSize: number): TrainingDetails {
  const auto = (name: string): boolean => isAuto(source, path(prefix, `zero_optimization.${name}`));
  const third = zeroStage(source, prefix)?.value === 3;
  return present<TrainingDetails>({
    reduceBucketSize: auto('reduce_bucket_size') ? hiddenSize ** 2 : undefined,
    prefetchBucketSize: third && auto('stage3_prefetch_bucket_size') ? Math.floor(0.9 * hiddenSize ** 2) : undefined,
    persistenceThreshold: third && auto('stage3_param_persistence_threshold') ? 10 * hiddenSize : undefined,
  });
}

/** Fills `auto` buffers once the model is known. */
export function completeDeepSpeed(source: Source, prefix = ''): (plan: Plan, known: Known) => Plan {
  return (plan, known) => {
    const size = known.model.hiddenSize?.value;
    if (size === undefined || !Number.isSafeInteger(size)) return plan;
    const details = { ...plan.details, ...autoBuffers(source, prefix, size) };
    return Object.keys(details).length === 0 ? plan : { ...plan, details };
  };
}
