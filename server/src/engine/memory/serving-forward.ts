import type { ModelSpec } from '../model/spec';
import { isMoeLayer } from '../model/spec';
import { sharedWidth } from '../model/feed-forward-tensors';
import { size } from '../model/tensors';
import { MIB } from './ledger';

/** PyTorch's cuBLAS workspace on sm90 and later: one 32 MiB buffer for the thread that runs the forward. */
export const CUBLAS_WORKSPACE = 32 * MIB;

const BF16 = 2;

/** Widths of one layer as one rank holds them, in elements a token. */
export interface ForwardWidths {
  readonly hidden: number;
  readonly dense: number;
  readonly expert: number;
  readonly shared: number;
  readonly experts: number;
  readonly topk: number;
  readonly queries: number;
  readonly values: number;
  readonly mla?: {
    readonly qk: number;
    readonly up: number;
    readonly out: number;
    readonly rope: number;
    readonly latent: number;
  };
}

/** Widths of a model's layers cut by the degrees of its parts. */
export function forwardWidths(
  model: ModelSpec,
  cut: { readonly attention: number; readonly dense: number; readonly shared: number; readonly expertTensor: number },
): ForwardWidths {
  const heads = Math.max(1, size(model.heads) / cut.attention);
  const nope = size(model.qkNopeHeadDim);
  const rope = size(model.qkRopeHeadDim);
  const value = size(model.vHeadDim);
  return {
    hidden: size(model.hiddenSize),
    dense: size(model.intermediateSize) / cut.dense,
    expert: size(model.expertIntermediateSize ?? model.intermediateSize) / cut.expertTensor,
    shared: sharedWidth(model) / cut.shared,
    experts: size(model.experts),
    topk: size(model.expertsPerToken),
    queries: heads * size(model.headDim),
    values: Math.max(1, size(model.kvHeads) / cut.attention) * size(model.headDim),
    ...(model.attention === 'mla'
      ? {
          mla: {
            qk: heads * (nope + rope),
            up: heads * (nope + value),
            out: heads * value,
            rope: heads * rope,
            latent: size(model.kvLoraRank) + 2 * rope,
          },
        }
      : {}),
  };
}

/** True when the model has a layer with that kind of feed-forward. */
export function hasFeedForward(model: ModelSpec, moe: boolean): boolean {
  const layers = Math.min(size(model.layers), 16_384);
  for (let layer = 0; layer < layers; layer += 1)
    if (model.feedForwardLayers?.[layer] !== false && isMoeLayer(model, layer) === moe) return true;
  return false;
}

/** What one process of transformers computes at once. */
export interface Prompt {
  readonly sequences: number;
  readonly tokens: number;
  /** Logits of every token instead of the last one of each sequence. */
  readonly allLogits?: boolean;
}

/**
 * Most bytes that an eager BF16 forward of Hugging Face transformers holds beside weights and cache.
 *
 * In a layer's feed-forward: the embeddings, the layer's input, the residual and the normed input, with gate, up and their product.
 * In MLA: queries before and after the rotary embedding, keys, the expanded latent, value and output copies.
 * In grouped experts: the routed tokens beside gate, up, activation and product, or beside the outputs, the weighted outputs and those in
 * token order, both in FP32 where the router is. Source: huggingface/transformers 5.17 models/llama/modeling_llama.py,
 * models/deepseek_v3/modeling_deepseek_v3.py, integrations/moe.py; fits rows measured on an H100 to 0.02 %.
 */
export function transformersForward(model: ModelSpec, prompt: Prompt): number {
  const w = forwardWidths(model, { attention: 1, dense: 1, shared: 1, expertTensor: 1 });
  const tokens = size(prompt.sequences) * size(prompt.tokens);
  // Embeddings stay beside the first layer's output once there is a second layer.
  const streams = size(model.layers) > 1 ? 4 : 3;
  const rotary =
    size(prompt.tokens) * (2 * BF16 * (w.mla === undefined ? size(model.headDim) : size(model.qkRopeHeadDim)) + 8);
  const candidates = [
    w.mla === undefined
      ? tokens * BF16 * (3 * w.hidden + 4 * w.queries + 2 * w.values)
      : tokens * BF16 * (3 * w.hidden + 3 * w.mla.qk + w.mla.up + w.mla.rope + 2 * w.mla.out + w.mla.latent),
  ];
  if (hasFeedForward(model, false)) candidates.push(tokens * BF16 * (streams * w.hidden + 3 * w.dense));
  if (hasFeedForward(model, true)) {
    const weighted = model.routerCorrectionBias === true || w.mla !== undefined ? 2 : 1;
    const routed = w.topk * Math.max(w.hidden + 4 * w.expert, (2 + 2 * weighted) * w.hidden) * BF16;
    // Scores are kept in FP32, choices and orders as whole numbers of eight bytes.
    const router = 4 * w.experts + 96 * w.topk;
    candidates.push(tokens * (routed + router + streams * w.hidden * BF16));
  }
  const layers = Math.max(...candidates) + rotary;
  const rows = prompt.allLogits === true ? tokens : size(prompt.sequences);
  const logits = BF16 * (rows * size(model.vocabSize) + tokens * w.hidden);
  return Math.max(layers, logits);
}
