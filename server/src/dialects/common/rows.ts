import type { Severity, SourceReference } from '../../plan/finding';
import type { Condition } from './conditions';
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
];

/** The conditions that such lines stand for; they are errors unless they say otherwise. */
export function rowConditions<V extends ConfigValues>(rows: readonly Row<V>[]): readonly Condition<V>[] {
  return rows.map(([rule, covers, source, keys, when, message, severity]): Condition<V> => ({
    rule,
    severity: severity ?? 'error',
    covers: covers === '' ? [] : [covers],
    keys,
    source,
    says: (values) => (when(values) ? message : undefined),
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
