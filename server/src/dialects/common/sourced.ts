import type { Place, Sourced } from '../../plan/plan';
import type { Entry } from '../../syntax/tree';
import { placeOf } from './nodes';

/** A value written in the file, at its place, under the name the file gives it. */
export function written<T>(value: T, entry: Entry, note?: string): Sourced<T> {
  return { value, origin: 'file', at: placeOf(entry), label: entry.key, ...(note === undefined ? {} : { note }) };
}

/** The framework's own default; the note says whose. */
export function byDefault<T>(value: T, note: string): Sourced<T> {
  return { value, origin: 'default', note };
}

/** A value computed from others, or put in place of what was written; `entry` is where it was (or would be) written. */
export function derived<T>(value: T, note: string, entry?: Entry): Sourced<T> {
  const at: Place | undefined = entry === undefined ? undefined : placeOf(entry);
  return {
    value,
    origin: 'derived',
    note,
    ...(at === undefined || entry === undefined ? {} : { at, label: entry.key }),
  };
}

/** Drops keys whose value is undefined, so that optional fields stay absent. */
export function present<T extends object>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
