import type { StageContent } from '../layout/stages';
import type { TrainingInput } from '../memory/input';
import type { LayerKind } from '../model/inventory';
import { size } from '../model/tensors';
import { collectiveTime } from '../network/collectives';
import { expertExchangeTime } from '../network/expert-traffic';
import { topologyOf, type Topology } from '../network/topology';
import type { ProductFormat } from './rates';
import type { Machine } from './rates';
import { elementwiseTime } from './rates';
import type { LayerPart, PassTimes, Work } from './layer-times';
import { headTimes, kindByLayer, layerParts } from './layer-times';

/** Communication of one pass that its own products do not hide, by what it is for. Seconds. */
export interface Exposed {
  readonly tensor: number;
  readonly context: number;
  readonly expert: number;
}

/** One pass of one microbatch through one stage. Seconds. */
export interface StagePass {
  readonly compute: number;
  readonly exposed: Exposed;
  /** Seconds that the host takes to launch it; it hides below compute. */
  readonly host: number;
  /** Seconds in which the GPU waits for the host and nothing hides it. */
  readonly sync: number;
}

export interface StageTimes {
  readonly forward: StagePass;
  /** Input gradients, with recomputation. */
  readonly input: StagePass;
  readonly weight: number;
  /** Seconds of recomputation inside `input`. */
  readonly recompute: number;
}

/** A training input with what the times of its layers share. */
export interface Setting {
  readonly input: TrainingInput;
  readonly machine: Machine;
  readonly topology: Topology;
  readonly work: Work;
  readonly kinds: readonly LayerKind[];
  readonly cache: Map<string, LayerTimes>;
}

export interface LayerTimes extends PassTimes {
  readonly recompute: number;
  readonly forward: Exposed;
  readonly backward: Exposed;
  readonly host: number;
  readonly sync: number;
}

/** Format of matrix products that a precision asks for. */
export function productFormat({ precision }: Pick<TrainingInput, 'precision'>): ProductFormat {
  if (precision.fp8Recipe === 'nvfp4' || precision.compute === 'F4_E2M1') return 'FP4';
  return precision.fp8Recipe !== 'none' || precision.compute.startsWith('F8') ? 'FP8' : 'BF16';
}

/** DeepSeek's products add to FP32 gradients themselves (DeepGEMM); a single microbatch has nothing to add to. */
function fusesGradients({ optimizer, batch }: TrainingInput): boolean {
  return optimizer.gradientAccumulationFusion || optimizer.stack === 'hai-llm' || batch.microbatches <= 1;
}

export function settingOf(input: TrainingInput, machine: Machine): Setting {
  const { batch, layout, details } = input;
  return {
    input,
    machine,
    topology: topologyOf(machine.cluster, machine.network),
    work: {
      tokens: (batch.microBatch * batch.sequenceLength) / Math.max(1, layout.context),
      sequenceLength: batch.sequenceLength,
      format: productFormat(input),
      blockScales: /^(?:mxfp8|nvfp4|blockwise)$/.test(input.precision.fp8Recipe),
      microScales: input.precision.fp8Recipe === 'mxfp8',
      fusedGradients: fusesGradients(input),
      frozen: details?.lora !== undefined,
      imbalance: Math.max(1, details?.expertImbalance ?? 1),
      unfused: details?.attentionKernel === 'unfused' || details?.attentionKernel === 'math',
    },
    kinds: kindByLayer(input.model),
    cache: new Map(),
  };
}

/** Share of a part that the backward pass computes again. */
export function recomputed(part: LayerPart, input: TrainingInput): number {
  const { recompute, details, optimizer } = input;
  if (recompute.granularity === 'none') return 0;
  if (recompute.granularity === 'full') return 1;
  if (recompute.modules === undefined && optimizer.stack === 'fsdp2')
    return chosenByOperation(part, details?.selective);
  return inModules(part, recompute.modules ?? ['core_attn']) ? 1 : 0;
}

/**
 * torchtitan's selective checkpointing: every n-th layer whole, or by operation, which keeps attention and every second matrix product
 * and computes all else again (torchtitan/distributed/activation_checkpoint.py, `_apply_op_sac`).
 */
