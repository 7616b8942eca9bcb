import type { Dims } from './dims';
import type { TrainingInput } from './input';
import type { SavedItem, SavedModule } from './saved';
import { saved, savedAs } from './saved';
import type { Kept, SavedWidths } from './saved-widths';
import { attentionOutputWidth, keptInput, savedWidths, transformerEngine } from './saved-widths';

const BATCH = ['batch.microBatch', 'batch.sequenceLength', 'layout.context'] as const;
const WIDTH = [...BATCH, 'model.hiddenSize', 'layout.tensor', 'layout.sequenceParallel'] as const;
const HEADS = [...BATCH, 'model.heads', 'layout.tensor'] as const;
const EXPERT = [...BATCH, 'model.expertsPerToken', 'model.expertIntermediateSize', 'layout.expert'] as const;

/** Plan fields behind a quantized input. */
const RECIPE = ['precision.fp8Recipe'] as const;

/** Input of a matrix product as it is kept for the weight gradient. */
function kept(
  module: SavedModule,
  group: string,
  what: Kept,
  fields: readonly string[],
  { keeping }: SavedWidths,
): SavedItem {
  return savedAs(module, group, what, keeping === 'wide' ? fields : [...fields, ...RECIPE]);
}

/**
 * The norm before attention. Transformer Engine fuses it with the product where one product alone reads it, so that nothing can be
 * recomputed of it; before latent attention it stands alone, and each of the two down projections quantizes its output for itself.
 */
function attentionNorm(d: Dims, input: TrainingInput, w: SavedWidths): SavedItem {
  const { bytes, formula } = keptInput(w, d.T / d.sp, d.h, 1, d.sp > 1 && !d.mla);
  const twice = d.mla && w.keeping !== 'wide' && w.keeping !== 'deepseek';
  const what = twice ? { bytes: 2 * bytes, formula: `2 × ${formula}` } : { bytes, formula };
  const alone = d.mla || !transformerEngine(input);
  return kept(alone ? 'layernorm' : 'attention', 'attention norm output', what, WIDTH, w);
}

/**
 * Latent attention: latents before and after their norms, and the query, key and value that they expand to. Transformer Engine fuses these
 * norms with the up projections, and DeepSeek recomputes all norms: there they go when the up projections are recomputed.
 */
function latentSaved(d: Dims, input: TrainingInput, w: SavedWidths): SavedItem[] {
  const rows = d.T / d.sp;
  const module = transformerEngine(input) || w.keeping === 'deepseek' ? 'mla_up_proj' : 'mla_down';
  const query = [...BATCH, 'model.qLoraRank'];
  const latent = [...BATCH, 'model.kvLoraRank'];
  const normed = (group: string, width: number, fields: readonly string[]): SavedItem =>
    kept(module, group, keptInput(w, rows, width, 1, d.sp > 1), fields, w);
  const out: SavedItem[] = [];
  if (d.qRank > 0)
    out.push(
      saved('mla_down', 'query latent', [rows, d.qRank, w.wide], query),
      normed('query latent after its norm', d.qRank, query),
    );
  out.push(
    saved('mla_down', 'KV latent and rope key', [rows, d.kvRank + d.rope, w.wide], latent),
    normed('KV latent after its norm', d.kvRank, latent),
    saved('mla_up_proj', 'expanded query and key', [d.T, 2 * d.heads * d.qkDim, w.attention], HEADS),
    saved('mla_up_proj', 'expanded value', [d.T, d.heads * d.vDim, w.attention], HEADS),
  );
  return out;
}

/** Query, key and value of grouped-query attention; plain rotary embedding keeps the fused buffer beside what it rotated. */
function groupedSaved(d: Dims, input: TrainingInput, w: SavedWidths): SavedItem[] {
  const fusedRope = input.details?.ropeFusion ?? input.details?.transformerImpl !== 'local';
  const both = (d.heads + d.kvHeads) * d.headDim;
  const out = [
    saved(
      'attention',
      'query, key and value',
      [d.T, (d.heads + 2 * d.kvHeads) * d.headDim, w.attention],
      [...HEADS, 'model.kvHeads'],
    ),
  ];
  if (input.model.qkNorm !== 'none')
    out.push(saved('attention', 'query and key before their norms', [d.T, both, w.wide], HEADS));
  if (!fusedRope && input.details?.positions !== 'learned')
    out.push(
      saved('attention', 'rotated query and key', [d.T, both, w.wide], HEADS),
      saved('attention', 'rotary tables', [4 * d.S * d.headDim, w.wide], BATCH),
    );
  return out;
}

