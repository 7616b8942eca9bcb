import type { Dims } from './dims';
import type { TrainingInput } from './input';
import type { SavedItem, SavedModule } from './saved';
import { saved } from './saved';

const BATCH = ['batch.microBatch', 'batch.sequenceLength', 'layout.context'] as const;
const WIDTH = [...BATCH, 'model.hiddenSize', 'layout.tensor', 'layout.sequenceParallel'] as const;
const HEADS = [...BATCH, 'model.heads', 'layout.tensor'] as const;
const EXPERT = [...BATCH, 'model.expertsPerToken', 'model.expertIntermediateSize', 'layout.expert'] as const;

/** Byte widths of what is kept: BF16, or the FP8 bytes with their 1x128 FP32 scales. */
export interface SavedWidths {
  readonly wide: number;
  /** Inputs of matrix products. */
  readonly gemm: number;
  /** Input of the projection after attention (E5M6 in the DeepSeek-V3 recipe). */
  readonly afterAttention: number;
}

/** Bytes an element of saved tensors; FP8 tiles carry one FP32 scale for 128 elements (arXiv 2412.19437, section 3.3). */
export function savedWidths(input: TrainingInput): SavedWidths {
  const wide = input.precision.compute === 'F32' ? 4 : 2;
  if (!input.precision.fp8Activations) return { wide, gemm: wide, afterAttention: wide };
  return { wide, gemm: 1 + 4 / 128, afterAttention: 1.5 + 4 / 128 };
}

/**
 * Attention part of one layer's saved tensors, input norm included.
 * GQA: q, k, v, output and log-sum-exp; MLA: latents and their norms, expanded q, k, v, output.
 * Plain PyTorch rotary embedding keeps the fused QKV buffer beside the rotated q and k, and its cos/sin tables.
 */
function attentionSaved(d: Dims, input: TrainingInput, w: SavedWidths): SavedItem[] {
  const local = input.details?.transformerImpl === 'local';
  const fusedRope = input.details?.ropeFusion ?? !local;
  const out: SavedItem[] = [
    saved('layer_input', 'layer input', [d.T, d.h / d.sp, w.wide], WIDTH),
    saved('layernorm', 'attention norm output', [d.T, d.h / d.sp, w.gemm], WIDTH),
    saved('layer_input', 'norm statistics', [d.T / d.sp, 8], WIDTH),
  ];
  if (d.mla) {
    if (d.qRank > 0)
      out.push(
        saved(
          'mla_down',
          'query latent and its norm',
          [d.T / d.sp, d.qRank, w.wide + w.gemm],
          [...BATCH, 'model.qLoraRank'],
        ),
      );
    out.push(
      saved(
        'mla_down',
        'KV latent, rope key and latent norm',
        [d.T / d.sp, (d.kvRank + d.rope) * w.wide + d.kvRank * w.gemm],
        [...BATCH, 'model.kvLoraRank'],
      ),
      saved('mla_up_proj', 'expanded query and key', [d.T, 2 * d.heads * d.qkDim, w.wide], HEADS),
      saved('mla_up_proj', 'expanded value', [d.T, d.heads * d.vDim, w.wide], HEADS),
    );
  } else {
    out.push(
      saved(
        'attention',
        'query, key and value',
        [d.T, (d.heads + 2 * d.kvHeads) * d.headDim, w.wide],
        [...HEADS, 'model.kvHeads'],
      ),
    );
    if (input.model.qkNorm !== 'none') {
      out.push(
        saved('attention', 'query and key before their norms', [d.T, (d.heads + d.kvHeads) * d.headDim, w.wide], HEADS),
      );
    }
    if (!fusedRope && input.details?.positions !== 'learned') {
      out.push(
        saved('attention', 'rotated query and key', [d.T, (d.heads + d.kvHeads) * d.headDim, w.wide], HEADS),
        saved('attention', 'rotary tables', [4 * d.S * d.headDim, w.wide], BATCH),
      );
    }
  }
  out.push(saved('attention', 'attention output', [d.T, d.heads * d.vDim, w.afterAttention], HEADS));
  const kernel = input.details?.attentionKernel ?? (local ? 'unfused' : 'flash');
  if (kernel === 'unfused') {
    const scores = d.heads * d.microBatch * d.S * d.S * input.layout.context;
    const dropout = input.details?.attentionDropout === true ? w.wide + 1 : 0;
    out.push(saved('core_attn', 'attention scores', [scores, w.wide + dropout], [...HEADS, 'details.attentionKernel']));
  } else out.push(saved('core_attn', 'log-sum-exp', [d.T, d.heads, 4], HEADS));
  if (input.layout.context > 1 && input.details?.contextKeepsOutput !== false) {
    out.push(
      saved(
        'attention',
        'context-parallel attention output',
        [d.T, d.heads * d.vDim, w.wide],
        ['layout.context', ...HEADS],
      ),
    );
  }
  return out;
}

function denseSaved(d: Dims, w: SavedWidths): SavedItem[] {
  const fields = [...BATCH, 'model.intermediateSize', 'layout.tensor'];
  return [
    saved('mlp', d.gated ? 'gate and up projections' : 'up projection', [d.T, (d.gated ? 2 : 1) * d.f, w.gemm], fields),
    saved('mlp_act', 'activated feed-forward', [d.T, d.f, w.gemm], fields),
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
      saved('shared_experts', 'shared expert projections', [d.T, (d.gated ? 2 : 1) * d.fs, w.gemm], fields),
      saved('shared_experts', 'shared expert activation', [d.T, d.fs, w.gemm], fields),
    );
  }
  out.push(
    saved('moe', 'dispatched tokens', [d.Te, d.h, w.gemm], EXPERT),
    saved('moe', 'dispatched probabilities', [d.Te, 8], EXPERT),
    saved('moe', 'expert projections', [d.Te, (d.gated ? 2 : 1) * d.fe, w.gemm], EXPERT),
    saved('moe_act', 'expert activation', [d.Te, d.fe, w.gemm], EXPERT),
  );
  // Only SwiGLU has a kernel that activates and multiplies by the router's probability at once; other activations keep the
  // factor of that product too (Megatron-LM core/transformer/moe/experts.py, bias_act_func).
  if (!d.gated) out.push(saved('moe_act', 'expert activation before its probability', [d.Te, d.fe, w.wide], EXPERT));
  return out;
}

/** Everything one decoder layer keeps without recompute (Megatron-LM with Transformer Engine, or its plain PyTorch modules). */
export function megatronLayerSaved(d: Dims, input: TrainingInput, moe: boolean): SavedItem[] {
  const w = savedWidths(input);
  const out = attentionSaved(d, input, w);
  out.push(
    saved('layer_input', 'feed-forward norm input', [d.T, d.h / d.sp, w.wide], WIDTH),
    saved('layernorm', 'feed-forward norm output', [d.T, d.h / d.sp, w.gemm], WIDTH),
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
