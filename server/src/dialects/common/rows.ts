import type { Fix, Severity, SourceReference } from '../../plan/finding';
import type { Condition } from './conditions';
import { replaceFix } from './findings';
import type { ConfigValues } from './values';

/** One check on a line: its rule, the gathered rule it covers (or nothing), what decides it, when it holds, and what to say. */
export type Row<V extends ConfigValues> = readonly [
  rule: string,
  covers: string,
  source: SourceReference,
  keys: readonly string[],
  when: (values: V) => boolean,
  message: string,
  severity?: Severity,
  /** The setting whose one right value settles it, and that value. */
  fix?: readonly [key: string, value: string],
];

/** Puts the right value in place, where the setting stands in the document itself. */
function fixFor<V extends ConfigValues>(values: V, [key, value]: readonly [string, string]): readonly Fix[] {
  const entry = values.entry(key);
  const elsewhere = 'uriOf' in values && (values as V & { uriOf: (name: string) => string | undefined }).uriOf(key);
  if (entry?.value.kind !== 'scalar' || typeof elsewhere === 'string') return [];
  return [replaceFix(`Set \`${entry.key}\` to ${value}`, entry.value.span, value)];
}

/** The conditions that such lines stand for; they are errors unless they say otherwise. */
export function rowConditions<V extends ConfigValues>(rows: readonly Row<V>[]): readonly Condition<V>[] {
  return rows.map(([rule, covers, source, keys, when, message, severity, fix]): Condition<V> => ({
    rule,
    severity: severity ?? 'error',
    covers: covers === '' ? [] : [covers],
    keys,
    source,
    says: (values) => (when(values) ? message : undefined),
    ...(fix === undefined ? {} : { fixes: (values: V) => fixFor(values, fix) }),
  }));
}

/** True for a setting that Python takes for true: given, and neither false, zero nor empty. */
export function isTruthy(values: ConfigValues, name: string): boolean {
  const node = values.node(name);
  if (node === undefined) return false;
  if (node.kind === 'list') return node.items.length > 0;
  if (node.kind === 'map') return node.entries.length > 0;
  if (values.flag(name) === false) return false;
  return node.value !== '' && Number(node.value) !== 0;
}
