import type { ModelSpec } from '../model/spec';

/** How tensor parallelism cuts one weight: outputs, inputs, vocabulary rows, KV heads (never below one head a rank), or not at all. */
export type CutRule = 'column' | 'row' | 'vocab' | 'kv' | 'none';

/** Equal weights of one kind in one module. `rows` are outputs, `columns` inputs, as a Linear stores them; vectors have one column. */
export interface TensorGroup {
  readonly group: string;
  readonly rows: number;
  readonly columns: number;
  /** How many of them: 1, or the number of experts. */
  readonly copies: number;
  readonly cut: CutRule;
  readonly expert: boolean;
  /** A Linear weight that an FP8 recipe stores or computes in low precision (not embedding, head, router, norms). */
  readonly lowPrecision: boolean;
  /** Weights that Megatron fuses into one matrix carry the same word. */
  readonly fused?: 'qkv' | 'fc1';
}

function linear(
  group: string,
  rows: number,
  columns: number,
  cut: CutRule,
  more: Partial<TensorGroup> = {},
): TensorGroup {
  return { group, rows, columns, copies: 1, cut, expert: false, lowPrecision: true, ...more };
}

function vector(group: string, rows: number, cut: CutRule = 'none', more: Partial<TensorGroup> = {}): TensorGroup {
  return { group, rows, columns: 1, copies: 1, cut, expert: false, lowPrecision: false, ...more };
}

/** Weights of one attention block, with its input norm. Shapes after the Hugging Face implementations of each family. */
export function attentionTensors(model: ModelSpec, cutLatents = false): TensorGroup[] {
  const latent: CutRule = cutLatents ? 'column' : 'none';
  const { hiddenSize: h, heads, kvHeads, headDim } = model;
  const out: TensorGroup[] = [];
  if (model.attention === 'mla') {
    const nope = model.qkNopeHeadDim ?? 0;
    const rope = model.qkRopeHeadDim ?? 0;
    const value = model.vHeadDim ?? headDim;
    const rank = model.kvLoraRank ?? 0;
    if ((model.qLoraRank ?? 0) > 0) {
      const q = model.qLoraRank ?? 0;
      out.push(
        linear('query down-projection', q, h, latent),
        vector('query latent norm', q),
        linear('query up-projection', heads * (nope + rope), q, 'column'),
      );
    } else out.push(linear('query projection', heads * (nope + rope), h, 'column'));
    out.push(
      linear('KV down-projection', rank + rope, h, latent),
      vector('KV latent norm', rank),
      linear('KV up-projection', heads * (nope + value), rank, 'column'),
      linear('attention output', h, heads * value, 'row'),
    );
    if ((model.indexHeads ?? 0) > 0) {
      const ih = model.indexHeads ?? 0;
      const id = model.indexHeadDim ?? 0;
      out.push(
        linear('indexer query', ih * id, model.qLoraRank ?? h, 'none'),
        linear('indexer key', id, h, 'none'),
        vector('indexer norm', 2 * id),
        linear('indexer weights', ih, h, 'none', { lowPrecision: false }),
      );
    }
  } else {
    out.push(
      linear('query projection', heads * headDim, h, 'column', { fused: 'qkv' }),
      linear('key and value projections', 2 * kvHeads * headDim, h, 'kv', { fused: 'qkv' }),
      linear('attention output', h, heads * headDim, 'row'),
    );
    if (model.qkvBias)
      out.push(
        vector('query bias', heads * headDim, 'column'),
        vector('key and value biases', 2 * kvHeads * headDim, 'kv'),
      );
    if (model.attentionSinks) out.push(vector('attention sinks', heads, 'column'));
    if (model.qkNorm === 'head') out.push(vector('query and key norms', 2 * headDim));
    if (model.qkNorm === 'full') out.push(vector('query and key norms', (heads + kvHeads) * headDim));
  }
  if (model.attentionOutputBias) out.push(vector('attention output bias', h));
  out.push(vector('layer norms', model.normsPerLayer * h * (model.normBias ? 2 : 1)));
  return out;
}

/** Inner width of the shared-expert block. */
export function sharedWidth(model: ModelSpec): number {
  return model.sharedExpertIntermediateSize ?? (model.sharedExperts ?? 0) * (model.expertIntermediateSize ?? 0);
}

function feedForward(
  name: string,
  h: number,
  f: number,
  gated: boolean,
  bias: boolean,
  more: Partial<TensorGroup> = {},
): TensorGroup[] {
  const out = [
    linear(`${name} up`, (gated ? 2 : 1) * f, h, 'column', { fused: 'fc1', ...more }),
    linear(`${name} down`, h, f, 'row', more),
  ];
  if (bias)
    out.push(
      vector(`${name} up bias`, (gated ? 2 : 1) * f, 'column', { ...more, lowPrecision: false }),
      vector(`${name} down bias`, h, 'none', { ...more, lowPrecision: false }),
    );
  return out;
}

/** Weights of one feed-forward block: dense, or router, routed experts and shared experts. */
export function feedForwardTensors(model: ModelSpec, moe: boolean): TensorGroup[] {
  const h = model.hiddenSize;
  if (!moe) return feedForward('feed-forward', h, model.intermediateSize, model.gatedMlp, model.mlpBias);
  const experts = model.experts ?? 0;
  const out: TensorGroup[] = [linear('router', experts, h, 'none', { lowPrecision: false })];
  if (model.routerBias === true) out.push(vector('router bias', experts));
  out.push(
    ...feedForward(
      'routed expert',
      h,
      model.expertIntermediateSize ?? model.intermediateSize,
      model.gatedMlp,
      model.expertBias ?? false,
      { expert: true, copies: experts },
    ),
  );
  const shared = sharedWidth(model);
  if (shared > 0) out.push(...feedForward('shared expert', h, shared, model.gatedMlp, model.mlpBias));
  if (model.sharedExpertGate === true) out.push(vector('shared expert gate', h));
  return out;
}

/** Weights of one decoder layer. */
export function layerTensors(model: ModelSpec, moe: boolean): TensorGroup[] {
  return [...attentionTensors(model), ...feedForwardTensors(model, moe)];
}

/** Weights that a multi-token-prediction layer has beside one decoder layer: two norms, the joining projection, its final norm. */
export function mtpExtraTensors(model: ModelSpec): TensorGroup[] {
  const h = model.hiddenSize;
  return [vector('MTP norms', 3 * h * (model.normBias ? 2 : 1)), linear('MTP joining projection', h, 2 * h, 'column')];
}

/** Elements of one tensor group on one rank: experts cut by expert and expert-tensor parallelism, the rest by tensor parallelism. */
export function elementsOnRank(
  tensor: TensorGroup,
  model: ModelSpec,
  degrees: { readonly tensor: number; readonly expert: number; readonly expertTensor: number },
): number {
  const t = tensor.expert ? degrees.expertTensor : degrees.tensor;
  const copies = tensor.expert ? tensor.copies / degrees.expert : tensor.copies;
  const whole = tensor.rows * tensor.columns * copies;
  if (tensor.cut === 'none') return whole;
  if (tensor.cut === 'kv') return whole / Math.min(t, model.kvHeads);
  return whole / t;
}
