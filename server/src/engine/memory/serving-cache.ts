import { kvCache } from '../model/kv-cache';
import { size } from '../model/tensors';
import type { CacheCells } from './kv-cache';
import type { ServingInput } from './input';

/** What a pool of bytes holds on one rank. */
export interface Capacity {
  /** Tokens as the engine reports them. */
  readonly tokens: number;
  /** Bytes of the pool that pages and states really take. */
  readonly bytes: number;
}

/** No context is longer; a larger number in a file must not make a product overflow. */
const LONGEST = 2 ** 31;

function contextOf({ serving, model }: ServingInput): number {
  return Math.min(LONGEST, size(serving.contextLength) || size(model.maxPositions) || 4096);
}

function pageOf({ serving }: ServingInput): number {
  return Math.max(1, size(serving.pageSize));
}

/** Sequences' states that SGLang keeps: stated, or the share `r / (1 + r)` of the pool, less the slot that padding uses. */
function stateSlots(input: ServingInput, pool: number, state: number): number {
  const stated = size(input.serving.stateSlots);
  if (stated > 0) return stated;
  const ratio = Math.max(0, input.serving.stateRatio ?? 0.9);
  return Math.max(0, Math.floor((pool * ratio) / (1 + ratio) / state) - 1);
}

/**
 * SGLang: recurrent states first, then whole pages of tokens; sliding-window layers hold `swa_full_tokens_ratio` (0.8) of the tokens of
 * the others. Source: python/sglang/srt/model_executor/pool_configurator.py and mem_cache/kv_cache_configurator.py.
 */
export function sglangCapacity(input: ServingInput, pool: number, cells: CacheCells): Capacity {
  const states = cells.state > 0 ? (stateSlots(input, pool, cells.state) + 1) * cells.state : 0;
  const sliding = input.serving.uniformCache === true || cells.full === 0 ? 1 : (input.serving.slidingRatio ?? 0.8);
  const cell = cells.full + sliding * cells.sliding;
  const page = pageOf(input);
  const tokens = cell > 0 ? Math.floor(Math.max(0, pool - states) / cell / page) * page : 0;
  return { tokens, bytes: Math.min(pool, tokens * cell + states) };
}

/**
 * TensorRT-LLM: whole blocks. Windows get pools by the bytes a token costs in their layers, so all of them hold the same tokens
 * (_torch/pyexecutor/_util.py, resource_manager.py calculate_max_num_blocks).
 */
export function tensorrtCapacity(input: ServingInput, pool: number, cells: CacheCells): Capacity {
  const batch = size(input.serving.maxConcurrency) || 2048;
  const states = Math.min(pool, batch * cells.state);
  const cell = cells.full + cells.sliding;
  const page = pageOf(input);
  const tokens = cell > 0 ? Math.floor((pool - states) / cell / page) * page : 0;
  return { tokens, bytes: tokens * cell + states };
}

/** Layers of one kind in a hybrid cache of vLLM: blocks that a sequence of the longest context takes in one group of such layers. */
interface Group {
  readonly layers: number;
  readonly blocks: number;
}

/** Layers a group: those of the rarest kind, or of the commonest where the kinds are nearly as many (vLLM kv_cache_utils.py, get_kv_cache_groups). */
function groupSize(groups: readonly Group[]): number {
  const counts = groups.map(({ layers }) => layers);
  const least = Math.min(...counts);
  const most = Math.max(...counts);
  return most < 1.5 * least ? most : least;
}

/** Tokens of one attention block: raised until a page of attention is as large as a state (vLLM platforms/interface.py, _align_hybrid_block_size). */
export function hybridBlock(state: number, cell: number, base: number): number {
  return state > 0 && cell > 0 ? base * Math.max(1, Math.ceil(state / (base * cell))) : base;
}

/**
 * vLLM: blocks of equal bytes shared by groups of layers. Its figure is the concurrency at the longest context times that context.
 * One kind of layer: blocks × block size. Source: vllm/v1/core/kv_cache_utils.py, get_kv_cache_config_from_groups and get_max_concurrency_for_kv_cache_config.
 */
