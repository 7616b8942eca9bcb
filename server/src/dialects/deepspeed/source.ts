import type { Finding } from '../../plan/finding';
import type { Place, Sourced, Unresolved } from '../../plan/plan';
import type { Entry, MapNode } from '../../syntax/tree';
import type { Condition } from '../common/conditions';
import { entryOf, keyPlaceOf, placeOf } from '../common/nodes';
import { valuesFrom, type ConfigValues } from '../common/values';

/** One file of several that a framework reads as one: the document itself, a base it builds on, a file that it names. */
export interface Layer {
  readonly root: MapNode;
  /** Absent for the document itself. */
  readonly uri?: string;
  /** Dotted path under which the keys of this file appear; empty for the top. */
  readonly prefix: string;
}

/** Settings of several files under one set of names; later layers win. */
export interface Source extends ConfigValues {
  readonly uriOf: (name: string) => string | undefined;
}

interface Found {
  readonly entry: Entry;
  readonly uri?: string;
}

/** The part of a name that a layer knows it by; undefined where the name lies outside. */
function within(prefix: string, name: string): string | undefined {
  if (prefix === '') return name;
  return name.startsWith(`${prefix}.`) ? name.slice(prefix.length + 1) : undefined;
}

function entryAt(root: MapNode, name: string): Entry | undefined {
  let found: Entry | undefined;
  for (const step of name.split('.')) {
    found = entryOf(found === undefined ? root : found.value, step);
    if (found === undefined) return undefined;
  }
  return found;
}

/** One view on several files. A key without a value hides what an earlier layer says, as it does in Python. */
export function layered(layers: readonly Layer[], complete = true): Source {
  const find = (name: string): Found | undefined => {
    for (const { root, uri, prefix } of layers.toReversed()) {
      const inner = within(prefix, name);
      const entry = inner === undefined ? undefined : entryAt(root, inner);
      if (entry === undefined) continue;
      if (entry.value.kind === 'scalar' && entry.value.value === null) return undefined;
      return { entry, ...(uri === undefined ? {} : { uri }) };
    }
    return undefined;
  };
  return { ...valuesFrom((name) => find(name)?.entry, complete), uriOf: (name) => find(name)?.uri };
}

/** Where a setting stands, in whichever file. */
export function placeIn(source: Source, name: string, onKey = false): Place | undefined {
  const entry = source.entry(name);
  if (entry === undefined) return undefined;
  const uri = source.uriOf(name);
  return { ...(onKey ? keyPlaceOf(entry) : placeOf(entry)), ...(uri === undefined ? {} : { uri }) };
}

/** A value read from a setting, at its place in the document or in a companion. */
export function taken<T>(source: Source, name: string, value: T | undefined, note?: string): Sourced<T> | undefined {
  const entry = source.entry(name);
  const at = placeIn(source, name);
  if (entry === undefined || value === undefined || at === undefined) return undefined;
  return {
    value,
    origin: at.uri === undefined ? 'file' : 'companion',
    at,
    label: entry.key,
    ...(note === undefined ? {} : { note }),
  };
}

/** A value that follows from a setting without being it. */
export function follows<T>(source: Source, name: string, value: T | undefined, note: string): Sourced<T> | undefined {
  const found = taken(source, name, value, note);
  return found === undefined ? undefined : { ...found, origin: found.origin === 'file' ? 'derived' : found.origin };
}

/** Plan fields whose setting is there but cannot be known. `auto` is no such value: the framework fills it. */
export function hidden(source: Source, table: readonly (readonly [string, string])[]): readonly Unresolved[] {
  return table.flatMap(([path, name]) => {
    const at = source.unknown(name) ? placeIn(source, name) : undefined;
    return at === undefined ? [] : [{ path, at }];
  });
}

/** True for the word `auto`, which somebody else replaces before the framework reads it. */
export function isAuto(source: ConfigValues, name: string): boolean {
  return source.text(name) === 'auto';
}

function findingOf(condition: Condition<Source>, source: Source, message: string): Finding | undefined {
  const places = condition.keys.flatMap((key) => {
    const at = placeIn(source, key, condition.onKey);
    return at === undefined ? [] : [{ at, name: source.entry(key)?.key ?? key }];
  });
  const first = places.find(({ at }) => at.uri === undefined);
  // A fault that stands wholly in another file is told there, when that file is open.
  if (first === undefined && places.length > 0) return undefined;
  const others = places.filter((place) => place !== first);
  const fixes = condition.fixes?.(source) ?? [];
  return {
    rule: condition.rule,
    severity: condition.severity,
    message,
    source: condition.source,
    ...(first === undefined ? {} : { at: first.at }),
    ...(others.length === 0
      ? {}
      : { related: others.map(({ at, name }) => ({ at, message: `\`${name}\` stands here` })) }),
    ...(fixes.length === 0 ? {} : { fixes }),
  };
}

/** Findings of all conditions that hold over several files; one with an interpolated setting stays silent. */
export function checkSource(conditions: readonly Condition<Source>[], source: Source): Finding[] {
  return conditions.flatMap((condition): Finding[] => {
    if (condition.keys.some((key) => source.unknown(key))) return [];
    const message = condition.says(source);
    const found = message === undefined ? undefined : findingOf(condition, source, message);
    return found === undefined ? [] : [found];
  });
}
