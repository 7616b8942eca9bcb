import type { ServingInput } from '../memory/input';
import { cacheCell } from '../memory/kv-cache';
import { servingDegrees, type ServingDegrees } from '../memory/serving-weights';
import { layerKinds, type LayerKind } from '../model/inventory';
import { size, type TensorShape } from '../model/tensors';
import { allToAllTime, collectiveTime, transferTime } from '../network/collectives';
import { expertExchangeTime } from '../network/expert-traffic';
import { topologyOf, type Topology } from '../network/topology';
import { DTYPE_BITS } from '../spec/numbers';
import { headWidths, isProduct, meanContext } from './flops';
import type { Machine, ProductFormat } from './rates';
import { elementwiseTime, peakOf } from './rates';

/** One forward pass of a server, as one attention group sees it. */
export interface PassInput {
  readonly phase: 'prefill' | 'decode';
  /** Sequences of one attention group. */
  readonly sequences: number;
  /** New tokens of each sequence: the prompt, or one and the drafts beside it. */
  readonly tokens: number;
  /** Tokens of each sequence in the cache before the pass. */
  readonly context: number;
  /** Two batches whose communication runs beside each other's products. */
  readonly twoBatches?: boolean;
  /** Tokens on the busiest rank's experts over the mean. Default 1. */
  readonly imbalance?: number;
}

/** Seconds of one pass by cause; they sum to `seconds` unless two batches overlap. */
export interface PassTime {
  readonly seconds: number;
  readonly products: number;
  readonly attention: number;
  readonly experts: number;
  readonly communication: number;
  readonly elementwise: number;
  readonly launch: number;
}

/** What products of a served model read and compute in. */
interface Format {
  readonly product: ProductFormat;
  /** Bytes a weight, scales included. */
  readonly bytes: number;
}

/** Formats of quantized and plain weights under a scheme; weight-only schemes multiply in BF16. */
function formatOf({ quantization, cluster }: ServingInput): { readonly low: Format; readonly plain: Format } {
  const plain: Format = {
    product: 'BF16',
    bytes: quantization === undefined ? 2 : DTYPE_BITS[quantization.baseDType] / 8,
  };
  const capability = cluster?.computeCapability ?? 0;
  const native = capability >= 89;
  switch (quantization?.method) {
    case 'fp8-block':
    case 'fp8-tensor':
    case 'fp8-channel':
    case 'mxfp8':
      return { low: { product: native ? 'FP8' : 'BF16', bytes: 1.01 }, plain };
    case 'nvfp4':
    case 'mxfp4':
      return { low: { product: capability >= 100 ? 'FP4' : 'BF16', bytes: 0.56 }, plain };
    case 'int8':
    case 'bnb-8bit':
      return { low: { product: native ? 'FP8' : 'BF16', bytes: 1.01 }, plain };
    case 'int4-group':
    case 'bnb-4bit':
      return { low: { product: 'BF16', bytes: 0.53 }, plain };
    default:
      return { low: plain, plain };
  }
}

/** Tokens are multiplied in tiles of this many rows; kernels of small batches have narrower ones than those of training. */
const TILE = 64;

/** Share of the peak that grouped products of few rows reach, against large ones: experts see some dozen rows each while decoding. */
const SMALL_ROWS = 0.75;

function served(machine: Machine, m: number, n: number, k: number, format: Format, count = 1): number {
  if (m <= 0 || n <= 0 || k <= 0 || count <= 0) return 0;
  const { efficiency, memory, sustained } = machine;
  const reached =
    format.product === 'FP4' ? efficiency.gemmFp4 : format.product === 'FP8' ? efficiency.gemmFp8 : efficiency.gemmBf16;
  const rows = Math.ceil(m / TILE) * TILE;
  const share = reached * (m < 4 * TILE ? SMALL_ROWS : 1);
  const compute = (2 * rows * n * k) / (peakOf(machine, format.product) * sustained * share);
  const moved = (n * k * format.bytes + m * k * 2 + m * n * 2) / (memory * efficiency.stream);
  return count * Math.max(compute, moved);
}

