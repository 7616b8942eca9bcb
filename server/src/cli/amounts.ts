import { amountOf } from '../features/directives';
import type { Arguments } from './options';
import { UsageError } from './usage';

/** Options that are amounts such as `14.8T` or `1.75`; those that were not given are left out. */
export function amounts<K extends string>(given: Arguments, names: readonly K[]): { readonly [key in K]?: number } {
  const entries = names.flatMap((name) => {
    const text = given.text(name);
    if (text === undefined) return [];
    const value = amountOf(text);
    if (value === undefined)
      throw new UsageError(`--${name} must be an amount such as 2, 1.75 or 14.8T, not ${JSON.stringify(text)}`);
    return [[name, value] as const];
  });
  return Object.fromEntries(entries) as { [key in K]?: number };
}
