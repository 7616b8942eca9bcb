import { readFileSync, realpathSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Analysis, AnalysisSettings, FileLookup } from '../features/analysis';
import { analyze } from '../features/analyze';
import { isTensorFile } from '../features/placement/loads';
import { UsageError } from './usage';

const COMPANION_BYTES = 1024 * 1024;
const CONFIG_BYTES = 8 * 1024 * 1024;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
};

function reasonOf(error: unknown): string {
  const code = (error as { code?: string }).code ?? '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

/** Bytes of a file that the user named on the command line. */
export function readBytes(cwd: string, file: string, limit: number): Buffer {
  const full = path.resolve(cwd, file);
  try {
    const stats = statSync(full);
    if (stats.size > limit) throw new Error(`it has ${stats.size} bytes, and files above ${limit} bytes are not read`);
    return readFileSync(full);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

/** Text of a file that the user named on the command line, without a byte order mark. */
export function readText(cwd: string, file: string, limit = CONFIG_BYTES): string {
  return readBytes(cwd, file, limit)
    .toString('utf8')
    .replace(/^\uFEFF/, '');
}

function within(folder: string, file: string): boolean {
  return file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep);
}

/**
 * Reads files that a config names. A config may come from anywhere, so only files whose real path, links followed, lies
 * below the working directory or the config's own folder are read, and none above 1 MB.
 */
export function companionLookup(cwd: string, file: string): FileLookup {
  const folders = [cwd, path.dirname(path.resolve(cwd, file))].map((folder) => realpathSync(folder));
  const seen = new Map<string, string | null>();
  const read = (uri: string): string | null => {
    if (!uri.startsWith('file:')) return null;
    try {
      const real = realpathSync(fileURLToPath(uri));
      const stats = statSync(real);
      const allowed = stats.isFile() && stats.size <= COMPANION_BYTES && folders.some((folder) => within(folder, real));
      return allowed ? readFileSync(real, isTensorFile(real) ? 'latin1' : 'utf8') : null;
    } catch {
      return null;
    }
  };
  return (uri) => {
    const known = seen.get(uri);
    if (known !== undefined || seen.has(uri)) return known;
    const text = read(uri);
    seen.set(uri, text);
    return text;
  };
}

export interface OpenedFile {
  readonly path: string;
  readonly analysis: Analysis;
  readonly lookup: FileLookup;
}

/** Analyses a text as if it were the file. */
export function openText(cwd: string, file: string, text: string, settings: AnalysisSettings): Analysis {
  const uri = pathToFileURL(path.resolve(cwd, file)).toString();
  return analyze({ uri, version: 2, text, settings, files: companionLookup(cwd, file) });
}

/** Reads and analyses one file; throws a UsageError when it cannot be read. */
export function openFile(
  cwd: string,
  file: string,
  settings: AnalysisSettings = { rules: {} },
  calibrationText?: string,
): OpenedFile {
  const text = readText(cwd, file);
  const lookup = companionLookup(cwd, file);
  const uri = pathToFileURL(path.resolve(cwd, file)).toString();
  const measured = calibrationText === undefined ? {} : { calibrationText };
  return { path: file, analysis: analyze({ uri, version: 1, text, settings, files: lookup, ...measured }), lookup };
}
