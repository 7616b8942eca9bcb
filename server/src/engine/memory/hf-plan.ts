import { DTYPE_BITS } from '../spec/numbers';
import { isMoeLayer } from '../model/spec';
import type { ModuleMemory, Store, Value } from './autograd';
import { apply, newTape, runBackward, value } from './autograd';
import type { HfAttention, HfLayerOptions } from './hf-layer';
import { hfLayer } from './hf-layer';
import type { HfContext, LoraSizes } from './hf-ops';
import { linear, norm } from './hf-ops';
import type { TrainingInput } from './input';
import type { StateBytes } from './optimizer-state';
import { stateBytes } from './optimizer-state';
import type { WeightTable } from './weights';
import { weightTable } from './weights';

/** What the running module is at one moment of a step; `reduce`: all gradients of a module are made and leave it. */
export type HfPhase = 'forward' | 'head' | 'layer' | 'reduce' | 'embedding';

/** One moment of a training step of a transformers model, before any sharding. */
export interface HfMoment {
  readonly phase: HfPhase;
  /** Index of the running decoder layer; the number of layers while the head runs, -1 at the embedding. */
  readonly layer: number;
  /** Bytes that earlier modules keep for their backward pass. */
  readonly kept: number;
  /** Saved tensors, gradients of activations and scratch of the running module. */
  readonly running: number;
  /** Gradients of parameters that later modules made, and that the running one has made so far. */
  readonly gradients: number;
  readonly runningGradients: number;
}

/** Everything about one job of a transformers model that does not depend on how its states are sharded. */
export interface HfPlan {
  readonly input: TrainingInput;
  readonly table: WeightTable;
  readonly bytes: StateBytes;
  readonly context: Omit<HfContext, 'tape'>;
  readonly layers: readonly HfLayerMemory[];
  readonly head: ModuleMemory & { readonly logits: number };
  readonly moments: readonly HfMoment[];
  /** Adapter elements that train; 0 without adapters. */
  readonly adapterElements: number;
}

/** One decoder layer: its memory, what it keeps between forward and backward, and its kind. */
export interface HfLayerMemory {
  readonly memory: ModuleMemory;
  readonly moe: boolean;
  /** Kept from forward to backward: everything, or the input alone where the layer runs again. */
  readonly kept: readonly Store[];
  readonly keptBytes: number;
}

function sum(stores: readonly Store[]): number {
  return stores.reduce((total, { bytes }) => total + bytes, 0);
}

function loraOf(input: TrainingInput): LoraSizes | undefined {
  const lora = input.details?.lora;
  return lora === undefined ? undefined : { rank: lora.rank, targets: lora.targets ?? [], bytes: lora.bytes ?? 4 };
}

function contextOf(input: TrainingInput, bytes: StateBytes): Omit<HfContext, 'tape'> {
  const { batch, details, layout } = input;
  const amp = details?.autocast === true;
  const lora = loraOf(input);
  return {
    T: (batch.microBatch * batch.sequenceLength) / layout.context,
    wide: amp ? 4 : DTYPE_BITS[input.precision.compute] > 16 && bytes.weight === 4 ? 4 : 2,
    amp,
    gradient: lora === undefined ? bytesOfGradient(input) : 0,
    quantizedBase: details?.quantizedBase === true,
    ...(lora === undefined ? {} : { lora }),
  };
}

/** A gradient has its parameter's format while autograd makes it, whatever the optimizer widens it to. */
function bytesOfGradient(input: TrainingInput): number {
  const sharded = input.optimizer.stack === 'fsdp1' || input.optimizer.stack === 'fsdp2';
  if (sharded) return input.details?.lowPrecisionBytes ?? 2;
  return DTYPE_BITS[input.precision.weights] / 8;
}

function attentionOf(input: TrainingInput): HfAttention {
  switch (input.details?.attentionKernel) {
    case 'unfused':
      return 'eager';
    case 'math':
      return 'math';
    default:
      return 'sdpa';
  }
}

/**
 * Head and loss in one kernel. Cut cross entropy keeps one log-sum-exp a token (apple/ml-cross-entropy, cut_cross_entropy/cce.py).
 * Liger goes through chunks of tokens and makes the gradients of its input and of the head in forward
 * (linkedin/Liger-Kernel, src/liger_kernel/ops/fused_linear_cross_entropy.py, `fused_linear_cross_entropy_forward`).
 */
