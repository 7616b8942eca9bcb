import type { Finding, Fix, Severity, SourceReference } from '../../plan/finding';
import type { Place } from '../../plan/plan';
import { keyPlaceOf, placeOf } from './nodes';
import type { ConfigValues } from './values';

/** One thing a framework does with a combination of settings: refuse it, change it silently, or ignore it. */
export interface Condition<V extends ConfigValues = ConfigValues> {
  /** Rule id; several conditions may share one. */
  readonly rule: string;
  readonly severity: Severity;
  /** Ids of the gathered start-up rules that this condition covers. */
  readonly covers: readonly string[];
  /** Settings that decide it. The finding stands at the first that the file gives; none of them may be an interpolation. */
  readonly keys: readonly string[];
  readonly source: SourceReference;
  /** The message when the condition holds; undefined otherwise, and whenever something it needs is not known. */
  readonly says: (values: V) => string | undefined;
  readonly fixes?: (values: V) => readonly Fix[];
  /** The finding marks the key instead of its value. */
  readonly onKey?: boolean;
}

/** Which gathered rules a rule id stands for; the coverage tables of the dialects are made of these. */
export interface Coverage {
  readonly rule: string;
  readonly covers: readonly string[];
}

/** The coverage of a list of conditions, one entry a rule id. */
export function coverageOf(conditions: readonly { rule: string; covers: readonly string[] }[]): readonly Coverage[] {
  const table = new Map<string, Set<string>>();
  for (const { rule, covers } of conditions) {
    const known = table.get(rule) ?? new Set<string>();
    covers.forEach((id) => known.add(id));
    table.set(rule, known);
  }
  return [...table].map(([rule, covers]) => ({ rule, covers: [...covers].sort() }));
}

function findingOf<V extends ConfigValues>(condition: Condition<V>, values: V, message: string): Finding {
  const places = condition.keys.flatMap((key): { key: string; at: Place }[] => {
    const entry = values.entry(key);
    if (entry === undefined) return [];
    return [{ key: entry.key, at: condition.onKey === true ? keyPlaceOf(entry) : placeOf(entry) }];
  });
  const [first, ...others] = places;
  const fixes = condition.fixes?.(values) ?? [];
  return {
    rule: condition.rule,
    severity: condition.severity,
    message,
    source: condition.source,
    ...(first === undefined ? {} : { at: first.at }),
    ...(others.length === 0
      ? {}
      : { related: others.map(({ key, at }) => ({ at, message: `\`${key}\` stands here` })) }),
    ...(fixes.length === 0 ? {} : { fixes }),
  };
}

/** Findings of all conditions that hold. A condition with an interpolated setting stays silent. */
export function checkConditions<V extends ConfigValues>(conditions: readonly Condition<V>[], values: V): Finding[] {
  return conditions.flatMap((condition): Finding[] => {
    if (condition.keys.some((key) => values.unknown(key))) return [];
    const message = condition.says(values);
    return message === undefined ? [] : [findingOf(condition, values, message)];
  });
}

/** A switch that is known to be on. */
export function isOn(values: ConfigValues, name: string): boolean {
  return values.flag(name) === true;
}

/** A switch that is known to be off: written so, or left out of a complete file with `false` as its default. */
export function isOff(values: ConfigValues, name: string): boolean {
  const flag = values.flag(name);
  return flag === undefined ? values.entry(name) === undefined && values.complete !== false : !flag;
}

/** A number as written, or the framework's default where a complete file leaves it out; undefined when not known. */
export function numberOr(values: ConfigValues, name: string, otherwise: number): number | undefined {
  const value = values.number(name);
  if (value !== undefined) return value;
  return values.entry(name) === undefined && values.complete !== false ? otherwise : undefined;
}

/** A word as written, or the framework's default where a complete file leaves it out; undefined when not known. */
export function textOr(values: ConfigValues, name: string, otherwise: string): string | undefined {
  const value = values.text(name);
  if (value !== undefined) return value;
  return values.entry(name) === undefined && values.complete !== false ? otherwise : undefined;
}

/** The first of several spellings that the file gives; the last one where it gives none. */
export function whichOf(values: ConfigValues, names: readonly string[]): string {
  return names.find((name) => values.entry(name) !== undefined) ?? names.at(-1) ?? '';
}
