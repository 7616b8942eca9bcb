import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { mapOf } from '../common/nodes';

/** One job that a file describes. */
export interface Variant {
  /** Name of the section (and index) that the job comes from; absent where a file holds one job only. */
  readonly name?: string;
  readonly root: MapNode;
}

/** More jobs than a sweep has; whoever writes more means something else. */
const MOST_VARIANTS = 256;

function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null && !node.unresolved;
}

/** Mappings are merged key by key, anything else is replaced, and null takes a key away. */
function merged(base: MapNode, over: MapNode): MapNode {
  const entries = new Map<string, Entry>(base.entries.map((entry) => [entry.key, entry]));
  for (const entry of over.entries) {
    const below = entries.get(entry.key);
    if (isNull(entry.value)) entries.delete(entry.key);
    else if (below?.value.kind === 'map' && entry.value.kind === 'map')
      entries.set(entry.key, { ...below, value: merged(below.value, entry.value) });
    else entries.set(entry.key, entry);
  }
  return { ...base, entries: [...entries.values()] };
}

/** Number of jobs of a zipped section: the length of its lists, those of one item aside. Undefined where lengths differ. */
function zipLength(node: MapNode): number | undefined {
  const lengths = node.entries.flatMap(({ value }) => {
    if (value.kind === 'list') return [value.items.length];
    return value.kind === 'map' ? [zipLength(value) ?? Number.NaN] : [];
  });
  const several = [...new Set(lengths.filter((length) => length !== 1))];
  if (several.length > 1 || several.some((length) => !(length > 0))) return undefined;
  return several[0] ?? 1;
}

function slice(node: MapNode, index: number): MapNode {
  const entries = node.entries.flatMap((entry): Entry[] => {
    const { value } = entry;
    if (value.kind === 'map') return [{ ...entry, value: slice(value, index) }];
    if (value.kind !== 'list') return [entry];
    const item = value.items[value.items.length === 1 ? 0 : index];
    return item === undefined ? [] : [{ ...entry, value: item }];
  });
  return { ...node, entries };
}

function variantsOf(base: MapNode, { key, value }: Entry): Variant[] {
  if (value.kind !== 'map') return [];
  if (key.startsWith('override_')) return [{ name: key, root: merged(base, value) }];
  const count = key.startsWith('zip_override_') ? zipLength(value) : 0;
  return Array.from({ length: Math.min(count ?? 0, MOST_VARIANTS) }, (_, index) => ({
    name: `${key}[${index}]`,
    root: merged(base, slice(value, index)),
  }));
}

/**
 * The jobs of a file: itself, or `base` with every `override_*` merged in and every `zip_override_*` dealt out index by index. The base
 * alone is no job where there are overrides: nobody submits it without asking for it.
 * Source: NVIDIA/srt-slurm, src/srtctl/core/config.py (`deep_merge`, `expand_zip_override`, `_apply_zip_slice`).
 */
export function jobVariants(root: MapNode): Variant[] {
  const base = mapOf(root, 'base');
  if (base === undefined) return [{ root }];
  const variants = root.entries.flatMap((entry) => variantsOf(base, entry)).slice(0, MOST_VARIANTS);
  return variants.length === 0 ? [{ root: base }] : variants;
}