function fusedHead(
  c: HfContext,
  kind: 'cut' | 'liger',
  normed: Value,
  V: number,
  hidden: number,
): ModuleMemory & { logits: number } {
  const parameters = V * hidden * c.gradient;
  const labels: Store = { bytes: 8 * c.T, group: 'labels' };
  const sums: Store = { bytes: 4 * c.T, group: 'log-sum-exp of the logits' };
  const made: Store = { bytes: normed.bytes, group: 'gradient of the last hidden state' };
  const saved = kind === 'cut' ? [normed, sums, labels] : [made, labels];
  const loss = apply(c.tape, 'loss', 4, [normed], { saved, parameters });
  const rows = 2 ** Math.ceil(Math.log2(Math.max(1, Math.ceil(c.T / Math.ceil(V / hidden)))));
  // One chunk of logits, the gradient of the head, and the product that is added to it.
  const logits = kind === 'cut' ? 0 : 2 * rows * V + 2 * parameters;
  return { ...runBackward(c.tape, loss), logits };
}

/** Final norm, output head and loss: logits are widened, and log-probabilities kept, in FP32 (transformers loss/loss_utils.py). */
function headMemory(
  input: TrainingInput,
  context: Omit<HfContext, 'tape'>,
  inputNeedsGradient: boolean,
): ModuleMemory & { logits: number } {
  const tape = newTape();
  // Adapters sit in decoder layers alone.
  const { lora: _, ...plain } = context;
  const c: HfContext = { ...plain, tape };
  const { model } = input;
  const T = c.T;
  const V = model.vocabSize;
  const gemma = (model.family ?? '').startsWith('gemma');
  const x = value(c.wide * T * model.hiddenSize, 'last hidden state', inputNeedsGradient);
  const kind = model.normBias ? 'layer' : gemma ? 'gemma' : 'rms';
  const normed = norm(c, 'final norm', x, T, model.hiddenSize, kind);
  const fused = input.details?.linearLoss;
  if (fused !== undefined) return fusedHead(c, fused, normed, V, model.hiddenSize);
  let logits: Value = linear(c, 'lm_head', normed, V, model.hiddenSize);
  const narrow = logits.bytes;
  if (model.family === 'gemma2') {
    const capped: Store = { bytes: narrow, group: 'capped logits' };
    logits = apply(tape, 'logits', narrow, [logits]);
    logits = apply(tape, capped.group, narrow, [logits], { saved: [capped] });
    logits = apply(tape, 'logits', narrow, [logits]);
  }
  const wide = narrow === 4 * T * V ? logits : apply(tape, 'FP32 logits', 4 * T * V, [logits]);
  const kept: Store = { bytes: 4 * T * V, group: 'FP32 log-probabilities' };
  const soft = apply(tape, kept.group, 4 * T * V, [wide], { saved: [kept] });
  const loss = apply(tape, 'loss', 4, [soft], { saved: [{ bytes: 8 * T, group: 'labels' }] });
  // In forward the logits and, where they are narrow, their FP32 copy stand beside what is kept.
  return { ...runBackward(tape, loss), logits: narrow + (narrow === 4 * T * V ? 0 : 4 * T * V) };
}

function layerOf(input: TrainingInput, options: HfLayerOptions, moe: boolean): HfLayerMemory {
  const { input: own, ...memory } = hfLayer(options, moe);
  const again = input.recompute.granularity === 'full';
  const kept = again ? [{ bytes: own.bytes, group: 'recompute inputs' }] : memory.saved;
  return { memory, moe, kept, keptBytes: sum(kept) };
}

/** Layers of one model, each kind simulated once. */
function layersOf(input: TrainingInput, context: Omit<HfContext, 'tape'>): HfLayerMemory[] {
  const { model, batch, layout, recompute } = input;
  const frozen = context.gradient === 0;
  const options = {
    model,
    context,
    microBatch: batch.microBatch,
    sequence: batch.sequenceLength / layout.context,
    attention: attentionOf(input),
    experts: input.details?.groupedGemm === false ? ('eager' as const) : ('grouped' as const),
  };
  const made = new Map<string, HfLayerMemory>();
  return Array.from({ length: model.layers }, (_, layer) => {
    const moe = isMoeLayer(model, layer);
    // Reentrant recompute and peft's hook make the embedding's output carry a gradient; otherwise a frozen one carries none.
    const inputNeedsGradient = !frozen || layer > 0 || recompute.granularity === 'full';
    const key = `${String(moe)} ${String(inputNeedsGradient)}`;
    const known = made.get(key);
    if (known !== undefined) return known;
    const fresh = layerOf(input, { ...options, inputNeedsGradient }, moe);
    made.set(key, fresh);
    return fresh;
  });
}

