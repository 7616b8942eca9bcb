import type { TrainingInput } from '../memory/input';
import { size } from '../model/tensors';
import type { PrecisionSpec, RecomputeSpec, ScheduleKind, TrainingStack } from '../spec/training';

/** Values that each dimension of a training layout may take. The search is exhaustive over their legal products. */
export interface SearchSpace {
  /** GPUs of the whole job. */
  readonly gpus: readonly number[];
  readonly tensor: readonly number[];
  readonly pipeline: readonly number[];
  /** Model chunks a rank, for schedules that interleave. */
  readonly virtual: readonly number[];
  readonly context: readonly number[];
  readonly expert: readonly number[];
  /** Whether experts may be cut by tensor parallelism, too. */
  readonly cutExperts: boolean;
  readonly zero: readonly (0 | 1 | 2 | 3)[];
  readonly kinds: readonly ScheduleKind[];
  readonly microBatch: readonly number[];
  readonly recompute: readonly RecomputeSpec[];
  readonly precision: readonly PrecisionSpec[];
  /** Whether stages may hold different numbers of layers. */
  readonly unevenStages: boolean;
}

/** What the caller allows to change: fields of the plan (dotted) that must stay as they are. */
export interface Freedom {
  readonly fixed?: readonly string[];
  /** GPU counts to look at; default: the plan's own. */
  readonly gpus?: readonly number[];
  readonly unevenStages?: boolean;
  /** Schedules that the file can say; default: those of its stack. */
  readonly kinds?: readonly ScheduleKind[];
  /** Also tries FP8 products where the GPU has them and the plan computes in BF16. Default false: it changes the numbers. */
  readonly precision?: boolean;
}

/** Schedules that a stack can run. */
const KINDS: Readonly<Partial<Record<TrainingStack, readonly ScheduleKind[]>>> = {
  megatron: ['1f1b', 'interleaved', '1f1b-ep-overlap'],
  'hai-llm': ['1f1b', 'interleaved', 'zb-h1', 'zb-v', 'dualpipe', 'dualpipev'],
  fsdp2: ['1f1b', 'interleaved-torch', 'interleaved-zb-torch', 'zbv-torch'],
  nanotron: ['1f1b'],
};

const ZERO: Readonly<Record<TrainingStack, readonly (0 | 1 | 2 | 3)[]>> = {
  megatron: [0, 1],
  'hai-llm': [0, 1],
  nanotron: [0, 1],
  deepspeed: [0, 1, 2, 3],
  fsdp2: [3],
  fsdp1: [3],
  ddp: [0],
};

/** Stacks whose jobs know no tensor, pipeline or context parallelism. */
const DATA_ONLY: ReadonlySet<TrainingStack> = new Set<TrainingStack>(['fsdp1', 'ddp', 'deepspeed']);

const LARGEST_TENSOR = 16;
const LARGEST_PIPELINE = 64;
const LARGEST_CONTEXT = 32;
const LARGEST_VIRTUAL = 8;
/** A rank of context parallelism should keep this many tokens, or its products become too thin to be worth it. */
const LEAST_TOKENS = 2048;

/** Whole numbers that divide `value` and are at most `most`, ascending. */
export function divisorsUpTo(value: number, most: number): number[] {
  const out: number[] = [];
  for (let candidate = 1; candidate <= Math.min(value, most); candidate += 1)
    if (value % candidate === 0) out.push(candidate);
  return out;
}

function powersUpTo(most: number): number[] {
  const out: number[] = [];
  for (let value = 1; value <= most; value *= 2) out.push(value);
  return out;
}

function withOwn(values: readonly number[], own: number): number[] {
  return [...new Set([...values, own])].sort((a, b) => a - b);
}

function recomputeChoices({ recompute }: TrainingInput): RecomputeSpec[] {
  const choices: RecomputeSpec[] = [recompute];
  const full: RecomputeSpec = { granularity: 'full', method: 'uniform', layers: 1 };
  if (recompute.granularity !== 'none') choices.push({ granularity: 'none' });
  if (recompute.granularity !== 'full') choices.push(full);
  return choices;
}

function precisionChoices(input: TrainingInput): PrecisionSpec[] {
  const { precision, cluster } = input;
  if (precision.fp8Recipe !== 'none' || (cluster?.computeCapability ?? 0) < 89) return [precision];
  const fp8Recipe = (cluster?.computeCapability ?? 0) >= 100 ? 'mxfp8' : 'blockwise';
  return [precision, { ...precision, compute: 'F8_E4M3', fp8Recipe }];
}

function contextChoices({ batch, layout }: TrainingInput): number[] {
  const most = Math.min(LARGEST_CONTEXT, Math.max(1, batch.sequenceLength / LEAST_TOKENS));
  return withOwn(
    powersUpTo(most).filter((value) => batch.sequenceLength % (2 * value) === 0 || value === 1),
    layout.context,
  );
}

/** The space around a plan: everything its stack can run, less what the caller keeps fixed. */
export function trainingSpace(input: TrainingInput, freedom: Freedom = {}): SearchSpace {
  const { model, layout, batch, optimizer, pipeline } = input;
  const fixed = new Set(freedom.fixed ?? []);
  const keep = <T>(field: string, own: T, values: () => readonly T[]): readonly T[] =>
    fixed.has(field) ? [own] : values();
  const dataOnly = DATA_ONLY.has(optimizer.stack);
  const degrees = (field: string, own: number, values: () => readonly number[]): readonly number[] =>
    dataOnly && own === 1 ? [1] : keep(field, own, () => withOwn(values(), own));
  const stackKinds = freedom.kinds ?? KINDS[optimizer.stack] ?? ['1f1b'];
  // Without experts there is no exchange to hide.
  const kinds = size(model.experts) > 0 ? stackKinds : stackKinds.filter((kind) => kind !== '1f1b-ep-overlap');
  const world = layout.worldSize;
  return {
    gpus: freedom.gpus ?? [world],
    tensor: degrees('layout.tensor', layout.tensor, () =>
      powersUpTo(Math.min(LARGEST_TENSOR, input.cluster?.nvlinkDomain ?? 8)),
    ),
    pipeline: degrees('layout.pipeline', layout.pipeline, () =>
      divisorsUpTo(world, Math.min(LARGEST_PIPELINE, model.layers)),
    ),
    virtual: keep('layout.virtualPipeline', layout.virtualPipeline, () =>
      withOwn(powersUpTo(Math.min(LARGEST_VIRTUAL, model.layers)), layout.virtualPipeline),
    ),
    context: degrees('layout.context', layout.context, () => contextChoices(input)),
    expert: degrees('layout.expert', layout.expert, () =>
      size(model.experts) === 0 ? [1] : divisorsUpTo(size(model.experts), Math.min(size(model.experts), world)),
    ),
    cutExperts: layout.expertTensor > 1 || !fixed.has('layout.expertTensor'),
    zero: keep('optimizer.zeroStage', optimizer.zeroStage, () => [
      ...new Set([...ZERO[optimizer.stack], optimizer.zeroStage]),
    ]),
    kinds: keep('pipeline.kind', pipeline.kind, () => [...new Set([...kinds, pipeline.kind])]),
    microBatch: keep('batch.microBatch', batch.microBatch, () => withOwn([1, 2, 4, 8], batch.microBatch)),
    recompute: keep('recompute.granularity', input.recompute, () => recomputeChoices(input)),
    precision: freedom.precision === true ? precisionChoices(input) : [input.precision],
    unevenStages: freedom.unevenStages ?? layout.stageLayers !== undefined,
  };
}
