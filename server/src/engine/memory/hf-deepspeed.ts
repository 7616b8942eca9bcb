import type { HfMoment, HfPlan } from './hf-plan';
import { stepScratch } from './hf-plain';
import type { HfStrategy } from './hf-strategy';
import { elementsOf, largestParameter, modelElements } from './hf-strategy';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import type { StageModule } from './weights';
import { gatheredElements } from './zero3-coordinator';

/** Sizes of one DeepSpeed job, in elements and bytes. */
interface Zero {
  readonly stage: 0 | 1 | 2 | 3;
  readonly ranks: number;
  /** Elements that train. */
  readonly elements: number;
  /** Bytes of a 16-bit weight or gradient. */
  readonly narrow: number;
  /** Bytes of FP32 master weight and moments an element. */
  readonly states: number;
  readonly bucket: number;
  readonly buckets: number;
  /** Elements of every weight that touches the first rank's partition, whole. */
  readonly touched: number;
  readonly largest: number;
  readonly offloadOptimizer: boolean;
  readonly offloadParameters: boolean;
  readonly accumulates: boolean;
}

/**
 * Elements of all weights of which the first rank's partition holds a part: gradients of a partition are kept whole
 * (DeepSpeed v0.14.4 runtime/zero/stage_1_and_2.py, copy_grads_in_partition).
 */
function touchedElements(plan: HfPlan, partition: number): number {
  const { model } = plan.input;
  let passed = model.vocabSize * model.hiddenSize;
  for (const { moe } of plan.layers) {
    for (const { tensors } of moe ? plan.table.moe : plan.table.dense)
      for (const { rows, columns, copies, fused } of tensors) {
        if (passed >= partition) return passed;
        // Gate and up, and key and value, are one group here and two weights there; stacked experts are one.
        const parts = fused === undefined || copies > 1 ? 1 : rows === 2 * model.intermediateSize ? 2 : 1;
        for (let part = 0; part < parts && passed < partition; part += 1) passed += (rows * columns * copies) / parts;
      }
  }
  return passed;
}

function zeroOf(plan: HfPlan): Zero {
  const { input, bytes, context } = plan;
  const { optimizer, details, layout } = input;
  const ranks = Math.max(1, layout.data * layout.context);
  const elements = context.lora === undefined ? modelElements(plan) : plan.adapterElements;
  const stage = optimizer.zeroStage;
  return {
    stage,
    ranks,
    elements,
    narrow: bytes.weight,
    states: bytes.master + bytes.moments,
    bucket: details?.reduceBucketSize ?? 5e8,
    // Two buckets alternate where communication overlaps, which stage 3 handles with one.
    buckets: stage < 3 && details?.overlapComm === true ? 2 : 1,
    touched: Math.min(elements, touchedElements(plan, elements / ranks)),
    largest: largestParameter(plan),
    offloadOptimizer: optimizer.offloadOptimizer,
    offloadParameters: optimizer.offloadParameters,
    accumulates: input.batch.microbatches > 1,
  };
}

/** One explained group of bytes beside activations and resting states. */
type Extra = readonly [part: 'weights' | 'gradients' | 'buffers', group: string, bytes: number];

const FIELDS = ['optimizer.zeroStage', 'details.reduceBucketSize', 'layout.data'] as const;

/** Gradient bytes of stages 0 to 2 at one moment. */
function replicatedExtra(z: Zero, moment: HfMoment): Extra[] {
  const made = moment.gradients + moment.runningGradients;
  const all = z.narrow * z.elements;
  const forward = moment.phase === 'forward';
  if (z.stage === 0) return [['gradients', 'gradients in 16 bits', forward ? all : made]];
  const standing = z.accumulates ? z.narrow * (z.stage === 1 ? z.elements : z.touched) : 0;
  if (forward) return [['gradients', 'gradients of earlier microbatches', standing]];
  const buffers: Extra = ['buffers', 'reduce buckets', z.buckets * z.bucket * z.narrow];
  if (z.stage === 1) {
    const last = moment.phase === 'reduce' && moment.layer < 0;
    if (!last) return [buffers, ['gradients', 'gradients made so far', standing > 0 ? standing : made]];
    // Reduction begins when backward ends: the partition's own buffer is made while almost all gradients still stand.
    const moved = z.largest > z.bucket ? 0 : Math.min(z.bucket, z.elements);
    const bytes = Math.max(all, all - z.narrow * moved + z.narrow * z.touched);
    return [buffers, ['gradients', 'gradients and the partition of them', bytes]];
  }
  const own = moment.layer < 0 ? z.narrow * z.touched : standing;
  const whole = z.narrow * z.largest;
  return [
    buffers,
    ['gradients', 'reduced gradients of the partition', Math.max(own, standing)],
    ['gradients', 'gradients before the reduction', Math.min(moment.runningGradients, whole)],
  ];
}

/**
 * DeepSpeed ZeRO over a transformers model (v0.14.4: runtime/bf16_optimizer.py, runtime/zero/stage_1_and_2.py, stage3.py). Sizes were
 * compared with single ranks measured on an H100.
 */
