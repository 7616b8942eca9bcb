import { layerKinds, type LayerKind } from '../model/inventory';
import type { ModelSpec } from '../model/spec';
import { size, type TensorShape } from '../model/tensors';
import type { LayoutSpec } from '../spec/layout';
import { headWidths, isProduct, meanContext } from './flops';
import { elementwiseTime, isAligned, productTime, type Machine, type ProductFormat } from './rates';

/** Seconds of one part of a layer: forward, input gradient and weight gradient. */
export interface PassTimes {
  readonly F: number;
  readonly I: number;
  readonly W: number;
}

/** What a part is, in the words that recomputation uses for it. */
export type LayerPart =
  'projections' | 'core_attn' | 'layernorm' | 'mlp' | 'experts' | 'shared_experts' | 'act' | 'routing';

export interface PartTimes extends PassTimes {
  readonly part: LayerPart;
}

/** What one microbatch brings to one rank. */
export interface Work {
  /** Tokens of the sequence part that a rank computes: microbatch x sequence / context. */
  readonly tokens: number;
  readonly sequenceLength: number;
  readonly format: ProductFormat;
  /** Narrow formats with a scale a small block (MXFP8, NVFP4, 1x128), which casts compute and rearrange. */
  readonly blockScales: boolean;
  /** Scales every 32 elements that the tensor cores apply (MXFP8). */
  readonly microScales: boolean;
  /** Weight gradients are accumulated in the product's own kernel. */
  readonly fusedGradients: boolean;
  /** Weights are frozen (LoRA): no weight gradients of base weights. */
  readonly frozen: boolean;
  /** Tokens on the busiest rank's experts over the mean. */
  readonly imbalance: number;
  /** Attention keeps its score matrix in memory. */
  readonly unfused: boolean;
}

interface Product {
  readonly rows: number;
  readonly columns: number;
  readonly low: boolean;
}

/** One rank's share of a weight; `fused` matrices become one product. */
function shardOf({ rows, columns, sharding }: TensorShape, layout: LayoutSpec, kvHeads: number): [number, number] {
  const t = Math.max(1, layout.tensor);
  switch (sharding) {
    case 'column':
    case 'vocab':
      return [rows / t, columns];
    case 'kv-column':
      return [rows / Math.min(t, Math.max(1, kvHeads)), columns];
    case 'row':
      return [rows, columns / t];
    case 'expert-column':
      return [rows / Math.max(1, layout.expertTensor), columns];
    case 'expert-row':
      return [rows, columns / Math.max(1, layout.expertTensor)];
    default:
      return [rows, columns];
  }
}

function productsOf(tensors: readonly TensorShape[], model: ModelSpec, layout: LayoutSpec): Product[] {
  const out: { rows: number; columns: number; low: boolean; fused: string | undefined }[] = [];
  for (const tensor of tensors) {
    const [rows, columns] = shardOf(tensor, layout, model.kvHeads);
    const low = tensor.storage === 'linear';
    const joined = tensor.fused === undefined ? undefined : out.find(({ fused }) => fused === tensor.fused);
    if (joined === undefined) out.push({ rows, columns, low, fused: tensor.fused });
    else joined.rows += rows;
  }
  return out;
}

/** Bytes an element that a cast to a narrow format moves: read in BF16, written by rows and by columns; block scales of MX formats take another pass. */
const CAST_BYTES = { plain: 4, blocks: 6 };

/** Bytes an element of a gradient that is added to the accumulated one by a kernel of its own: both read, one written, in two or four bytes. */
const UNFUSED_GRADIENT = 8;

/**
 * Times of `count` equal products on `m` rows each. Narrow formats add casts of what is not a weight: inputs forward, output gradients
 * backward. The weight gradient is accumulated in FP32, read and written.
 */
function linearTimes(machine: Machine, m: number, products: readonly Product[], work: Work, count = 1): PassTimes {
  let F = 0;
  let I = 0;
  let W = 0;
  for (const { rows, columns, low } of products) {
    const format = low ? work.format : 'BF16';
    const cast = format === 'BF16' ? 0 : work.blockScales ? CAST_BYTES.blocks : CAST_BYTES.plain;
    const { misaligned, microScaled } = machine.efficiency;
    const rate = (isAligned(rows, columns) ? 1 : misaligned) * (work.microScales && format === 'FP8' ? microScaled : 1);
    const product = (x: number, y: number, z: number, bytes: number): number =>
      productTime(machine, x, y, z, format, count, bytes, rate);
    F += product(m, rows, columns, 2) + elementwiseTime(machine, m * columns * cast * count);
    I += product(m, columns, rows, 2) + elementwiseTime(machine, m * rows * cast * count);
    W += product(rows, columns, m, work.fusedGradients ? 8 : 2);
    // Without a fused kernel the gradient is written, then read and added to the accumulated one.
    if (!work.fusedGradients) W += elementwiseTime(machine, rows * columns * count * UNFUSED_GRADIENT);
  }
  return { F, I, W: work.frozen ? 0 : W };
}

