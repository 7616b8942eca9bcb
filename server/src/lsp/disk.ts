import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBinaryName } from '../protocol/bytes';

const MAX_BYTES = 1024 * 1024;

async function realPathOf(uri: string): Promise<string | undefined> {
  if (!uri.startsWith('file:')) return undefined;
  return realpath(fileURLToPath(uri)).catch(() => undefined);
}

/**
 * Text (or the bytes, as characters, of files of tensors) of a file whose real path, links followed, lies below one of the workspace folders; null for everything else:
 * other places, folders, pipes and devices, files above 1 MB, what is not there. Never rejects.
 */
export async function readBelow(uri: string, roots: readonly string[]): Promise<string | null> {
  try {
    const file = await realPathOf(uri);
    const folders = await Promise.all(roots.map(realPathOf));
    const isBelow = (folder: string | undefined): boolean =>
      folder !== undefined && file?.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep) === true;
    if (file === undefined || !folders.some(isBelow)) return null;
    const facts = await stat(file);
    return facts.isFile() && facts.size <= MAX_BYTES
      ? await readFile(file, isBinaryName(file) ? 'latin1' : 'utf8')
      : null;
  } catch {
    return null;
  }
}