export function vllmCapacity(input: ServingInput, pool: number, cells: CacheCells): Capacity {
  const { serving } = input;
  const context = contextOf(input);
  const layers = cells.fullLayers + (serving.uniformCache === true ? cells.slidingLayers : 0);
  const sliding = serving.uniformCache === true ? 0 : cells.slidingLayers;
  const cell = cells.layer;
  const interleaved = Math.max(1, size(serving.decodeContext));
  const state = cells.stateLayers > 0 ? cells.state / cells.stateLayers : 0;
  const block = hybridBlock(state, cell, Math.max(1, pageOf(input)));
  if (sliding === 0 && cells.stateLayers === 0) {
    const all = cells.full + cells.sliding;
    const tokens = all > 0 ? Math.floor(pool / (all * block)) * block : 0;
    return { tokens: tokens * interleaved, bytes: tokens * all };
  }
  const page = cell > 0 ? block * cell : state;
  const window = Math.min(context, size(cells.window) - 1 + (size(serving.chunkedPrefill) || 8192));
  const groups: Group[] = [];
  if (layers > 0) groups.push({ layers, blocks: Math.ceil(context / (block * interleaved)) });
  if (sliding > 0)
    groups.push({ layers: sliding, blocks: Math.min(Math.ceil(window / block) + 1, Math.ceil(context / block)) });
  if (cells.stateLayers > 0) {
    const kept = serving.prefixCaching === false ? 1 : 2;
    groups.push({ layers: cells.stateLayers, blocks: kept + size(serving.speculativeTokens) });
  }
  const perGroup = groupSize(groups);
  const needed = groups.reduce((sum, { layers: count, blocks }) => sum + Math.ceil(count / perGroup) * blocks, 0);
  const blocks = Math.floor(pool / page / perGroup);
  return {
    tokens: needed > 0 ? Math.floor((blocks / needed) * context) : 0,
    bytes: blocks * page * perGroup,
  };
}

/** Tokens that one forward of plain transformers caches, and their bytes with sliding windows and states. */
export function promptCache(input: ServingInput): Capacity {
  const { model, serving } = input;
  const prompt = serving.prompt ?? { sequences: 0, tokens: 0 };
  const cache = kvCache(model, serving.kvDType, 'plain', { tensor: 1, attentionData: 1 });
  const long = size(prompt.cacheTokens) || size(prompt.tokens);
  const kept = Math.min(long, cache.window ?? long);
  const sequences = size(prompt.sequences);
  return {
    tokens: sequences * long,
    bytes: sequences * (long * cache.fullBytesPerToken + kept * cache.slidingBytesPerToken + cache.stateBytes),
  };
}

/**
 * What a prompt as long as the window of sliding layers holds besides: a mask of one byte a pair of tokens, and the tokens before the
 * window, whose memory the slices in a growing cache keep alive (transformers 5.17, masking_utils.py and cache_utils.py,
 * DynamicSlidingWindowLayer.update). Bytes; 0 for other models and shorter prompts.
 */
export function windowBytes({ model, serving }: ServingInput): number {
  const prompt = serving.prompt ?? { sequences: 0, tokens: 0 };
  const { window, slidingBytesPerToken } = kvCache(model, serving.kvDType, 'plain', { tensor: 1, attentionData: 1 });
  const tokens = size(prompt.tokens);
  if (window === undefined || slidingBytesPerToken === 0 || tokens < window || size(prompt.cacheTokens) > 0) return 0;
  return tokens ** 2 + size(prompt.sequences) * (tokens - window) * slidingBytesPerToken;
}

/** Tokens that a pool of bytes holds, by the rule of the engine. */
export function capacityOf(input: ServingInput, pool: number, cells: CacheCells): Capacity {
  if (!(pool > 0)) return { tokens: 0, bytes: 0 };
  const own =
    input.serving.stack === 'sglang'
      ? sglangCapacity(input, pool, cells)
      : input.serving.stack === 'tensorrt-llm'
        ? tensorrtCapacity(input, pool, cells)
        : vllmCapacity(input, pool, cells);
  const most = input.serving.maxCacheTokens;
  if (most === undefined || !(most > 0) || own.tokens <= most) return own;
  return { tokens: Math.floor(most), bytes: (own.bytes * Math.floor(most)) / own.tokens };
}