interface Setting {
  readonly input: ServingInput;
  readonly machine: Machine;
  readonly topology: Topology;
  readonly degrees: ServingDegrees;
  readonly formats: ReturnType<typeof formatOf>;
  readonly pass: PassInput;
  /** New tokens of one attention group, and of all groups together. */
  readonly own: number;
  readonly all: number;
}

function settingOf(input: ServingInput, machine: Machine, pass: PassInput): Setting {
  const own = pass.sequences * pass.tokens;
  return {
    input,
    machine,
    topology: topologyOf(machine.cluster, machine.network),
    degrees: servingDegrees(input),
    formats: formatOf(input),
    pass,
    own,
    all: own * Math.max(1, input.layout.attentionData),
  };
}

function weightsTime(setting: Setting, tensors: readonly TensorShape[], m: number, cut: number): number {
  const { machine, formats } = setting;
  let seconds = 0;
  for (const { rows, columns, copies, storage, sharding } of tensors) {
    const format = storage === 'linear' ? formats.low : formats.plain;
    const [n, k] =
      sharding === 'row' ? [rows, columns / cut] : sharding === 'replicated' ? [rows, columns] : [rows / cut, columns];
    seconds += served(machine, m, n, k, format, copies);
  }
  return seconds;
}

/** Share of the peak that attention reaches while decoding, where many heads share one latent. */
const DECODE_ATTENTION = 0.6;

/**
 * Attention over the cache. Prefill is compute bound. Decoding reads the cache once a group; MLA with absorbed weights multiplies every
 * head with the latent itself, 2·heads·context·(2·rank + rope), so that it is often compute bound (FlashMLA).
 */
function attentionTime(setting: Setting, kind: LayerKind, layer: number): number {
  const { input, machine, degrees, pass, own } = setting;
  const { model } = input;
  const { efficiency, memory, bf16, sustained } = machine;
  if (kind.mixer === 'none') return 0;
  if (kind.mixer !== 'attention') {
    const width =
      kind.mixer === 'mamba2'
        ? size(model.ssmHeads) * size(model.ssmHeadDim)
        : size(model.linearValueHeads) * size(model.linearValueHeadDim);
    const state =
      pass.phase === 'decode' ? pass.sequences * width * size(model.ssmStateSize || model.linearKeyHeadDim) * 8 : 0;
    return (
      elementwiseTime(machine, (own * width * 2 * efficiency.scanPasses) / 4 / degrees.attention) +
      state / degrees.attention / (memory * efficiency.stream)
    );
  }
  const sliding = model.slidingLayers?.[layer] === true ? model.slidingWindow : undefined;
  const sparse = kind.tensors.some(({ path }) => path.includes('.indexer.')) ? model.indexTopk : undefined;
  const limit = sliding ?? sparse;
  const { scores, values } = headWidths(model);
  const rate = bf16 * sustained;
  if (pass.phase === 'prefill') {
    const seen = Math.min(limit ?? Infinity, pass.context + meanContext(pass.tokens, limit, true));
    return (2 * own * seen * (scores + values)) / degrees.attention / (rate * efficiency.attentionForward);
  }
  const seen = Math.min(limit ?? Infinity, pass.context + pass.tokens);
  const bytes = pass.sequences * seen * cacheCell(input).bytes;
  const latent = model.attention === 'mla';
  const width = latent ? size(model.heads) * (2 * size(model.kvLoraRank) + size(model.qkRopeHeadDim)) : scores + values;
  const flops = (2 * own * seen * width) / degrees.attention;
  return Math.max(bytes / (memory * efficiency.stream), flops / (rate * DECODE_ATTENTION));
}

