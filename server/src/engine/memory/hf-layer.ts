import type { ModelSpec } from '../model/spec';
import type { ModuleMemory, Store, Value } from './autograd';
import { apply, newTape, runBackward, value } from './autograd';
import type { HfContext } from './hf-ops';
import { add, linear, norm, rotate } from './hf-ops';
import { sharedWidth } from './tensors';

/** What the attention kernel keeps: `sdpa` the log-sum-exp, `eager` scores, `math` torch's own decomposition (FP32 without autocast). */
export type HfAttention = 'sdpa' | 'eager' | 'math';

export interface HfLayerOptions {
  readonly model: ModelSpec;
  readonly context: Omit<HfContext, 'tape'>;
  readonly microBatch: number;
  readonly sequence: number;
  readonly attention: HfAttention;
  readonly experts: 'grouped' | 'eager';
  /** The layer's input carries a gradient: not so in the first layer of a model with frozen embedding. */
  readonly inputNeedsGradient: boolean;
}

type Kind = 'rms' | 'gemma' | 'layer';

function normKind(model: ModelSpec): Kind {
  if (model.normBias) return 'layer';
  return (model.family ?? '').startsWith('gemma') ? 'gemma' : 'rms';
}

/** Gemma 2 bounds scores by a tanh, which keeps its output (models/gemma2/modeling_gemma2.py, eager_attention_forward). */
function capScores(c: HfContext, scores: Value): Value {
  const kept: Store = { bytes: scores.bytes, group: 'capped attention scores' };
  const divided = apply(c.tape, kept.group, scores.bytes, [scores]);
  const bounded = apply(c.tape, kept.group, scores.bytes, [divided], { saved: [kept] });
  return apply(c.tape, kept.group, scores.bytes, [bounded]);
}

/** Scores, probabilities and products of eager or decomposed attention. */
function plainAttention(c: HfContext, o: HfLayerOptions, q: Value, k: Value, v: Value): Value {
  const { heads, kvHeads } = o.model;
  const wide = c.amp ? 2 : c.wide;
  const dim = o.model.attention === 'mla' ? (o.model.vHeadDim ?? o.model.headDim) : o.model.headDim;
  const qk = q.bytes;
  const spread = (x: Value, bytes: number): Value =>
    heads === kvHeads ? x : apply(c.tape, 'repeated key and value', bytes, [x]);
  const keys = spread(k, qk);
  const values = spread(v, wide * c.T * heads * dim);
  const area = o.microBatch * heads * o.sequence * o.sequence;
  const scores = apply(c.tape, 'attention scores', wide * area, [q, keys], { saved: [q, keys] });
  const scaled = apply(c.tape, 'attention scores', wide * area, [scores]);
  const capped = o.model.family === 'gemma2' ? capScores(c, scaled) : scaled;
  const widened = wide === 4 ? capped : apply(c.tape, 'attention scores in FP32', 4 * area, [capped]);
  const kept: Store = { bytes: 4 * area, group: 'attention probabilities in FP32' };
  // torch multiplies the gradient by the probabilities into a tensor of its own (aten/native/cuda/SoftMax.cu, softmax_backward_cuda_out).
  const soft = apply(c.tape, kept.group, 4 * area, [widened], { saved: [kept], scratch: 4 * area, store: kept });
  const narrow = wide === 4 ? soft : apply(c.tape, 'attention probabilities', wide * area, [soft]);
  const mixed = apply(c.tape, 'attention output', wide * c.T * heads * dim, [narrow, values], {
    saved: [narrow, values],
  });
  return apply(c.tape, 'attention output', wide * c.T * heads * dim, [mixed]);
}

function attend(c: HfContext, o: HfLayerOptions, q: Value, k: Value, v: Value): Value {
  if (o.attention !== 'sdpa') return plainAttention(c, o, q, k, v);
  const { model } = o;
  const dim = model.attention === 'mla' ? (model.vHeadDim ?? model.headDim) : model.headDim;
  const narrow = (x: Value): Value => (c.amp ? apply(c.tape, x.store.group, x.bytes / 2, [x]) : x);
  // Under autocast rotated queries and keys are FP32; values come from a Linear and are narrow already.
  const [query, key] = [narrow(q), narrow(k)];
  const out: Store = { bytes: (c.amp ? 2 : c.wide) * c.T * model.heads * dim, group: 'attention output' };
  const statistics: Store = { bytes: 4 * c.T * model.heads, group: 'log-sum-exp' };
  const result = apply(c.tape, out.group, out.bytes, [query, key, v], {
    saved: [query, key, v, out, statistics],
    scratch: 4 * c.T * model.heads,
    store: out,
  });
  return model.attention === 'mla' ? apply(c.tape, 'attention output in order', out.bytes, [result]) : result;
}

