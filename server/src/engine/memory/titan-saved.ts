import type { Dims } from './dims';
import type { TrainingInput } from './input';
import type { SavedItem } from './saved';
import { saved } from './saved';

const TOKENS = ['batch.microBatch', 'batch.sequenceLength', 'layout.context'] as const;
const HEADS = [...TOKENS, 'model.heads', 'layout.tensor'] as const;
const WIDTH = [...TOKENS, 'model.hiddenSize', 'layout.tensor'] as const;
const INNER = [...TOKENS, 'model.intermediateSize', 'layout.tensor'] as const;
const EXPERT = [...TOKENS, 'model.expertsPerToken', 'model.expertIntermediateSize'] as const;

function attentionSaved(d: Dims, input: TrainingInput): SavedItem[] {
  const gathered = d.t > 1 ? [saved('attention', 'gathered attention input', [d.T, d.h, 2], WIDTH)] : [];
  const out = [
    saved('layer_input', 'layer input', [d.T, d.h / d.sp, 2], WIDTH),
    saved('layer_input', 'norm statistics', [d.T / d.sp, 8], WIDTH),
    ...(d.t > 1 ? gathered : [saved('layernorm', 'attention norm output', [d.T, d.h, 2], WIDTH)]),
    saved('attention', 'attention output', [d.T, d.heads * d.vDim, 2], HEADS),
    saved('core_attn', 'log-sum-exp', [d.T, d.heads, 4], HEADS),
  ];
  if (d.mla) {
    // Plain PyTorch keeps latents, their norms, the KV up-projection (its value half is used in place) and the joined q and k.
    const nope = d.qkDim - d.rope;
    out.push(
      saved(
        'mla_down',
        'latents and their norms',
        [d.T, 4 * d.qRank + 4 * d.kvRank + 2 * d.rope],
        [...TOKENS, 'model.kvLoraRank'],
      ),
      saved('mla_up_proj', 'KV up-projection', [d.T, d.heads * (nope + d.vDim), 2], HEADS),
      saved('mla_up_proj', 'joined query and key', [d.T, 2 * d.heads * d.qkDim, 2], HEADS),
    );
  } else {
    out.push(
      saved('attention', 'rotated query and key', [d.T, (d.heads + d.kvHeads) * d.headDim, 2], HEADS),
      saved('attention', 'value', [d.T, d.kvHeads * d.headDim, 2], HEADS),
    );
    if (input.model.qkNorm !== 'none')
      out.push(
        saved('attention', 'query and key before their norms', [d.T, (d.heads + d.kvHeads) * d.headDim, 2], HEADS),
      );
  }
  return out;
}

function blockSaved(d: Dims, moe: boolean): SavedItem[] {
  const out = [saved('layer_input', 'feed-forward norm input', [d.T, d.h / d.sp, 2], WIDTH)];
  out.push(
    saved('layernorm', d.t > 1 ? 'gathered feed-forward input' : 'feed-forward norm output', [d.T, d.h, 2], WIDTH),
  );
  if (!moe) {
    out.push(saved('mlp', 'gate, up, activation and product', [d.T, d.f, 8], INNER));
    return out;
  }
  if (d.fs > 0)
    out.push(
      saved('shared_experts', 'shared experts', [d.T, d.fs, 8], [...TOKENS, 'model.sharedExpertIntermediateSize']),
    );
  out.push(
    saved('router', 'router scores', [d.T, d.experts, 8], [...TOKENS, 'model.experts']),
    saved('moe', 'permuted tokens', [d.Te, d.h, 2], EXPERT),
    saved('moe', 'expert gate, up, activation and product', [d.Te, d.fe, 8], EXPERT),
    saved('moe', 'FP32 expert outputs before weighting', [d.Te, d.h, 4], EXPERT),
  );
  return out;
}

/**
 * Tensors that one torchtitan layer keeps without recompute (models/llama3, qwen3 and deepseek_v3 of v0.2.2). A compiled dense layer
 * keeps no tensor that element-wise steps make again from others it keeps: norm outputs, the activation and its product.
 */
export function titanLayerSaved(d: Dims, input: TrainingInput, moe: boolean): SavedItem[] {
  const eager = [...attentionSaved(d, input), ...blockSaved(d, moe)];
  if (input.details?.compile !== true || moe || d.t > 1) return eager;
  const left = eager.filter(({ module }) => module !== 'layernorm' && module !== 'mlp');
  return [...left, saved('mlp', 'gate and up projections', [d.T, d.f, 4], INNER)];
}

/**
 * Selective recompute by operator: attention results and every second matrix product of a layer stay
 * (torchtitan distributed/activation_checkpoint.py). In order q, k, v, o, w1, w3, w2 these are q, v, w1 and w2. The compiler drops
 * w2's, which only the residual sum reads.
 */
export function titanOpSaved(d: Dims, moe: boolean, compiled = false): SavedItem[] {
  const out = [
    saved('layer_input', 'layer input', [d.T, d.h / d.sp, 2], WIDTH),
    saved('attention', 'attention output', [d.T, d.heads * d.vDim, 2], HEADS),
    saved('core_attn', 'log-sum-exp', [d.T, d.heads, 4], HEADS),
  ];
  if (d.mla) out.push(saved('attention', 'kept projections', [d.T, d.qRank + d.heads * d.qkDim, 2], HEADS));
  else out.push(saved('attention', 'query and value projections', [d.T, (d.heads + d.kvHeads) * d.headDim, 2], HEADS));
  if (!moe && compiled) out.push(saved('mlp', 'gate projection', [d.T, d.f, 2], INNER));
  else if (!moe) out.push(saved('mlp', 'gate and down projections', [d.T, d.f + d.h / d.sp, 2], INNER));
  else {
    out.push(saved('moe', 'exchanged tokens', [d.Te, d.h, 4], EXPERT));
    if (d.fs > 0) out.push(saved('shared_experts', 'shared expert products', [d.T, d.fs + d.h, 2], TOKENS));
  }
  return out;
}

/** Bytes alive beside the saved tensors while one layer runs backward: its gradients, and for MoE the exchanged copies. */
export function titanTransient(d: Dims, moe: boolean): number {
  const g = (2 * d.T * d.h) / d.sp;
  if (moe) return 2 * g + 3 * 2 * d.Te * d.h;
  return g + 3 * 2 * d.T * d.f + (d.t > 1 ? 2 * d.T * d.h : 0);
}

/** Gradients of a layer's linear outputs, which a split backward keeps from its input half to its weight half. */
export function titanHeldGradients(d: Dims, moe: boolean): number {
  const attention = d.mla
    ? d.qRank + d.heads * d.qkDim + d.kvRank + d.rope + d.heads * (d.qkDim - d.rope + d.vDim)
    : (d.heads + 2 * d.kvHeads) * d.headDim;
  const block = moe ? (d.Te / d.T) * (2 * d.fe + d.h) + 2 * d.fs : 2 * d.f;
  return 2 * d.T * (attention + block + 2 * (d.h / d.sp));
}
