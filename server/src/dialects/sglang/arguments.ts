import type { Unresolved } from '../../plan/plan';
import type { Entry, MapNode } from '../../syntax/tree';
import { booleanOf, integerOf, isList, isUnresolved, numberOf, placeOf, textOf } from '../common/nodes';
import { DEPRECATED_TARGETS, flagOf } from './keys';

const SCALES: Readonly<Record<string, number>> = {
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** Arguments by flag; the last spelling of a flag wins, as on a command line. */
export interface SglangArguments {
  readonly entry: (flag: string) => Entry | undefined;
  readonly integer: (flag: string) => number | undefined;
  readonly number: (flag: string) => number | undefined;
  readonly flag: (flag: string) => boolean;
  readonly text: (flag: string) => string | undefined;
  /** True when the argument is given but its value is an interpolation. */
  readonly unknown: (flag: string) => boolean;
  readonly unresolved: (field: string, flag: string) => Unresolved[];
}

/** An integer that may carry a suffix: `128k` is 128,000 and `128K` is 131,072 (SGLang `human_readable_int`). */
export function suffixedInteger(text: string): number | undefined {
  const match = /^\s*([+-]?\d+(?:\.\d+)?)\s*([kKmMgGtT])?\s*$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * (match[2] === undefined ? 1 : (SCALES[match[2]] ?? 1));
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Options of 2025 that another one stands for today: what they meant decides the plan. */
function formerly(entry: Entry): readonly [string, Entry] | undefined {
  const { value } = entry;
  if (value.kind !== 'scalar' || booleanOf(value) !== true) return undefined;
  const key = entry.key.replaceAll('_', '-');
  if (key === 'enable-deepep-moe') return ['moe-a2a-backend', { ...entry, value: { ...value, value: 'deepep' } }];
  // Its degree was that of tensor parallelism.
  return key === 'enable-ep-moe' ? ['ep-size', { ...entry, value: { ...value, unresolved: true } }] : undefined;
}

export function readArguments(root: MapNode): SglangArguments {
  const byFlag = new Map<string, Entry>();
  for (const entry of root.entries) {
    // SGLang leaves an option out whose list is empty.
    if (isList(entry.value) && entry.value.items.length === 0) continue;
    const older = formerly(entry);
    if (older !== undefined) byFlag.set(older[0], older[1]);
    const flag = flagOf(entry.key);
    if (flag !== undefined) byFlag.set(DEPRECATED_TARGETS[flag] ?? flag, entry);
  }
  const entry = (flag: string): Entry | undefined => byFlag.get(flag);
  const known = (flag: string): Entry['value'] | undefined => {
    const found = entry(flag)?.value;
    return found === undefined || isUnresolved(found) ? undefined : found;
  };
  const unknown = (flag: string): boolean => {
    const found = entry(flag);
    return found !== undefined && isUnresolved(found.value);
  };
  return {
    entry,
    integer: (flag) => {
      const node = known(flag);
      const text = textOf(node);
      return integerOf(node) ?? (text === undefined ? undefined : suffixedInteger(text));
    },
    number: (flag) => numberOf(known(flag)),
    flag: (flag) => booleanOf(known(flag)) ?? false,
    text: (flag) => textOf(known(flag)),
    unknown,
    unresolved: (field, flag) => {
      const found = entry(flag);
      return found !== undefined && isUnresolved(found.value) ? [{ path: field, at: placeOf(found) }] : [];
    },
  };
}
