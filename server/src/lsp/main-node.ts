import { readFile, realpath, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { ProposedFeatures, createConnection } from 'vscode-languageserver/node';
import { startServer } from './server';

const MAX_BYTES = 1024 * 1024;

async function realPathOf(uri: string): Promise<string> {
  return realpath(fileURLToPath(uri));
}

/** Reads a file only when its real path, links followed, lies below one of the workspace folders. */
async function readBelow(uri: string, roots: readonly string[]): Promise<string | null> {
  if (!uri.startsWith('file:')) return null;
  const file = await realPathOf(uri);
  const folders = await Promise.all(roots.filter((root) => root.startsWith('file:')).map(realPathOf));
  if (!folders.some((folder) => file.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep))) return null;
  const { size } = await stat(file);
  return size > MAX_BYTES ? null : readFile(file, 'utf8');
}

startServer(createConnection(ProposedFeatures.all), { readBelow });