/**
 * Attention part of one layer's saved tensors, input norm included.
 * GQA: q, k, v, output and log-sum-exp; MLA: latents and their norms, expanded q, k, v, output.
 */
function attentionSaved(d: Dims, input: TrainingInput, w: SavedWidths): SavedItem[] {
  const wide = d.heads * d.vDim;
  const out: SavedItem[] = [
    saved('layer_input', 'layer input', [d.T, d.h / d.sp, w.wide], WIDTH),
    attentionNorm(d, input, w),
    saved('layer_input', 'norm statistics', [d.T / d.sp, 8], WIDTH),
    ...(d.mla ? latentSaved(d, input, w) : groupedSaved(d, input, w)),
    saved('attention', 'attention output', [d.T, wide, attentionOutputWidth(input, w)], HEADS),
  ];
  const kernel = input.details?.attentionKernel ?? (input.details?.transformerImpl === 'local' ? 'unfused' : 'flash');
  if (kernel === 'unfused') {
    const scores = d.heads * d.microBatch * d.S * d.S * input.layout.context;
    const dropout = input.details?.attentionDropout === true ? w.wide + 1 : 0;
    out.push(saved('core_attn', 'attention scores', [scores, w.wide + dropout], [...HEADS, 'details.attentionKernel']));
  } else out.push(saved('core_attn', 'log-sum-exp', [d.T, d.heads, 4], HEADS));
  if (input.layout.context > 1 && input.details?.contextKeepsOutput !== false)
    out.push(
      saved('attention', 'context-parallel attention output', [d.T, wide, w.wide], ['layout.context', ...HEADS]),
    );
  return out;
}

function denseSaved(d: Dims, w: SavedWidths): SavedItem[] {
  const fields = [...BATCH, 'model.intermediateSize', 'layout.tensor'];
  const projections = d.gated ? 'gate and up projections' : 'up projection';
  return [
    saved('mlp', projections, [d.T, (d.gated ? 2 : 1) * d.f, w.activation], fields),
    kept('mlp_act', 'activated feed-forward', keptInput(w, d.T, d.f), fields, w),
  ];
}

/**
 * MoE part: router, shared experts, token copies sent to this rank's experts and what they compute.
 * Te = T × topk × ETP / TP copies with balanced routing (Megatron-LM core/transformer/moe/token_dispatcher.py).
 */
function moeSaved(d: Dims, w: SavedWidths): SavedItem[] {
  const out: SavedItem[] = [
    saved('router', 'router logits and scores', [d.T / d.sp, d.experts, 8], [...BATCH, 'model.experts']),
  ];
  if (d.fs > 0) {
    const fields = [...BATCH, 'model.sharedExpertIntermediateSize', 'layout.tensor'];
    out.push(
      saved('shared_experts', 'shared expert projections', [d.T, (d.gated ? 2 : 1) * d.fs, w.activation], fields),
      kept('shared_experts', 'shared expert activation', keptInput(w, d.T, d.fs), fields, w),
    );
  }
  const groups = Math.max(1, d.localExperts);
  out.push(
    kept('moe', 'dispatched tokens', keptInput(w, d.Te, d.h, groups), EXPERT, w),
    saved('moe', 'dispatched probabilities', [d.Te, 8], EXPERT),
    saved('moe', 'expert projections', [d.Te, (d.gated ? 2 : 1) * d.fe, w.activation], EXPERT),
    kept('moe_act', 'expert activation', keptInput(w, d.Te, d.fe, groups), EXPERT, w),
  );
  // Only SwiGLU has a kernel that activates and multiplies by the router's probability at once; other activations keep the
  // factor of that product too (Megatron-LM core/transformer/moe/experts.py, bias_act_func).
  if (!d.gated) out.push(saved('moe_act', 'expert activation before its probability', [d.Te, d.fe, w.wide], EXPERT));
  return out;
}