function attention(c: HfContext, o: HfLayerOptions, x: Value): Value {
  const { model } = o;
  if (model.attention === 'mla') return latentAttention(c, o, x);
  const { heads, kvHeads, headDim: d, hiddenSize: h } = model;
  const bias = model.qkvBias;
  let q = linear(c, 'q_proj', x, heads * d, h, { bias });
  if (model.qkNorm !== 'none') q = norm(c, 'query norm', q, c.T * heads, d, normKind(model), c.amp ? 2 : c.wide);
  let k = linear(c, 'k_proj', x, kvHeads * d, h, { bias });
  if (model.qkNorm !== 'none') k = norm(c, 'key norm', k, c.T * kvHeads, d, normKind(model), c.amp ? 2 : c.wide);
  const v = linear(c, 'v_proj', x, kvHeads * d, h, { bias });
  const out = attend(c, o, rotate(c, q, c.T * heads * d), rotate(c, k, c.T * kvHeads * d), v);
  return linear(c, 'o_proj', out, h, heads * d, { bias: model.attentionOutputBias });
}

/** Multi-head latent attention of transformers' DeepSeek-V3: keys and queries are joined anew, values stay a view of the up-projection. */
function latentAttention(c: HfContext, o: HfLayerOptions, x: Value): Value {
  const { model } = o;
  const { heads, hiddenSize: h } = model;
  const nope = model.qkNopeHeadDim ?? 0;
  const rope = model.qkRopeHeadDim ?? 0;
  const vDim = model.vHeadDim ?? 0;
  const rank = model.kvLoraRank ?? 0;
  const wide = c.amp ? 2 : c.wide;
  let query = x;
  let width = h;
  if ((model.qLoraRank ?? 0) > 0) {
    width = model.qLoraRank ?? 0;
    query = norm(c, 'query latent norm', linear(c, 'q_a_proj', x, width, h), c.T, width, 'rms', wide);
  }
  const q = linear(c, 'q_b_proj', query, heads * (nope + rope), width);
  const latent = linear(c, 'kv_a_proj_with_mqa', x, rank + rope, h);
  const narrow = apply(c.tape, 'KV latent', wide * c.T * rank, [latent]);
  const up = linear(
    c,
    'kv_b_proj',
    norm(c, 'KV latent norm', narrow, c.T, rank, 'rms', wide),
    heads * (nope + vDim),
    rank,
  );
  const joined = (name: string, from: readonly Value[]): Value =>
    apply(c.tape, name, (c.amp ? 4 : c.wide) * c.T * heads * (nope + rope), from);
  const v = apply(c.tape, 'value', wide * c.T * heads * vDim, [up], { store: up.store });
  const out = attend(c, o, joined('joined query', [q]), joined('joined key', [up, latent]), v);
  return linear(c, 'o_proj', out, h, heads * vDim);
}

/** Gated or plain feed-forward of this inner width. */
function feedForward(c: HfContext, o: HfLayerOptions, x: Value, f: number, tokens = c.T): Value {
  const h = o.model.hiddenSize;
  const bias = o.model.mlpBias;
  const wide = c.amp ? 2 : c.wide;
  const input = x.bytes / Math.max(1, tokens * h);
  const gate = linear(c, 'gate_proj', x, f, h, { tokens, bias, input });
  const active = apply(c.tape, 'activation', wide * tokens * f, [gate], { saved: [gate] });
  if (!o.model.gatedMlp) return linear(c, 'down_proj', active, h, f, { tokens, bias, input: wide });
  const up = linear(c, 'up_proj', x, f, h, { tokens, bias, input });
  const both = apply(c.tape, 'gated product', wide * tokens * f, [active, up], { saved: [active, up] });
  return linear(c, 'down_proj', both, h, f, { tokens, bias, input: wide });
}

/** Router of transformers' MoE blocks; DeepSeek-V3 computes it in FP32 on widened tokens and weights. */
function router(c: HfContext, o: HfLayerOptions, x: Value): Value {
  const { model } = o;
  const E = model.experts ?? 0;
  const h = model.hiddenSize;
  const wideRouter = model.routerCorrectionBias === true || model.attention === 'mla';
  const input = wideRouter && c.wide === 2 ? apply(c.tape, 'router input in FP32', 4 * c.T * h, [x]) : x;
  const weight: Store = { bytes: wideRouter ? 4 * h * E : 0, group: 'router weight in FP32' };
  const trains = c.gradient > 0;
  const logits = apply(c.tape, 'router logits', (wideRouter ? 4 : c.wide) * c.T * E, [input], {
    saved: [...(trains ? [input] : []), weight],
    parameters: h * E * c.gradient,
    scratch: wideRouter ? 4 * h * E : 0,
  });
  const scores: Store = { bytes: 4 * c.T * E, group: 'router scores' };
  return apply(c.tape, scores.group, 4 * c.T * (model.expertsPerToken ?? 1), [logits], { saved: [scores] });
}

