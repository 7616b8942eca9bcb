import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { childOf, entryOf, mapOf } from '../common/nodes';
import { valuesFrom, type ConfigValues } from '../common/values';
import { trtSchema } from './schema-data';

/** Fields of TensorRT-LLM by dotted path, however the file spells them. */
export type TrtValues = ConfigValues;

/** Short names and names of earlier releases by the field they set. */
const OTHER_NAMES: ReadonlyMap<string, readonly string[]> = (() => {
  const table = new Map<string, string[]>();
  for (const names of [trtSchema['x-wrapper'], trtSchema['x-removed']])
    for (const [name, field] of Object.entries(names))
      if (field !== null && field !== 'disable_overlap_scheduler')
        table.set(field, [...(table.get(field) ?? []), name]);
  return table;
})();

function nested(root: MapNode | undefined, path: string): Entry | undefined {
  let node: ConfigNode | undefined = root;
  let found: Entry | undefined;
  for (const step of path.split('.')) {
    found = entryOf(node, step);
    node = found?.value;
  }
  return found?.value.kind === 'scalar' && found.value.value === null ? undefined : found;
}

/**
 * Fields of several mappings, the first of them before the others: a command line before the file that it names. `complete` is false for a
 * file alone: the command that names it may say more.
 */
export function trtValues(roots: readonly (MapNode | undefined)[], complete = true): TrtValues {
  return valuesFrom((name) => {
    for (const root of roots) {
      const found =
        nested(root, name) ??
        (OTHER_NAMES.get(name) ?? []).map((other) => nested(root, other)).find((entry) => entry !== undefined);
      if (found !== undefined) return found;
    }
    return undefined;
  }, complete);
}

/** True where degrees that are not given are those of the framework, not those of a command elsewhere. */
export function layoutIsHere(values: TrtValues): boolean {
  return values.complete !== false || values.entry('tensor_parallel_size') !== undefined;
}

/** The LLM API part of a wrapper file, or the file itself. */
export function apiMap(root: MapNode): MapNode {
  return mapOf(root, 'llm_api_args') ?? root;
}

export function isWrapper(root: MapNode): boolean {
  return (
    childOf(root, 'llm_api_args') !== undefined ||
    Object.keys(trtSchema['x-wrapper']).some((name) => name !== 'kv_cache_dtype' && entryOf(root, name) !== undefined)
  );
}
