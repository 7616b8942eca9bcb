import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, it } from 'vitest';

/** Oracles, truth and corpus live beside the project; the project tests well without them. */
const SHARED = process.env['SHARDLENS_SHARED'] ?? resolve(import.meta.dirname, '../../shared');

/** Path below the shared folder, or undefined where it is not there. */
export function sharedPath(...parts: string[]): string | undefined {
  const path = resolve(SHARED, ...parts);
  return existsSync(path) ? path : undefined;
}

/** Parsed JSON below the shared folder; throws when missing, so call it inside `describeShared`. */
export function sharedJson<T>(...parts: string[]): T {
  return JSON.parse(readFileSync(resolve(SHARED, ...parts), 'utf8')) as T;
}

/** A describe block that needs shared data: skipped, with a line that says so, where the data is missing. */
export function describeShared(name: string, parts: string[], body: (path: string) => void): void {
  const path = sharedPath(...parts);
  if (path === undefined) {
    describe(name, () => {
      it.skip(`needs ../shared/${parts.join('/')}, which is not there`, () => undefined);
    });
    return;
  }
  describe(name, () => {
    body(path);
  });
}
