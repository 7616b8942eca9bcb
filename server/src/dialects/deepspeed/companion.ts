import type { Companion, ReadCompanion, Reference } from '../dialect';
import type { Unresolved } from '../../plan/plan';
import { placeOf, rootMap } from '../common/nodes';
import type { Layer, Source } from './source';

/** Where the keys of a named DeepSpeed file appear among those of the file that names it. */
export const DEEPSPEED = 'deepspeed_file';

export interface Named {
  readonly layers: readonly Layer[];
  readonly references: readonly Reference[];
  /** What nobody can tell while the named file is not at hand. */
  readonly unresolved: readonly Unresolved[];
}

const NOTHING: Named = { layers: [], references: [], unresolved: [] };

/**
 * Paths under which a file may be found: as written, and, because such paths are relative to the folder the tool is started in,
 * each tail of it beside the file and in the folders above.
 */
export function candidates(target: string): readonly string[] {
  if (/^([~/]|[A-Za-z]:|https?:)/.test(target)) return [target];
  const parts = target.replace(/^\.\//, '').split('/');
  const tails = parts.map((_, index) => parts.slice(index).join('/'));
  const above = ['', '../', '../../', '../../../', '../../../../'];
  return [
    ...new Set([
      target,
      ...above.map((up) => `${up}${tails[0] ?? target}`),
      ...tails.slice(1).map((tail) => `../${tail}`),
      tails.at(-1) ?? target,
    ]),
  ];
}

function find(target: string, read: ReadCompanion): { readonly path: string; readonly file: Companion } | undefined {
  for (const path of candidates(target).slice(0, 10)) {
    const file = read(path);
    if (file !== undefined && rootMap(file.tree) !== undefined) return { path, file };
  }
  return undefined;
}

/** The DeepSpeed file that `key` names, or the mapping that stands there itself, as a layer of its own. */
export function deepSpeedBeside(source: Source, key: string, read: ReadCompanion): Named {
  const entry = source.entry(key);
  if (entry === undefined || source.unknown(key)) return NOTHING;
  if (entry.value.kind === 'map')
    return { layers: [{ root: entry.value, prefix: DEEPSPEED }], references: [], unresolved: [] };
  const target = source.text(key);
  if (target === undefined || target === 'none' || !/\.jsonc?$|\//.test(target)) return NOTHING;
  const found = find(target, read);
  const reference: Reference = { at: placeOf(entry), target: found?.path ?? target, kind: 'config' };
  const root = found === undefined ? undefined : rootMap(found.file.tree);
  return {
    references: [reference],
    unresolved:
      found === undefined
        ? [
            {
              path: 'optimizer.zeroStage',
              at: placeOf(entry),
              why: `the DeepSpeed file \`${target}\` is not there to read`,
            },
          ]
        : [],
    layers: found === undefined || root === undefined ? [] : [{ root, uri: found.file.uri, prefix: DEEPSPEED }],
  };
}
