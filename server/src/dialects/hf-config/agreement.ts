import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { entryOf, isScalar, mapOf, placeOf, rootMap, textOf } from '../common/nodes';
import type { Companion, ReadCompanion } from '../dialect';

/** Keys that a quantization file repeats from its config, by file. */
const REPEATED: Readonly<Record<string, readonly string[]>> = {
  'quantize_config.json': ['bits', 'group_size', 'desc_act', 'sym'],
  'hf_quant_config.json': ['quant_algo', 'kv_cache_quant_algo', 'group_size'],
};

function stated(map: MapNode | undefined, key: string): { readonly entry: Entry; readonly text: string } | undefined {
  const entry = entryOf(map, key);
  const text = textOf(entry?.value);
  if (entry === undefined || text === undefined || !isScalar(entry.value) || entry.value.value === null)
    return undefined;
  return { entry, text };
}

/** The quantization of a companion, whichever way it holds it. */
function sectionOf(companion: Companion | undefined): MapNode | undefined {
  const root = companion === undefined ? undefined : rootMap(companion.tree);
  return mapOf(root, 'quantization_config') ?? mapOf(root, 'quantization') ?? root;
}

/** Differences between the quantization here and in `file`: engines differ in which of the two they follow. */
function differences(own: MapNode, other: Companion, keys: readonly string[], file: string): Finding[] {
  const section = sectionOf(other);
  return keys.flatMap((key): Finding[] => {
    const [here, there] = [stated(own, key), stated(section, key)];
    if (here === undefined || there === undefined || here.text.toLowerCase() === there.text.toLowerCase()) return [];
    return [
      {
        rule: 'quantization-files-differ',
        severity: 'warning',
        at: placeOf(here.entry),
        related: [{ at: { ...placeOf(there.entry), uri: other.uri }, message: `${key} in ${file}` }],
        message: `\`${key}\` is ${here.text} here and ${there.text} in ${file}; engines differ in which file they follow, so make both say the same.`,
      },
    ];
  });
}

/** What a config and the quantization file beside it say differently. */
export function agreement(quantization: MapNode | undefined, read: ReadCompanion): Finding[] {
  if (quantization === undefined) return [];
  const method = textOf(entryOf(quantization, 'quant_method')?.value);
  const file = method === 'gptq' ? 'quantize_config.json' : method === 'modelopt' ? 'hf_quant_config.json' : undefined;
  const companion = file === undefined ? undefined : read(file);
  return file === undefined || companion === undefined
    ? []
    : differences(quantization, companion, REPEATED[file] ?? [], file);
}

/** The same from the other side: a quantization file against the config that it belongs to. */
export function agreementWithConfig(root: MapNode, read: ReadCompanion): Finding[] {
  const own = mapOf(root, 'quantization') ?? root;
  const companion = read('config.json');
  const config = companion === undefined ? undefined : rootMap(companion.tree);
  if (companion === undefined || mapOf(config, 'quantization_config') === undefined) return [];
  return differences(own, companion, [...new Set(Object.values(REPEATED).flat())], 'config.json');
}
