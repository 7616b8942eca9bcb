import { childOf, mapOf, rootMap, textOf } from './nodes';
import type { ReadCompanion } from '../dialect';
import { findModel } from '../presets';

/** `quant_method` of a checkpoint: from the config.json of a local model, or what is known of a published one. Undefined: not quantized, or not known. */
export function checkpointMethod(path: string | undefined, read: ReadCompanion): string | undefined {
  if (path === undefined || path.length === 0) return undefined;
  const tree = read(`${path.replace(/\/+$/, '')}/config.json`)?.tree;
  const config = tree === undefined ? undefined : rootMap(tree);
  if (config !== undefined) return textOf(childOf(mapOf(config, 'quantization_config'), 'quant_method'));
  const source = findModel(path)?.quantization.source?.value;
  return source === undefined || source === 'none' ? undefined : source;
}