/** Products of the routed experts that one rank holds, and the tokens that come to them. */
function expertsTime(setting: Setting, kind: LayerKind): number {
  const { input, machine, degrees, formats, all } = setting;
  const { model, experts } = input;
  const count = size(model.experts);
  const topK = Math.min(size(model.expertsPerToken) || count, count);
  const slots = (count + size(experts?.redundant)) / Math.max(1, degrees.expert);
  const tokens = degrees.expert > 1 || input.layout.attentionData > 1 ? all : setting.own;
  const rows = (tokens * topK) / Math.max(1, degrees.expert);
  // Experts that no token picked are not read.
  const picked = slots * (1 - Math.pow(1 - topK / count, tokens));
  if (picked <= 0) return 0;
  const cut = Math.max(1, degrees.expertTensor);
  let seconds = 0;
  for (const tensor of kind.tensors.filter((one) => one.part === 'experts' && isProduct(one))) {
    const [n, k] =
      tensor.sharding === 'expert-row' ? [tensor.rows, tensor.columns / cut] : [tensor.rows / cut, tensor.columns];
    seconds += served(machine, rows / picked, n, k, formats.low, picked);
  }
  // Tokens are put in order, cast and gated on their way through the experts.
  const passes = rows * (size(model.hiddenSize) * 4 + (size(model.expertIntermediateSize) / cut) * 6);
  return (seconds / machine.efficiency.grouped + elementwiseTime(machine, passes)) * imbalanceOf(setting);
}

function imbalanceOf({ input, pass }: Setting): number {
  return input.layout.expert > 1 ? Math.max(1, pass.imbalance ?? 1) : 1;
}

/** Bytes of a hidden vector as it is dispatched: FP8 with a scale every 128 where experts multiply in FP8, else BF16. */
function dispatchWidth({ input, formats }: Setting): number {
  const width = size(input.model.expertLatentSize) || size(input.model.hiddenSize);
  return formats.low.product === 'BF16' ? width * 2 : width * (1 + 4 / 128);
}

function moeExchange(setting: Setting): number {
  const { input, topology, pass, own, degrees } = setting;
  const { model, layout } = input;
  const out = (size(model.expertLatentSize) || size(model.hiddenSize)) * 2;
  const group = { size: layout.expert, stride: 1 };
  // Each rank sends its share of its group's tokens.
  const tokens = own / degrees.attention;
  if (pass.phase === 'prefill')
    return (
      expertExchangeTime(model, tokens, dispatchWidth(setting), group, topology) +
      expertExchangeTime(model, tokens, out, group, topology)
    );
  // Low-latency kernels send a copy to every expert, whoever is near (DeepEP, low-latency mode).
  const copies = Math.min(size(model.expertsPerToken), size(model.experts));
  const send = (bytes: number): number => allToAllTime(tokens * copies * bytes, group, topology);
  return send(dispatchWidth(setting)) + send(out);
}

/** Communication of one layer. */
function exchangeTime(setting: Setting, kind: LayerKind): number {
  const { input, topology, degrees, own, all } = setting;
  const { layout, model } = input;
  const hidden = size(model.hiddenSize) * 2;
  const reduce = (tokens: number, ranks: number): number =>
    ranks <= 1 ? 0 : collectiveTime('all-reduce', tokens * hidden, { size: ranks, stride: 1 }, topology);
  let seconds = kind.mixer === 'none' ? 0 : reduce(own, degrees.attention);
  const split = layout.attentionData > 1;
  if (kind.feedForward === 'dense') seconds += reduce(split ? all : own, degrees.dense);
  if (kind.feedForward === 'moe')
    seconds +=
      layout.expert > 1 && (split || layout.expert > layout.tensor)
        ? moeExchange(setting) * imbalanceOf(setting)
        : reduce(split ? all : own, layout.tensor);
  return seconds;
}

/** Kernels of one layer beside its products: norms, rotary embedding, cache writes, casts, routing. */
const KERNELS = { dense: 12, moe: 25 };
/** Seconds that the smallest kernel of a captured graph takes from its start to the next one, against one that the host launches. */
const HOST_FACTOR = 2;

