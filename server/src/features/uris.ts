import { URI, Utils } from 'vscode-uri';
import type { ConfigLanguage } from '../syntax/tree';

/** The folder of a document, and its ancestors up to `limit` levels, nearest first. Untitled documents have none. */
export function foldersOf(uri: string, limit = 8): string[] {
  const parsed = URI.parse(uri);
  if (parsed.scheme === 'untitled' || !parsed.path.includes('/')) return [];
  const folders: string[] = [];
  let folder = Utils.dirname(parsed);
  for (let level = 0; level < limit; level += 1) {
    folders.push(folder.toString());
    const parent = Utils.dirname(folder);
    if (parent.path === folder.path) break;
    folder = parent;
  }
  return folders;
}

/** `relative` as seen from the document's folder, or undefined where that cannot be: absolute paths, home folders, URLs, interpolations. */
export function resolveBeside(uri: string, relative: string): string | undefined {
  const parsed = URI.parse(uri);
  if (parsed.scheme === 'untitled' || relative.length === 0 || relative.length > 1024) return undefined;
  if (/^(?:[/~\\]|[A-Za-z][A-Za-z0-9+.-]*:)/.test(relative) || /[$\n\0]/.test(relative)) return undefined;
  return Utils.resolvePath(Utils.dirname(parsed), relative).toString();
}

export function childOf(folder: string, name: string): string {
  return Utils.joinPath(URI.parse(folder), name).toString();
}

/** Path of `uri` below `folder`, with forward slashes, or undefined when it is elsewhere. */
export function pathBelow(folder: string, uri: string): string | undefined {
  const base = URI.parse(folder).path.replace(/\/$/, '');
  const { path } = URI.parse(uri);
  return path.startsWith(`${base}/`) ? path.slice(base.length + 1) : undefined;
}

export function fileNameOf(uri: string): string {
  return Utils.basename(URI.parse(uri));
}

/** The parser for a document: by language id where the editor knows it, else by the name. */
export function languageOf(uri: string, languageId?: string): ConfigLanguage {
  const name = fileNameOf(uri).toLowerCase();
  if (languageId === 'toml' || name.endsWith('.toml')) return 'toml';
  if (languageId === 'json' || languageId === 'jsonc' || /\.jsonc?$/.test(name)) return 'json';
  if (languageId === 'shellscript' || /\.(?:sh|bash|zsh|sbatch|slurm)$/.test(name)) return 'arguments';
  if (languageId === 'python' || /\.py$/.test(name)) return 'python';
  return 'yaml';
}
