import { DTYPE_BITS } from '../spec/numbers';
import { kvCache } from '../model/kv-cache';
import type { ModelSpec } from '../model/spec';
import type { StageContent } from '../layout/stages';
import { size } from '../model/tensors';
import type { ServingInput } from './input';
import { usableBytes } from './serving-usable';

/** Bytes of one token's cache in one layer on one rank, and the formula. */
export interface CacheCell {
  readonly bytes: number;
  readonly formula: string;
}

/** The cache of one stage on one rank: bytes a token by kind of layer, and bytes a sequence. */
export interface CacheCells {
  /** Bytes of one token in all layers that keep every token, draft layers included. */
  readonly full: number;
  /** Bytes of one token in all sliding-window layers. */
  readonly sliding: number;
  readonly window: number;
  /** Bytes a sequence of recurrent layers, whatever its length. */
  readonly state: number;
  readonly fullLayers: number;
  readonly slidingLayers: number;
  readonly stateLayers: number;
  /** Bytes of one token in one attention layer. */
  readonly layer: number;
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
    const rank = size(model.kvLoraRank);
    const rope = size(model.qkRopeHeadDim);
    const indexer = size(model.indexHeads) > 0 ? (size(model.indexHeadDim) || 128) + 4 : 0;
    const plain = serving.kvLayout !== 'fp8-ds-mla';
    const scales = Math.ceil(rank / 128);
    const record = plain ? (rank + rope) * bytes : rank + scales * 4 + rope * 2;
    const text = plain ? `(${rank} + ${rope}) × ${bytes} B` : `${rank} + ${scales} × 4 + ${rope} × 2 B`;
    return { bytes: record + indexer, formula: indexer > 0 ? `${text} + ${indexer} B` : text };
  }
  const attention = Math.max(1, layout.tensor / layout.attentionData);
  const heads = Math.max(1, Math.ceil(size(model.kvHeads) / attention));
  return {
    bytes: 2 * heads * size(model.headDim) * bytes,
    formula: `2 × ${heads} × ${size(model.headDim)} × ${bytes} B`,
  };
}

/** The layers of one stage as a model of their own, so that the model's own cache arithmetic answers for a stage. */
function stageModel(model: ModelSpec, { firstLayer, layers }: StageContent): ModelSpec {
  const cut = <T>(list: readonly T[] | undefined): readonly T[] | undefined =>
    list?.slice(firstLayer, firstLayer + layers);
  const mixers = cut(model.mixers);
  const slidingLayers = cut(model.slidingLayers);
  const indexerLayers = cut(model.indexerLayers);
  return {
    ...model,
    layers,
    ...(mixers === undefined ? {} : { mixers }),
    ...(slidingLayers === undefined ? {} : { slidingLayers }),
    ...(indexerLayers === undefined ? {} : { indexerLayers }),
  };
}

function countLayers(model: ModelSpec): { full: number; sliding: number; state: number } {
  const out = { full: 0, sliding: 0, state: 0 };
  const window = size(model.slidingWindow) > 0;
  for (let layer = 0; layer < Math.min(size(model.layers), 16_384); layer += 1) {
    const mixer = model.mixers?.[layer] ?? 'attention';
    if (mixer === 'delta' || mixer === 'mamba2') out.state += 1;
    else if (mixer === 'attention') out[window && model.slidingLayers?.[layer] === true ? 'sliding' : 'full'] += 1;
  }
  return out;
}

/** The cache cells of one stage; layers of a draft head that caches count as layers that keep every token. */
export function cacheCells(input: ServingInput, stage: StageContent): CacheCells {
  const { serving, layout } = input;
  const model = stageModel(input.model, stage);
  const stateDType = serving.stateDType ?? 'F32';
  const cache = kvCache(model, serving.kvDType, serving.kvLayout, layout, stateDType);
  const counted = countLayers(model);
  const drafting = size(serving.speculativeTokens) > 0 && stage.head;
  const drafts = drafting ? size(input.model.mtpLayers) : 0;
  const { bytes } = cacheCell(input);
  return {
    full: cache.fullBytesPerToken + drafts * bytes + (drafting ? usableBytes(serving.draftBytesPerToken) : 0),
    sliding: cache.slidingBytesPerToken,
    window: cache.window ?? 0,
    state: cache.stateBytes,
    fullLayers: counted.full + drafts,
    slidingLayers: counted.sliding,
    stateLayers: counted.state,
    layer: bytes,
  };
}