/**
 * The norm before the feed-forward part. Under Transformer Engine it is fused with a dense one, and recomputed with it; a mixture's stands
 * alone and is kept in BF16, since the router reads it, and the shared expert too except under delayed scaling
 * (Megatron-LM core/transformer/moe/shared_experts.py, `set_save_original_input`).
 */
function feedForwardNorm(d: Dims, input: TrainingInput, w: SavedWidths, moe: boolean): SavedItem {
  const engine = transformerEngine(input);
  const quantized = keptInput(w, d.T / d.sp, d.h, 1, d.sp > 1);
  if (!moe || !engine || w.keeping === 'wide')
    return kept(engine && !moe ? 'mlp' : 'layernorm', 'feed-forward norm output', quantized, WIDTH, w);
  const own = input.precision.fp8Recipe === 'delayed' && d.fs > 0 ? 1 : 0;
  return saved('layernorm', 'feed-forward norm output', [d.T, d.h / d.sp, w.wide + own], WIDTH);
}

/** Everything one decoder layer keeps without recompute (Megatron-LM with Transformer Engine, or its plain PyTorch modules). */
export function megatronLayerSaved(d: Dims, input: TrainingInput, moe: boolean): SavedItem[] {
  const w = savedWidths(input);
  const out = attentionSaved(d, input, w);
  out.push(
    saved('layer_input', 'feed-forward norm input', [d.T, d.h / d.sp, w.wide], WIDTH),
    feedForwardNorm(d, input, w, moe),
    ...(moe ? moeSaved(d, w) : denseSaved(d, w)),
  );
  if (input.details?.hiddenDropout === true)
    out.push(saved('dropout', 'dropout masks', [2 * d.T, d.h / d.sp], [...WIDTH, 'details.hiddenDropout']));
  return out;
}

/** What Megatron's recompute module names take away. `mlp` and `moe` run the whole block again from its norm output. */
const DROPS: Readonly<Record<string, readonly SavedModule[]>> = {
  layernorm: ['layernorm'],
  core_attn: ['core_attn'],
  mla_up_proj: ['mla_up_proj'],
  moe_act: ['moe_act'],
  swiglu: ['moe_act', 'mlp_act'],
  mlp: ['mlp', 'mlp_act'],
  moe: ['moe', 'moe_act', 'router', 'shared_experts'],
  shared_experts: ['shared_experts'],
};

/** Modules left out under selective recompute; Megatron's default list is the attention core. */
export function droppedModules(input: TrainingInput, moe: boolean): ReadonlySet<SavedModule> {
  const dropped = new Set<SavedModule>();
  if (input.recompute.granularity !== 'selective') return dropped;
  for (const name of input.recompute.modules ?? ['core_attn']) {
    if (name === 'mlp' && moe) continue;
    for (const module of DROPS[name] ?? []) dropped.add(module);
  }
  return dropped;
}

/** Saved tensors that Megatron's offloading names call the input of a module (core/transformer/transformer_config.py, `offload_modules`). */
const OFFLOADED: Readonly<Record<string, readonly string[]>> = {
  attn_norm: ['layer input'],
  qkv_linear: ['attention norm output'],
  core_attn: ['query, key and value', 'expanded query and key', 'expanded value'],
  attn_proj: ['attention output'],
  mlp_norm: ['feed-forward norm input'],
  expert_fc1: ['dispatched tokens'],
  moe_act: ['expert projections'],
};

/** What stays on the device of these: the rest waits in host memory and is back while its own layer runs backward. */
export function onDevice(input: TrainingInput, kept: readonly SavedItem[]): readonly SavedItem[] {
  const modules = input.details?.offloadedModules ?? [];
  if (modules.length === 0 || !transformerEngine(input)) return kept;
  const away = new Set(modules.flatMap((name) => OFFLOADED[name] ?? []));
  return kept.filter(({ group }) => !away.has(group));
}