function chosenByOperation(part: LayerPart, selective: 'op' | number = 'op'): number {
  if (selective !== 'op') return selective > 0 ? 1 / selective : 0;
  if (part === 'core_attn') return 0;
  return PRODUCTS.has(part) ? 0.5 : 1;
}

const PRODUCTS: ReadonlySet<LayerPart> = new Set(['projections', 'mlp', 'shared_experts', 'experts']);

function inModules(part: LayerPart, modules: readonly string[]): boolean {
  if (part === 'act') return modules.includes('moe_act') || modules.includes('mlp') || modules.includes('moe');
  if (part === 'experts' || part === 'routing') return modules.includes('moe');
  if (part === 'projections') return false;
  return modules.includes(part);
}

/** Bytes of one hidden vector as experts receive it: FP8 with a scale every 128 where the recipe dispatches so (arXiv 2412.19437, section 3.2.2), else BF16. */
export function dispatchBytes({ model, precision }: TrainingInput): number {
  const width = size(model.expertLatentSize) || size(model.hiddenSize);
  return precision.fp8Activations ? width * (1 + 4 / 128) : width * 2;
}

function exposedOf(setting: Setting, kind: LayerKind, core: number, backward: boolean): Exposed {
  const { input, topology, work, machine } = setting;
  const { layout, model } = input;
  const t = layout.tensor;
  const hidden = work.tokens * size(model.hiddenSize) * 2;
  let tensor = 0;
  if (t > 1) {
    const group = { size: t, stride: 1 };
    const blocks =
      (kind.mixer === 'none' ? 0 : 1) +
      (kind.feedForward === 'dense' || (kind.feedForward === 'moe' && size(model.sharedExperts) > 0) ? 1 : 0);
    const once = layout.sequenceParallel
      ? collectiveTime('all-gather', hidden, group, topology) +
        collectiveTime('reduce-scatter', hidden, group, topology)
      : collectiveTime('all-reduce', hidden, group, topology);
    // Backward gathers the layer's input once more for the weight gradient (arXiv 2205.05198, section 4.2.2).
    const again = backward && layout.sequenceParallel ? 1.5 : 1;
    const { tensorExposed, tensorPlain, tensorBackward } = machine.efficiency;
    const plain = input.details?.tensorOverlap === true ? tensorExposed : tensorPlain;
    tensor = blocks * once * again * (backward ? tensorBackward : plain);
  }
  let context = 0;
  if (layout.context > 1 && kind.mixer === 'attention') {
    const width = model.attention === 'mla' ? size(model.heads) * 320 : 2 * size(model.kvHeads) * size(model.headDim);
    const bytes = ((work.tokens * layout.context * width * 2) / Math.max(1, t)) * (backward ? 2 : 1);
    const ring = collectiveTime('all-gather', bytes, { size: layout.context, stride: t }, topology);
    context = Math.max(0, ring - core * (1 - 1 / layout.context));
  }
  let expert = 0;
  if (layout.expert > 1 && kind.feedForward === 'moe') {
    const tokens = work.tokens / Math.max(1, t);
    const group = { size: layout.expert, stride: layout.expertTensor };
    const out = size(model.expertLatentSize) || size(model.hiddenSize);
    const forwarded = input.details?.dispatcher !== 'alltoall';
    const exchange = (bytes: number): number => expertExchangeTime(model, tokens, bytes, group, topology, forwarded);
    const first = exchange(backward ? out * 2 : dispatchBytes(input));
    const second = exchange(out * 2);
    expert = (first + second) * work.imbalance;
  }
  return { tensor, context, expert };
}