/** Passes of unfused attention over its score matrix: written, scaled, masked, normalised and read, and more of them backward. */
const SCORE_PASSES = { forward: 5, backward: 8 };

/** Score matrices that attention without a fused kernel keeps in memory, all keys of all queries. */
function unfusedTimes(machine: Machine, model: ModelSpec, work: Work, tensor: number): Pick<PassTimes, 'F' | 'I'> {
  if (!work.unfused) return { F: 0, I: 0 };
  const bytes = (2 * size(model.heads) * work.tokens * work.sequenceLength) / tensor;
  return {
    F: elementwiseTime(machine, SCORE_PASSES.forward * bytes),
    I: elementwiseTime(machine, SCORE_PASSES.backward * bytes),
  };
}

/** Heads half as wide need as many exponentials for half the products (arXiv 2407.08608, figure 5: 64 wide reach about 0.7 of 128 wide). */
function narrowHeads(model: ModelSpec): number {
  const width = model.attention === 'mla' ? 128 : size(model.headDim);
  return width <= 0 ? 1 : Math.min(1, Math.sqrt(width / 128));
}

/** Attention scores and values, or a recurrent scan: no weights, so its whole backward is an input gradient. */
function coreTimes(
  machine: Machine,
  model: ModelSpec,
  kind: LayerKind,
  layer: number,
  work: Work,
  layout: LayoutSpec,
): PassTimes {
  const t = Math.max(1, layout.tensor);
  const { attentionForward, attentionBackward, scanPasses } = machine.efficiency;
  if (kind.mixer === 'attention') {
    const sparse = kind.tensors.some(({ path }) => path.includes('.indexer.')) ? model.indexTopk : undefined;
    const window = model.slidingLayers?.[layer] === true ? model.slidingWindow : sparse;
    const context = meanContext(work.sequenceLength, window, true);
    const { scores, values } = headWidths(model);
    const flops = (2 * work.tokens * context * (scores + values)) / t;
    const rate = machine.bf16 * machine.sustained * narrowHeads(model);
    const stored = unfusedTimes(machine, model, work, t);
    // Two products forward and five backward: the scores are computed again (arXiv 2307.08691, section 3.1.2).
    return {
      F: flops / (rate * attentionForward) + stored.F,
      I: (2.5 * flops) / (rate * attentionBackward) + stored.I,
      W: 0,
    };
  }
  if (kind.mixer === 'none') return { F: 0, I: 0, W: 0 };
  const width =
    kind.mixer === 'mamba2'
      ? 2 * size(model.ssmHeads) * size(model.ssmHeadDim) + 2 * size(model.ssmGroups) * size(model.ssmStateSize)
      : size(model.linearValueHeads) * size(model.linearValueHeadDim) * 2 +
        size(model.linearKeyHeads) * size(model.linearKeyHeadDim) * 2;
  const bytes = (work.tokens * width * 2) / t;
  return { F: elementwiseTime(machine, scanPasses * bytes), I: elementwiseTime(machine, 2 * scanPasses * bytes), W: 0 };
}

/** Norms, residuals and rotary embedding of one layer, in bytes a token: read and written in BF16. */
function normTimes(machine: Machine, model: ModelSpec, kind: LayerKind, work: Work, layout: LayoutSpec): PassTimes {
  const t = Math.max(1, layout.tensor);
  const blocks = (kind.mixer === 'none' ? 0 : 1) + (kind.feedForward === 'none' ? 0 : 1);
  const h = size(model.hiddenSize) / (layout.sequenceParallel ? t : 1);
  const { scores } = headWidths(model);
  const rotary = kind.mixer === 'attention' ? (4 * (scores + size(model.kvHeads) * size(model.headDim))) / t : 0;
  const forward = work.tokens * (blocks * 10 * h + rotary);
  const backward = work.tokens * (blocks * 14 * h + rotary);
  return { F: elementwiseTime(machine, forward), I: elementwiseTime(machine, backward), W: 0 };
}

