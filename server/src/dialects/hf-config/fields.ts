import type { Sourced, Unresolved } from '../../plan/plan';
import type { ConfigNode, Entry, ListNode, MapNode } from '../../syntax/tree';
import { entryOf, isUnresolved, placeOf } from '../common/nodes';
import { written } from '../common/sourced';
import type { Notes } from './findings';

/** Reads the keys of one config map by any of their names; what cannot be a value is told and left unknown. */
export interface Fields {
  readonly map: MapNode;
  /** First of the keys that is there and not null. */
  readonly entry: (...keys: string[]) => Entry | undefined;
  /** A whole number of at least `least` (1 unless told). */
  readonly size: (keys: readonly string[], least?: number) => Sourced<number> | undefined;
  readonly flag: (...keys: string[]) => Sourced<boolean> | undefined;
  readonly text: (...keys: string[]) => Sourced<string> | undefined;
  readonly list: (...keys: string[]) => { readonly entry: Entry; readonly node: ListNode } | undefined;
  readonly inner: (key: string) => Fields | undefined;
}

/** Larger than any real dimension by orders of magnitude, and still exact in every product that counts. */
const LARGEST_SIZE = 2 ** 31;

function describe(node: ConfigNode): string {
  if (node.kind !== 'scalar') return node.kind === 'list' ? 'a list' : 'a mapping';
  return node.raw.length > 40 ? `${node.raw.slice(0, 40)}…` : node.raw;
}

function wholeNumber(entry: Entry, least: number, notes: Notes): number | undefined {
  const { value: node, key } = entry;
  if (node.kind !== 'scalar' || (typeof node.value !== 'number' && typeof node.value !== 'bigint')) {
    notes.add(
      'wrong-type',
      'error',
      placeOf(entry),
      `\`${key}\` is ${describe(node)}, and has to be a whole number of at least ${least}.`,
    );
    return undefined;
  }
  const value = Number(node.value);
  if (Number.isInteger(value) && value >= least && value <= LARGEST_SIZE) return value;
  const nearest = Number.isFinite(value) ? Math.min(LARGEST_SIZE, Math.max(least, Math.round(value))) : least;
  notes.add(
    'size-not-positive',
    'error',
    placeOf(entry),
    `\`${key}: ${describe(node)}\` is not possible: it has to be a whole number from ${least} to 2^31; ${nearest} is the nearest.`,
  );
  return undefined;
}

function isNull(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null && !node.unresolved;
}

/** A reader over `map`; `outer` is asked where a nested text config leaves a key out. */
export function fieldsOf(map: MapNode, notes: Notes, unresolved: Unresolved[], outer?: MapNode): Fields {
  const entry = (...keys: string[]): Entry | undefined => {
    for (const place of outer === undefined ? [map] : [map, outer]) {
      for (const key of keys) {
        const found = entryOf(place, key);
        if (found !== undefined && !isNull(found.value)) return found;
      }
    }
    return undefined;
  };
  const known = (keys: readonly string[]): Entry | undefined => {
    const found = entry(...keys);
    if (found === undefined || !isUnresolved(found.value)) return found;
    unresolved.push({ path: `model.${found.key}`, at: placeOf(found) });
    return undefined;
  };
  return {
    map,
    entry,
    size: (keys, least = 1) => {
      const found = known(keys);
      const value = found === undefined ? undefined : wholeNumber(found, least, notes);
      return found === undefined || value === undefined ? undefined : written(value, found);
    },
    flag: (...keys) => {
      const found = known(keys);
      if (found?.value.kind !== 'scalar') return undefined;
      return typeof found.value.value === 'boolean' ? written(found.value.value, found) : undefined;
    },
    text: (...keys) => {
      const found = known(keys);
      if (found?.value.kind !== 'scalar') return undefined;
      return typeof found.value.value === 'string' ? written(found.value.value, found) : undefined;
    },
    list: (...keys) => {
      const found = known(keys);
      return found?.value.kind === 'list' ? { entry: found, node: found.value } : undefined;
    },
    inner: (key) => {
      const found = entryOf(map, key)?.value;
      return found?.kind === 'map' ? fieldsOf(found, notes, unresolved) : undefined;
    },
  };
}

/** Whole numbers of a list; undefined where any item is something else. */
export function integersOf(node: ListNode): number[] | undefined {
  const values = node.items.map((item) =>
    item.kind === 'scalar' && typeof item.value === 'number' ? item.value : undefined,
  );
  return values.every((value) => value !== undefined && Number.isInteger(value)) ? (values as number[]) : undefined;
}

/** Texts of a list; undefined where any item is something else. */
export function textsOf(node: ListNode): string[] | undefined {
  const values = node.items.map((item) =>
    item.kind === 'scalar' && typeof item.value === 'string' ? item.value : undefined,
  );
  return values.every((value) => value !== undefined) ? (values as string[]) : undefined;
}