/** Routed experts: sorted copies of the tokens through stacked weights, or expert by expert; then the weighted sum. */
function experts(c: HfContext, o: HfLayerOptions, x: Value): Value {
  const { model } = o;
  const h = model.hiddenSize;
  const fe = model.expertIntermediateSize ?? model.intermediateSize;
  const E = model.experts ?? 0;
  const copies = c.T * (model.expertsPerToken ?? 1);
  const wide = c.amp ? 2 : c.wide;
  const weights = router(c, o, x);
  const trains = c.gradient > 0;
  const tokens = apply(c.tape, 'permuted tokens', wide * copies * h, [x]);
  const gated = model.gatedMlp ? 2 : 1;
  const both = apply(c.tape, 'expert gate and up', gated * wide * copies * fe, [tokens], {
    saved: trains ? [tokens] : [],
    parameters: E * gated * h * fe * c.gradient,
  });
  const active = apply(c.tape, 'expert activation', wide * copies * fe, [both], { saved: [both] });
  const inner = model.gatedMlp
    ? apply(c.tape, 'expert product', wide * copies * fe, [active, both], { saved: [active, both] })
    : active;
  const down = apply(c.tape, 'expert outputs', wide * copies * h, [inner], {
    saved: trains ? [inner] : [],
    parameters: E * h * fe * c.gradient,
  });
  const weighted = apply(c.tape, 'weighted expert outputs', wide * copies * h, [down, weights], {
    saved: [down, weights],
    scratch: wide * copies * h,
  });
  const ordered = apply(c.tape, 'expert outputs in token order', wide * copies * h, [weighted]);
  return apply(c.tape, 'sum of experts', wide * c.T * h, [ordered]);
}

/**
 * Experts one after the other, as transformers runs them without a grouped product: each takes its slice of the stacked weights, and
 * the gradient of a slice is a zero tensor as large as the whole stack, which is added to what the experts before it left
 * (models/mixtral, MixtralExperts.forward; torch select_backward). Tokens are taken as spread evenly.
 */
function expertsInTurn(c: HfContext, o: HfLayerOptions, x: Value): Value {
  const { model } = o;
  const [h, E] = [model.hiddenSize, model.experts ?? 0];
  const fe = model.expertIntermediateSize ?? model.intermediateSize;
  const wide = c.amp ? 2 : c.wide;
  const trains = c.gradient > 0;
  const weights = router(c, o, x);
  const rows = (c.T * (model.expertsPerToken ?? 1)) / E;
  const gated = model.gatedMlp ? 2 : 1;
  const product = (name: string, input: Value, columns: number, elements: number, expert: number): Value =>
    apply(c.tape, name, wide * rows * columns, [input], {
      saved: trains ? [input] : [],
      parameters: expert === E - 1 ? E * elements * c.gradient : 0,
      scratch: (expert === E - 1 ? 1 : E + 1) * elements * c.gradient,
    });
  let sum: Value | undefined;
  for (let expert = 0; expert < E; expert += 1) {
    const own = apply(c.tape, "an expert's tokens", wide * rows * h, [x]);
    const both = product('expert gate and up', own, gated * fe, gated * h * fe, expert);
    const active = apply(c.tape, 'expert activation', wide * rows * fe, [both], { saved: [both] });
    const inner = model.gatedMlp
      ? apply(c.tape, 'expert product', wide * rows * fe, [active, both], { saved: [active, both] })
      : active;
    const down = product('expert outputs', inner, h, h * fe, expert);
    const weighted = apply(c.tape, 'weighted expert outputs', wide * rows * h, [down, weights], {
      saved: [down],
      scratch: wide * rows * h,
    });
    sum = apply(c.tape, 'sum of experts', wide * c.T * h, [weighted], { pass: sum === undefined ? [] : [sum] });
  }
  return sum ?? x;
}

function block(c: HfContext, o: HfLayerOptions, x: Value, moe: boolean): Value {
  const { model } = o;
  if (!moe) return feedForward(c, o, x, model.intermediateSize);
  const routed = o.experts === 'eager' ? expertsInTurn(c, o, x) : experts(c, o, x);
  const shared = sharedWidth(model);
  return shared > 0 ? add(c, 'experts', routed, feedForward(c, o, x, shared)) : routed;
}

/**
 * What one decoder layer of transformers keeps and holds in eager mode (models/llama, qwen3, mixtral, deepseek_v3, gemma2 of 5.x; the
 * saved tensors were compared with `saved_tensors_hooks` on an H100).
 */
export function hfLayer(o: HfLayerOptions, moe: boolean): ModuleMemory & { readonly input: Store } {
  const tape = newTape();
  const c: HfContext = { ...o.context, tape };
  const { model } = o;
  const h = model.hiddenSize;
  const kind = normKind(model);
  const x = value(c.wide * c.T * h, 'layer input', o.inputNeedsGradient);
  let mixed = attention(c, o, norm(c, 'attention norm', x, c.T, h, kind));
  if (model.normsPerLayer >= 4) mixed = norm(c, 'post-attention norm', mixed, c.T, h, kind, c.amp ? 2 : c.wide);
  const middle = add(c, 'residual', x, mixed);
  let fed = block(c, o, norm(c, 'feed-forward norm', middle, c.T, h, kind), moe);
  if (model.normsPerLayer >= 4) fed = norm(c, 'post-feed-forward norm', fed, c.T, h, kind, c.amp ? 2 : c.wide);
  const out = add(c, 'layer input', middle, fed);
  return { ...runBackward(tape, out), input: x.store };
}