function layerTime(setting: Setting, kind: LayerKind, layer: number): Omit<PassTime, 'seconds'> {
  const { machine, degrees, own, all, input } = setting;
  const of = (part: string): TensorShape[] =>
    kind.tensors.filter((tensor) => tensor.part === part && isProduct(tensor));
  const dense = input.layout.attentionData > 1 && degrees.dense > degrees.attention ? all : own;
  const products =
    weightsTime(setting, [...of('attention'), ...of('mtp')], own, degrees.attention) +
    weightsTime(setting, of('dense'), dense, degrees.dense) +
    weightsTime(
      setting,
      [...of('router'), ...of('shared')],
      own / (degrees.shared > 1 ? 1 : degrees.attention),
      Math.max(1, degrees.shared),
    );
  const hidden = size(input.model.hiddenSize);
  const moe = kind.feedForward === 'moe';
  const eager = input.serving.eager === true;
  return {
    products,
    attention: attentionTime(setting, kind, layer),
    experts: moe ? expertsTime(setting, kind) : 0,
    communication: exchangeTime(setting, kind),
    elementwise: elementwiseTime(machine, own * hidden * 2 * (moe ? 16 : 10)),
    // Graphs launch by themselves; without them the host is the slower one.
    launch: (moe ? KERNELS.moe : KERNELS.dense) * machine.efficiency.kernel * (eager ? HOST_FACTOR : 1),
  };
}

const PARTS = ['products', 'attention', 'experts', 'communication', 'elementwise', 'launch'] as const;

function add(sum: Record<(typeof PARTS)[number], number>, one: Omit<PassTime, 'seconds'>, times: number): void {
  for (const part of PARTS) sum[part] += one[part] * times;
}

function wholePass(setting: Setting): PassTime {
  const { input, machine, degrees, pass, topology } = setting;
  const { model, layout } = input;
  const sum = { products: 0, attention: 0, experts: 0, communication: 0, elementwise: 0, launch: 0 };
  for (const kind of layerKinds(model)) {
    if (kind.mtp) continue;
    const seen = new Map<boolean, number>();
    for (const layer of kind.layers) {
      const sliding = model.slidingLayers?.[layer] === true;
      seen.set(sliding, (seen.get(sliding) ?? 0) + 1);
    }
    for (const [sliding, times] of seen) {
      const layer = kind.layers.find((one) => (model.slidingLayers?.[one] === true) === sliding) ?? 0;
      add(sum, layerTime(setting, kind, layer), times);
    }
  }
  // Only the last token of a prompt is sampled from.
  const sampled = pass.phase === 'prefill' ? pass.sequences : setting.own;
  sum.products += served(
    machine,
    sampled,
    size(model.vocabSize) / degrees.head,
    size(model.hiddenSize),
    setting.formats.plain,
  );
  const hop = transferTime(setting.own * size(model.hiddenSize) * 2, layout.tensor, topology);
  sum.communication += (layout.pipeline - 1) * hop;
  // The engine makes the next batch and samples while the GPU waits.
  sum.launch += STEP_HOST;
  return { ...sum, seconds: PARTS.reduce((total, part) => total + sum[part], 0) };
}

/** Seconds between two passes in which an engine's host is not hidden. */
const STEP_HOST = 1.5e-3;
/** Share of the GPU that copies of prefill take from its products: 20 to 24 of 132 multiprocessors (DeepEP, normal mode). */
const COPYING = 0.16;
/** A share of communication that overlapped batches still wait for: both ends of the pass, and links that are not quite hidden. */
const NOT_HIDDEN = 0.1;

/**
 * Seconds of one forward pass of a server on its slowest rank: a roofline of products, attention, experts, traffic and launches, layer by
 * layer. Two overlapped batches take twice the longer of a half batch's work and its traffic.
 */
export function servingPass(input: ServingInput, machine: Machine, pass: PassInput): PassTime {
  const whole = wholePass(settingOf(input, machine, pass));
  if (pass.twoBatches !== true || whole.communication <= 0) return whole;
  const cut = pass.sequences >= 2 ? { sequences: pass.sequences / 2 } : { tokens: pass.tokens / 2 };
  const half = wholePass(settingOf(input, machine, { ...pass, ...cut }));
  const work = (half.seconds - half.communication) / (pass.phase === 'prefill' ? 1 - COPYING : 1);
  const seconds = 2 * (Math.max(work, half.communication) + NOT_HIDDEN * Math.min(work, half.communication));
  return seconds < whole.seconds ? { ...whole, seconds } : whole;
}
