import type { MapNode } from '../../syntax/tree';
import { childOf, mapOf, rootMap, textOf } from './nodes';
import type { ReadCompanion } from '../dialect';
import { findModel } from '../presets';

function configOf(path: string, read: ReadCompanion, file = 'config.json'): MapNode | undefined {
  const tree = read(`${path.replace(/\/+$/, '')}/${file}`)?.tree;
  return tree === undefined ? undefined : rootMap(tree);
}

/** `model_type` of a local model, also of one whose layers are not modelled. */
export function checkpointFamily(path: string | undefined, read: ReadCompanion): string | undefined {
  const config = path === undefined || path.length === 0 ? undefined : configOf(path, read);
  return textOf(childOf(config, 'model_type'));
}

/** `quant_method` of a checkpoint: from the config.json of a local model, or what is known of a published one. Undefined: not quantized, or not known. */
export function checkpointMethod(path: string | undefined, read: ReadCompanion): string | undefined {
  if (path === undefined || path.length === 0) return undefined;
  const config = configOf(path, read);
  if (config !== undefined) return textOf(childOf(mapOf(config, 'quantization_config'), 'quant_method'));
  const source = findModel(path)?.quantization.source?.value;
  return source === undefined || source === 'none' ? undefined : source;
}

/** True where a local checkpoint of ModelOpt asks for an FP8 cache. */
export function asksForFp8Cache(path: string | undefined, read: ReadCompanion): boolean {
  if (path === undefined || path.length === 0) return false;
  const parts = [
    mapOf(configOf(path, read, 'hf_quant_config.json'), 'quantization'),
    mapOf(configOf(path, read), 'quantization_config'),
  ];
  return parts.some((part) => textOf(childOf(part, 'kv_cache_quant_algo'))?.toUpperCase() === 'FP8');
}
