import { DTYPE_BITS, type DType } from '../spec/numbers';
import { layerCount } from './inventory';
import type { ModelSpec } from './spec';
import { size } from './tensors';

export type KvLayout = 'plain' | 'fp8-ds-mla';

/** How attention is cut: `attentionData` groups of `tensor / attentionData` ranks each. */
export interface KvShard {
  readonly tensor: number;
  readonly attentionData: number;
}

/** What one rank caches for one sequence. */
export interface KvCache {
  /** Bytes of one token over all caching layers, sliding ones included. */
  readonly bytesPerToken: number;
  /** The part of it in layers that keep every token. */
  readonly fullBytesPerToken: number;
  /** The part in sliding-window layers, which stop growing at `window` tokens. */
  readonly slidingBytesPerToken: number;
  readonly window?: number;
  /** Bytes a sequence whatever its length: recurrent and convolution states of delta and Mamba-2 layers. */
  readonly stateBytes: number;
}

/** Scales of the FlashMLA record: one FP32 for every 128 latent values. */
const LATENT_SCALE_GROUP = 128;

/**
 * Bytes of one token in one MLA layer. The latent and the rotary key are shared by all heads, so every tensor-parallel rank keeps
 * them whole. `fp8-ds-mla` is FlashMLA's record: E4M3 latent, FP32 scales, BF16 rope (656 bytes for 512 + 64).
 * DSA adds the indexer's key: one E4M3 vector and its FP32 scale (132 bytes for 128). Source: deepseek-ai/FlashMLA README, vLLM v1/attention/backends/mla/indexer.py.
 */
function latentCell(model: ModelSpec, dtype: DType, layout: KvLayout, indexer: boolean): number {
  const rank = size(model.kvLoraRank);
  const rope = size(model.qkRopeHeadDim);
  const plain = ((rank + rope) * DTYPE_BITS[dtype]) / 8;
  const record = rank + Math.ceil(rank / LATENT_SCALE_GROUP) * 4 + rope * 2;
  const key = indexer ? size(model.indexHeadDim) + 4 : 0;
  return (layout === 'fp8-ds-mla' ? record : plain) + key;
}

/** Keys and values of the KV heads on one rank; never less than one head, which is then kept on several ranks. */
function groupedCell(model: ModelSpec, dtype: DType, { tensor, attentionData }: KvShard): number {
  const ranks = Math.max(1, size(tensor) / Math.max(1, size(attentionData)));
  const heads = Math.max(1, Math.ceil(size(model.kvHeads) / ranks));
  return (2 * heads * size(model.headDim) * DTYPE_BITS[dtype]) / 8;
}

/** State of one recurrent layer for one sequence: a matrix a head (FP32 unless told otherwise), and the last inputs of the convolution in 16 bits. */
function stateCell(model: ModelSpec, mixer: 'delta' | 'mamba2', ranks: number, dtype: DType): number {
  const bytes = DTYPE_BITS[dtype] / 8;
  const past = Math.max(0, size(model.convKernel) - 1);
  if (mixer === 'delta') {
    const heads = size(model.linearValueHeads);
    const keys = size(model.linearKeyHeads) * size(model.linearKeyHeadDim);
    const values = heads * size(model.linearValueHeadDim);
    const matrices = heads * size(model.linearKeyHeadDim) * size(model.linearValueHeadDim);
    return (bytes * matrices + 2 * past * (2 * keys + values)) / ranks;
  }
  const inner = size(model.ssmHeads) * size(model.ssmHeadDim);
  const channels = inner + 2 * size(model.ssmGroups) * size(model.ssmStateSize);
  return (bytes * inner * size(model.ssmStateSize) + 2 * past * channels) / ranks;
}

/** The cache of one sequence on one rank. Tensor parallelism divides KV heads and states, never an MLA latent; DP attention divides the sequences, not the bytes. */
export function kvCache(
  model: ModelSpec,
  dtype: DType,
  layout: KvLayout,
  shard: KvShard,
  stateDType: DType = 'F32',
): KvCache {
  const mla = model.attention === 'mla';
  const ranks = Math.max(1, size(shard.tensor) / Math.max(1, size(shard.attentionData)));
  const window = size(model.slidingWindow);
  const count = layerCount(model);
  let full = 0;
  let sliding = 0;
  let state = 0;
  for (let layer = 0; layer < count; layer += 1) {
    const mixer = model.mixers?.[layer] ?? 'attention';
    if (mixer === 'delta' || mixer === 'mamba2') state += stateCell(model, mixer, ranks, stateDType);
    if (mixer !== 'attention') continue;
    const indexer = size(model.indexHeads) > 0 && (model.indexerLayers?.[layer] ?? true);
    const cell = mla ? latentCell(model, dtype, layout, indexer) : groupedCell(model, dtype, shard);
    if (window > 0 && model.slidingLayers?.[layer] === true) sliding += cell;
    else full += cell;
  }
  return {
    bytesPerToken: full + sliding,
    fullBytesPerToken: full,
    slidingBytesPerToken: sliding,
    stateBytes: state,
    ...(window > 0 && sliding > 0 ? { window } : {}),
  };
}

/** Bytes that one token adds to the cache of one rank: 70,272 for DeepSeek-V3 in BF16, whatever the tensor parallelism. */
export function kvBytesPerToken(model: ModelSpec, dtype: DType, layout: KvLayout, shard: KvShard): number {
  return kvCache(model, dtype, layout, shard).bytesPerToken;
}

/** Bytes of a sequence of `tokens` tokens on one rank: sliding layers stop at their window. */
export function kvBytesPerSequence(cache: KvCache, tokens: number): number {
  const long = size(tokens);
  return (
    long * cache.fullBytesPerToken +
    Math.min(long, cache.window ?? long) * cache.slidingBytesPerToken +
    cache.stateBytes
  );
}