export function deepspeedStrategy(plan: HfPlan): HfStrategy {
  const z = zeroOf(plan);
  const extras = z.stage === 3 ? shardedExtra(plan, z) : (moment: HfMoment): Extra[] => replicatedExtra(z, moment);
  return {
    resting: (ledger, modules) => {
      putStates(ledger, plan, z, modules);
    },
    // Without partitions the 16-bit gradients of the last step stay until the next backward pass.
    ...(z.stage === 0 ? { restingExtra: z.narrow * z.elements } : {}),
    extraBytes: (moment) => extras(moment).reduce((total, [, , bytes]) => total + bytes, 0),
    put: (ledger, moment) => {
      for (const [part, group, bytes] of extras(moment)) put(ledger, part, group, bytes, `${num(bytes)} B`, FIELDS);
    },
    step: (ledger) => {
      putStep(ledger, plan, z);
    },
  };
}

/** What the optimizer's step holds: gradients, their flat copy, and the FP32 copy that the master weights take. */
function putStep(ledger: Ledger, plan: HfPlan, z: Zero): void {
  const share = z.elements / z.ranks;
  const add = (group: string, bytes: number): void => {
    put(ledger, 'gradients', group, bytes, `${num(bytes)} B`, FIELDS);
  };
  if (z.stage === 0) add('gradients in 16 bits', z.narrow * z.elements);
  else if (z.offloadOptimizer) add('updated weights in FP32', 4 * share);
  else {
    if (z.stage < 3) add('gradients of the partition', z.narrow * z.touched);
    add('flat gradients', z.narrow * share);
    add('FP32 gradients', 4 * share);
  }
  const scratch = z.offloadOptimizer ? 0 : stepScratch(plan, share, 4);
  put(ledger, 'workspace', 'optimizer temporaries', scratch, `${num(scratch)} B`, ['details.optimizerStep']);
}

function putStates(ledger: Ledger, plan: HfPlan, z: Zero, modules: readonly StageModule[]): void {
  const { bytes } = plan;
  const weights = z.stage === 3 ? z.ranks : 1;
  for (const module of modules) {
    const text = `${num(module.layers)} × ${num(module.perLayer)}`;
    if (!(z.stage === 3 && z.offloadParameters))
      put(
        ledger,
        'weights',
        module.module,
        (module.elements * bytes.weight) / weights,
        `${text} × ${num(bytes.weight)} B / ${num(weights)}`,
        ['optimizer.zeroStage', 'layout.data', ...module.fields],
      );
  }
  const n = z.elements;
  if (!z.offloadOptimizer)
    put(
      ledger,
      'optimizer',
      'master weights and moments',
      (n * z.states) / z.ranks,
      `${num(n)} × ${num(z.states)} B / ${num(z.ranks)}`,
      ['optimizer.zeroStage', 'layout.data'],
    );
  if (z.stage === 0) put(ledger, 'gradients', 'FP32 gradients', 4 * n, `${num(n)} × 4 B`, ['optimizer.zeroStage']);
  if (z.stage !== 3) return;
  put(ledger, 'buffers', 'reduce bucket', z.bucket * z.narrow, `${num(z.bucket)} × ${num(z.narrow)} B`, FIELDS);
  if (!z.offloadOptimizer)
    put(
      ledger,
      'gradients',
      'gradient partitions',
      (n * z.narrow) / z.ranks,
      `${num(n)} × ${num(z.narrow)} B / ${num(z.ranks)}`,
      FIELDS,
    );
}

/** Stage 3: whole weights as the coordinator holds them, and the gradient that is just made. */
function shardedExtra(plan: HfPlan, z: Zero): (moment: HfMoment) => Extra[] {
  const { model, details, recompute } = plan.input;
  const held = gatheredElements(model, recompute.granularity === 'full', {
    maxLive: details?.maxLiveParameters ?? 1e9,
    maxReuseDistance: details?.maxReuseDistance ?? 1e9,
    prefetchBucket: details?.prefetchBucketSize ?? 5e7,
    persistence: details?.persistenceThreshold ?? 1e5,
  });
  const at = ({ phase, layer }: HfMoment): number => {
    if (phase === 'forward') return held.loss;
    if (phase === 'head') return Math.max(held.loss, held.head);
    return layer < 0 ? held.embedding : (held.layers[layer] ?? 0);
  };
  const largestOf = (layer: number): number => {
    if (layer < 0 || layer >= plan.layers.length) return model.vocabSize * model.hiddenSize;
    const modules = plan.layers[layer]?.moe === true ? plan.table.moe : plan.table.dense;
    let most = 0;
    for (const { tensors } of modules)
      for (const { rows, columns, copies } of tensors) most = Math.max(most, rows * columns * copies);
    return Math.min(most, elementsOf(modules));
  };
  return (moment) => [
    ['weights', 'gathered weights', z.narrow * at(moment)],
    [
      'gradients',
      'gradient before the reduction',
      Math.min(moment.runningGradients, z.narrow * largestOf(moment.layer)),
    ],
  ];
}
