import type { DType } from '../../engine/spec/numbers';
import type { ConfigNode, MapNode } from '../../syntax/tree';
import { childOf, entryOf, integerOf, mapOf, numberOf, rootMap, textOf } from '../common/nodes';
import type { ReadCompanion } from '../dialect';
import { findModel } from '../presets';

/** What the checkpoint says for itself, as far as it is at hand. */
export interface Checkpoint {
  /** `quant_method` of its quantization config. */
  readonly checkpoint: string | undefined;
  /** Format of the KV cache that the checkpoint brings scales for. */
  readonly cache: DType | undefined;
  /** Longest sequence, with what its own config scales. */
  readonly positions: number | undefined;
}

const CACHES: Readonly<Record<string, DType>> = { FP8: 'F8_E4M3', NVFP4: 'F4_E2M1' };

/** `kv_cache_quant_algo` of ModelOpt or `kv_cache_scheme` of compressed-tensors. Engines follow either where they are told nothing. */
export function cacheOf(quantization: MapNode | undefined): DType | undefined {
  const word = textOf(childOf(quantization, 'kv_cache_quant_algo'));
  if (word !== undefined) return CACHES[word.toUpperCase()];
  const scheme = mapOf(quantization, 'kv_cache_scheme');
  return textOf(childOf(scheme, 'type')) === 'float' && integerOf(childOf(scheme, 'num_bits')) === 8
    ? 'F8_E4M3'
    : undefined;
}

/** Kinds of scaling after which `max_position_embeddings` already is the scaled length. */
const CONTAINED = ['llama3', 'longrope', 'su', 'mrope', 'default'];

/** Source: vllm/config/model.py, `_get_and_verify_max_len`. */
function positionsOf(config: MapNode): number | undefined {
  const text = mapOf(config, 'text_config') ?? config;
  const stated = integerOf(childOf(text, 'max_position_embeddings'));
  const scaling: ConfigNode | undefined = childOf(text, 'rope_scaling') ?? childOf(text, 'rope_parameters');
  if (scaling?.kind !== 'map' || stated === undefined) return stated;
  const kind = textOf(childOf(scaling, 'rope_type')) ?? textOf(childOf(scaling, 'type')) ?? '';
  const factor = numberOf(entryOf(scaling, 'factor')?.value);
  if (factor === undefined || CONTAINED.includes(kind)) return stated;
  const original = integerOf(childOf(scaling, 'original_max_position_embeddings')) ?? stated;
  return Math.max(stated, Math.floor(original * factor));
}

function last(name: string): string {
  return (name.split('/').at(-1) ?? name).toLowerCase();
}

/** The checkpoint by the model's folder, or what is known of a published one. Siblings of a preset share its shape, not its length. */
export function readCheckpoint(path: string | undefined, read: ReadCompanion): Checkpoint {
  if (path === undefined || path.length === 0) return { checkpoint: undefined, cache: undefined, positions: undefined };
  const tree = read(`${path.replace(/\/+$/, '')}/config.json`)?.tree;
  const config = tree === undefined ? undefined : rootMap(tree);
  if (config !== undefined) {
    const own = mapOf(config, 'quantization_config');
    const beside = own === undefined ? read(`${path.replace(/\/+$/, '')}/hf_quant_config.json`)?.tree : undefined;
    const quantization = own ?? mapOf(beside === undefined ? undefined : rootMap(beside), 'quantization');
    const method = textOf(childOf(own, 'quant_method')) ?? (quantization === own ? undefined : 'modelopt');
    return { checkpoint: method, cache: cacheOf(quantization), positions: positionsOf(config) };
  }
  const preset = findModel(path);
  const same = preset !== undefined && last(preset.name) === last(path);
  const method = same ? preset.quantization.source?.value : undefined;
  return {
    checkpoint: method === 'none' ? undefined : method,
    cache: same ? preset.kvDType?.value : undefined,
    positions: same ? preset.model.maxPositions?.value : undefined,
  };
}
