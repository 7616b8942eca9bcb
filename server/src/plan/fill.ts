import type { Assumption, Origin, Planned, Sourced } from './plan';

/**
 * Reads fields of one plan section with fallbacks and writes down every fallback it used,
 * so that no number is shown whose inputs cannot be listed.
 */
export interface Filler<T> {
  /** The value of `key`, or the fallback, noted as an assumption of the given origin. */
  readonly get: <K extends keyof T & string>(
    key: K,
    fallback: Exclude<T[K], undefined>,
    origin: Origin,
    note?: string,
  ) => Exclude<T[K], undefined>;
  /** The value of `key` where something states it. */
  readonly known: <K extends keyof T & string>(key: K) => Exclude<T[K], undefined> | undefined;
  readonly source: <K extends keyof T & string>(key: K) => Sourced<Exclude<T[K], undefined>> | undefined;
}

const LISTED: ReadonlySet<Origin> = new Set<Origin>(['assumed', 'default']);

/** A filler over `section`; assumptions are appended to `log` under `name.key`. */
export function filler<T>(name: string, section: Planned<T>, log: Assumption[]): Filler<T> {
  const source: Filler<T>['source'] = (key) => section[key] as Sourced<Exclude<T[typeof key], undefined>> | undefined;
  const note = (key: string, value: unknown, origin: Origin, text?: string): void => {
    if (!LISTED.has(origin)) return;
    const shown = typeof value === 'number' || typeof value === 'boolean' ? value : String(value);
    log.push({ field: `${name}.${key}`, value: shown, origin, ...(text === undefined ? {} : { note: text }) });
  };
  return {
    source,
    known: (key) => source(key)?.value,
    get: (key, fallback, origin, text) => {
      const found = source(key);
      if (found !== undefined) {
        note(key, found.value, found.origin, found.note);
        return found.value;
      }
      note(key, fallback, origin, text);
      return fallback;
    },
  };
}

/** Removes keys whose value is undefined, so that optional fields stay absent. */
export function defined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

/** True for a finite number that can be a size: a positive integer no larger than 2^53. */
export function isSize(value: number | undefined): value is number {
  return value !== undefined && Number.isSafeInteger(value) && value > 0;
}
