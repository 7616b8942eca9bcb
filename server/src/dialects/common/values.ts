import type { Unresolved } from '../../plan/plan';
import type { ConfigNode, Entry, MapNode } from '../../syntax/tree';
import { booleanOf, entryOf, integerOf, isUnresolved, numberOf, placeOf, textOf, wordsOf } from './nodes';

/** Settings of one file by name, however the format nests or spells them. Interpolated values are `unknown`, never read. */
export interface ConfigValues {
  readonly entry: (name: string) => Entry | undefined;
  readonly integer: (name: string) => number | undefined;
  readonly number: (name: string) => number | undefined;
  readonly flag: (name: string) => boolean | undefined;
  readonly text: (name: string) => string | undefined;
  readonly words: (name: string) => readonly string[] | undefined;
  readonly node: (name: string) => ConfigNode | undefined;
  /** Given, but as an interpolation. */
  readonly unknown: (name: string) => boolean;
  /**
   * False where the file is only a part of what the framework reads (overrides of a recipe, a base file elsewhere):
   * then a key that is absent here may be set there, and nothing follows from its absence.
   */
  readonly complete?: boolean;
}

function isAbsent(entry: Entry): boolean {
  return entry.value.kind === 'scalar' && entry.value.value === null;
}

/** Values below `root` by dotted path. A key without a value counts as not given, as Python's None does. */
export function treeValues(root: MapNode | undefined, complete = true): ConfigValues {
  const entry = (name: string): Entry | undefined => {
    let node: ConfigNode | undefined = root;
    let found: Entry | undefined;
    for (const step of name.split('.')) {
      found = entryOf(node, step);
      if (found === undefined) return undefined;
      node = found.value;
    }
    return found === undefined || isAbsent(found) ? undefined : found;
  };
  return valuesFrom(entry, complete);
}

/** Typed reading on top of any way to find an entry. */
export function valuesFrom(entry: (name: string) => Entry | undefined, complete = true): ConfigValues {
  const node = (name: string): ConfigNode | undefined => {
    const value = entry(name)?.value;
    return value === undefined || isUnresolved(value) ? undefined : value;
  };
  return {
    entry,
    node,
    complete,
    integer: (name) => integerOf(node(name)),
    number: (name) => numberOf(node(name)),
    flag: (name) => booleanOf(node(name)),
    text: (name) => textOf(node(name)),
    words: (name) => wordsOf(node(name)),
    unknown: (name) => {
      const value = entry(name)?.value;
      return value !== undefined && isUnresolved(value);
    },
  };
}

/** Plan fields that an interpolation hides, from a table of plan field and setting. */
export function hiddenBehind(
  values: ConfigValues,
  table: readonly (readonly [string, string])[],
): readonly Unresolved[] {
  return table.flatMap(([path, name]) => {
    const found = values.entry(name);
    return found !== undefined && values.unknown(name) ? [{ path, at: placeOf(found) }] : [];
  });
}