/** Every moment that can be the fullest, in the order of a step. */
function momentsOf(
  input: TrainingInput,
  context: Omit<HfContext, 'tape'>,
  layers: readonly HfLayerMemory[],
  head: ModuleMemory & { readonly logits: number },
): HfMoment[] {
  const { model } = input;
  const out: HfMoment[] = [];
  const L = layers.length;
  let kept = layers.reduce((total, { keptBytes }) => total + keptBytes, 0);
  const again = input.recompute.granularity === 'full';
  const tables = tablesOf(input, context);
  // Autocast caches the narrow copy of every weight until forward ends, whether or not a layer runs again.
  const copies = again && context.amp ? layers.reduce((total, { memory }) => total + weightCopies(memory), 0) : 0;
  out.push({
    phase: 'forward',
    layer: L,
    kept: kept + tables + copies,
    running: head.savedBytes + head.logits,
    gradients: 0,
    runningGradients: 0,
  });
  for (const point of head.backward)
    out.push({
      phase: 'head',
      layer: L,
      kept: kept + tables,
      running: point.live,
      gradients: 0,
      runningGradients: point.parameters,
    });
  let gradients = head.parameters;
  for (let layer = L - 1; layer >= 0; layer -= 1) {
    const own = layers[layer];
    if (own === undefined) continue;
    kept -= own.keptBytes;
    // A layer that runs again still holds its input beside what the second pass saved.
    const inputHeld = again ? own.keptBytes : 0;
    for (const point of own.memory.backward)
      out.push({
        phase: 'layer',
        layer,
        kept: kept + tables + inputHeld,
        running: point.live,
        gradients,
        runningGradients: point.parameters,
      });
    gradients += own.memory.parameters;
    out.push({
      phase: 'reduce',
      layer,
      kept: kept + tables,
      running: context.wide * context.T * model.hiddenSize,
      gradients: gradients - own.memory.parameters,
      runningGradients: own.memory.parameters,
    });
  }
  if (context.gradient > 0) {
    const own = model.vocabSize * model.hiddenSize * context.gradient;
    // Tied: the head's gradient waits, the embedding makes its own, and their sum is a third one.
    const extra = model.tiedEmbeddings ? 2 * own : 0;
    out.push({
      phase: 'embedding',
      layer: -1,
      kept: tables,
      running: context.wide * context.T * model.hiddenSize + extra,
      gradients,
      runningGradients: model.tiedEmbeddings ? 0 : own,
    });
    out.push({
      phase: 'reduce',
      layer: -1,
      kept: 0,
      running: 0,
      gradients,
      runningGradients: model.tiedEmbeddings ? 0 : own,
    });
  }
  return out;
}

/** Cosine and sine of all positions, made once a step and kept by every layer. */
function tablesOf(input: TrainingInput, context: Omit<HfContext, 'tape'>): number {
  const { model } = input;
  const dim = model.attention === 'mla' ? (model.qkRopeHeadDim ?? 0) : model.headDim;
  return 2 * context.wide * (input.batch.sequenceLength / input.layout.context) * dim + maskBytes(input, context.wide);
}

/**
 * The mask that all layers share: eager attention adds one of scores, sdpa takes one of truth values where a window cuts the sequence,
 * and needs none otherwise (transformers 5.17, masking_utils.py, sdpa_mask and eager_mask). It does not depend on the batch.
 */
function maskBytes(input: TrainingInput, wide: number): number {
  const { model, batch, layout } = input;
  const area = (batch.sequenceLength / layout.context) ** 2;
  if (attentionOf(input) === 'eager') return wide * area;
  const slides =
    model.slidingLayers?.includes(true) === true && (model.slidingWindow ?? Infinity) <= batch.sequenceLength;
  return slides ? area : 0;
}

function weightCopies(memory: ModuleMemory): number {
  return sum(memory.saved.filter(({ group }) => group === 'BF16 copies of weights'));
}

/** Works out everything that the sharding does not change. */
export function planHf(input: TrainingInput): HfPlan {
  const bytes = stateBytes(input);
  const context = contextOf(input, bytes);
  const layers = layersOf(input, context);
  const head = headMemory(input, context, true);
  const table = weightTable(input.model, input.layout, input.model.vocabSize);
  const lora = context.lora;
  const adapterBytes = layers.reduce((total, { memory }) => total + memory.parameters, 0);
  return {
    input,
    table,
    bytes,
    context,
    layers,
    head,
    moments: momentsOf(input, context, layers, head),
    adapterElements: lora === undefined ? 0 : adapterBytes / lora.bytes,
  };
}
