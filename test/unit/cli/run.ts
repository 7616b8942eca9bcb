import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runShardlens } from '../../../server/src/cli/commands';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const SAMPLES = path.resolve(import.meta.dirname, '../../../samples');

/** Runs one command line in this process; relative paths count from `cwd`. */
export async function shardlens(args: readonly string[], cwd = SAMPLES): Promise<Ran> {
  let out = '';
  let err = '';
  const code = await runShardlens(args, {
    cwd,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

/** The one JSON document on standard output. */
export async function json<T>(args: readonly string[], cwd = SAMPLES): Promise<T> {
  const { out, err } = await shardlens([...args, '--format', 'json'], cwd);
  if (err !== '') throw new Error(`${args.join(' ')} wrote to standard error: ${err}`);
  return JSON.parse(out) as T;
}

/** A folder of its own with the given files, removed by `dispose`. */
export function folderWith(files: Readonly<Record<string, string | Uint8Array>>): {
  path: string;
  dispose: () => void;
} {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'shardlens-cli-'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
  return { path: folder, dispose: () => rmSync(folder, { recursive: true, force: true }) };
}