/** Times of one layer; layers of one kind and window are computed once. */
export function layerTimes(setting: Setting, layer: number): LayerTimes {
  const { input, machine, work } = setting;
  const kind = setting.kinds[layer] ?? setting.kinds[0];
  if (kind === undefined)
    return { F: 0, I: 0, W: 0, recompute: 0, host: 0, sync: 0, forward: NOTHING, backward: NOTHING };
  const key = `${kind.id}${input.model.slidingLayers?.[layer] === true ? '~' : ''}`;
  const known = setting.cache.get(key);
  if (known !== undefined) return known;
  const parts = layerParts(machine, input.model, kind, layer, input.layout, work);
  const sum = (pass: keyof PassTimes): number => parts.reduce((total, part) => total + part[pass], 0);
  const again = parts.reduce((total, part) => total + recomputed(part.part, input) * part.F, 0);
  const core = parts.find(({ part }) => part === 'core_attn') ?? { F: 0, I: 0 };
  const forward = exposedOf(setting, kind, core.F, false);
  const backward = exposedOf(setting, kind, core.I, true);
  const full = input.recompute.granularity === 'full';
  const moeAgain = full || (input.recompute.modules?.includes('moe') ?? false);
  const times: LayerTimes = {
    F: sum('F'),
    I: sum('I') + again,
    W: sum('W'),
    recompute: again,
    forward,
    backward: {
      tensor: backward.tensor + (full ? forward.tensor : 0),
      context: backward.context + (full ? forward.context : 0),
      expert: backward.expert + (moeAgain && input.recompute.granularity !== 'none' ? forward.expert : 0),
    },
    sync:
      kind.feedForward === 'moe' && input.details?.capacityFactor === undefined ? machine.efficiency.routingSync : 0,
    host: kind.feedForward === 'moe' ? machine.efficiency.hostMoe : machine.efficiency.hostDense,
  };
  setting.cache.set(key, times);
  return times;
}

const NOTHING: Exposed = { tensor: 0, context: 0, expert: 0 };

function add(a: Exposed, b: Exposed, times = 1): Exposed {
  return {
    tensor: a.tensor + b.tensor * times,
    context: a.context + b.context * times,
    expert: a.expert + b.expert * times,
  };
}

/** Layers of a full recomputation that a stage runs again; `block` recomputes only the first so many. */
function recomputeShare({ recompute }: TrainingInput, layers: number): number {
  if (recompute.granularity !== 'full' || recompute.method !== 'block' || recompute.layers === undefined) return 1;
  return layers === 0 ? 0 : Math.min(1, recompute.layers / layers);
}

/** Times of one microbatch in one stage: its layers, and embedding or head where it holds them. */
export function stageTimes(setting: Setting, stage: StageContent): StageTimes {
  const { input, machine, work } = setting;
  const layers = Array.from({ length: stage.layers }, (_, index) => stage.firstLayer + index);
  for (let index = 0; index < stage.mtpLayers; index += 1) layers.push(input.model.layers + index);
  const share = recomputeShare(input, stage.layers);
  let [F, I, W, recompute, host, sync] = [0, 0, 0, 0, 0, 0];
  let forward = NOTHING;
  let backward = NOTHING;
  for (const layer of layers) {
    const one = layerTimes(setting, layer);
    F += one.F;
    I += one.I - one.recompute * (1 - share);
    W += one.W;
    recompute += one.recompute * share;
    host += one.host;
    sync += one.sync;
    forward = add(forward, one.forward);
    backward = add(backward, one.backward);
  }
  if (stage.embedding) {
    const look = elementwiseTime(machine, work.tokens * size(input.model.hiddenSize) * 4);
    F += look;
    W += work.frozen ? 0 : 2 * look;
  }
  if (stage.head) {
    const head = headTimes(machine, input.model, input.layout, work);
    const heads = 1 + stage.mtpLayers;
    F += head.F * heads;
    I += head.I * heads;
    W += head.W * heads;
  }
  // Backward launches about as many kernels for input gradients as forward does, and half as many for weights.
  return {
    forward: { compute: F, exposed: forward, host, sync: sync / 2 },
    input: { compute: I, exposed: backward, host, sync: sync / 2 },
    weight: Math.max(W, 0.5 * host * (W > 0 ? 1 : 0)),
    recompute,
  };
}

/** Sum of exposed communication. */
export function exposedSeconds({ tensor, context, expert }: Exposed): number {
  return tensor + context + expert;
}

/** Seconds of one pass: what the GPU computes or the host launches, whichever is slower, and what nothing hides. */
export function passSeconds({ compute, host, sync, exposed }: StagePass): number {
  return Math.max(compute, host) + sync + exposedSeconds(exposed);
}