/** The activation between the matrices of a feed-forward, `width` columns wide, over `rows` rows. */
function activationTimes(machine: Machine, model: ModelSpec, rows: number, width: number): PassTimes {
  const inputs = model.gatedMlp ? 2 : 1;
  const forward = rows * width * 2 * (inputs + 1);
  const backward = rows * width * 2 * (2 * inputs + 1);
  return { F: elementwiseTime(machine, forward), I: elementwiseTime(machine, backward), W: 0 };
}

/** Rows that a rank's experts receive, all copies counted. */
function routedRows(model: ModelSpec, layout: LayoutSpec, work: Work): number {
  const spread = Math.max(1, layout.tensor) / Math.max(1, layout.expertTensor);
  return (work.tokens / spread) * Math.min(size(model.expertsPerToken), size(model.experts)) * work.imbalance;
}

function expertTimes(machine: Machine, model: ModelSpec, kind: LayerKind, layout: LayoutSpec, work: Work): PartTimes[] {
  const rows = routedRows(model, layout, work);
  const local = Math.max(1, size(model.experts) / Math.max(1, layout.expert));
  const own = kind.tensors.filter((tensor) => tensor.part === 'experts' && isProduct(tensor));
  const grouped = linearTimes(machine, rows / local, productsOf(own, model, layout), work, local);
  const share = machine.efficiency.grouped;
  const latent = size(model.expertLatentSize) || size(model.hiddenSize);
  const pass = rows * latent * 2 * machine.efficiency.routedPasses;
  const width = size(model.expertIntermediateSize) / Math.max(1, layout.expertTensor);
  const act = activationTimes(machine, model, rows, width);
  // Experts with biases (gpt-oss) leave the fused activation, whose passes are then many (Megatron-LM, transformer/moe/experts.py).
  const biased =
    model.expertBias === true ? elementwiseTime(machine, rows * width * 2 * machine.efficiency.biasedPasses) : 0;
  return [
    { part: 'experts', F: grouped.F / share, I: grouped.I / share, W: grouped.W / share },
    { part: 'act', F: act.F + biased, I: act.I + 2 * biased, W: 0 },
    { part: 'routing', F: elementwiseTime(machine, pass), I: elementwiseTime(machine, pass), W: 0 },
  ];
}

/** Times of one microbatch in one layer on one rank, part by part, without communication. */
export function layerParts(
  machine: Machine,
  model: ModelSpec,
  kind: LayerKind,
  layer: number,
  layout: LayoutSpec,
  work: Work,
): PartTimes[] {
  const of = (part: string): TensorShape[] =>
    kind.tensors.filter((tensor) => tensor.part === part && isProduct(tensor));
  const times = (tensors: readonly TensorShape[]): PassTimes =>
    linearTimes(machine, work.tokens, productsOf(tensors, model, layout), work);
  const t = Math.max(1, layout.tensor);
  const parts: PartTimes[] = [
    { part: 'projections', ...times([...of('attention'), ...of('mtp')]) },
    { part: 'core_attn', ...coreTimes(machine, model, kind, layer, work, layout) },
    { part: 'layernorm', ...normTimes(machine, model, kind, work, layout) },
  ];
  if (kind.feedForward === 'dense') {
    parts.push({ part: 'mlp', ...times(of('dense')) });
    parts.push({ part: 'act', ...activationTimes(machine, model, work.tokens, size(model.intermediateSize) / t) });
  }
  if (kind.feedForward === 'moe') {
    parts.push({ part: 'routing', ...times(of('router')) }, { part: 'shared_experts', ...times(of('shared')) });
    parts.push(...expertTimes(machine, model, kind, layout, work));
  }
  return parts;
}

/** Output head and loss. Logits pass memory a few times around the softmax. Bytes an element of the logits, each direction. */
const LOSS_BYTES = 8;

export function headTimes(machine: Machine, model: ModelSpec, layout: LayoutSpec, work: Work): PassTimes {
  const t = Math.max(1, layout.tensor);
  const columns = size(model.vocabSize) / t;
  const product = linearTimes(
    machine,
    work.tokens,
    [{ rows: columns, columns: size(model.hiddenSize), low: false }],
    work,
  );
  const loss = elementwiseTime(machine, work.tokens * columns * LOSS_BYTES);
  return { F: product.F + loss, I: product.I + loss, W: product.W };
}

/** Index of the kind of every layer, decoder layers first and then MTP layers. */
export function kindByLayer(model: ModelSpec): readonly LayerKind[] {
  const out: LayerKind[] = [];
  for (const kind of layerKinds(model)) for (const layer of kind.layers) out[layer] = kind;
  return out;
}
