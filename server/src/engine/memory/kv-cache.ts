import { DTYPE_BITS } from '../spec/numbers';
import type { ServingInput } from './input';

/** Bytes of one token's cache in one layer on one rank, and the formula. */
export interface CacheCell {
  readonly bytes: number;
  readonly formula: string;
}

/**
 * Cache of one token in one layer on one rank.
 * Grouped-query: keys and values of the rank's KV heads, never below one head. MLA: one latent and rope key, whole on every
 * tensor-parallel rank; FlashMLA's FP8 record is 656 bytes (512 E4M3, four FP32 scales, 64 BF16); the sparse-attention
 * indexer of DeepSeek-V3.2 adds 132 (128 FP8, one FP32).
 */
export function cacheCell(input: ServingInput): CacheCell {
  const { model, layout, serving } = input;
  const bytes = DTYPE_BITS[serving.kvDType] / 8;
  if (model.attention === 'mla') {
    const rank = model.kvLoraRank ?? 0;
    const rope = model.qkRopeHeadDim ?? 0;
    const indexer = (model.indexHeads ?? 0) > 0 ? (model.indexHeadDim ?? 128) + 4 : 0;
    const plain = serving.kvLayout !== 'fp8-ds-mla';
    const record = plain ? (rank + rope) * bytes : rank + (rank / 128) * 4 + rope * 2;
    const text = plain
      ? `(${String(rank)} + ${String(rope)}) × ${String(bytes)} B`
      : `${String(rank)} + ${String(rank / 128)} × 4 + ${String(rope)} × 2 B`;
    return { bytes: record + indexer, formula: indexer > 0 ? `${text} + ${String(indexer)} B` : text };
  }
  const attention = Math.max(1, layout.tensor / layout.attentionData);
  const heads = Math.max(1, model.kvHeads / attention);
  return {
    bytes: 2 * heads * model.headDim * bytes,
    formula: `2 × ${String(heads)} × ${String(model.headDim)} × ${String(bytes)} B`,
  };
}

/** Bytes of one token over the layers of one stage; a draft head that caches adds its layers. */
export function cacheBytesPerToken(input: ServingInput, layers: number): number {
  const draft = (input.serving.speculativeTokens ?? 0) > 0 ? (input.model.mtpLayers ?? 0) : 0;
  return cacheCell(input).bytes * (layers + draft);
}
