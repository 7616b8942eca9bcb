import type { MapNode } from '../../syntax/tree';
import { placeOf, rootMap, textOf } from '../common/nodes';
import { relocated } from '../common/relocate';
import type { ReadCompanion, Reference } from '../dialect';
import { flagOf } from './keys';
import type { SglangForm } from './spelling';

/** A command with what the file of its `--config` says. */
export interface SglangCommand {
  readonly root: MapNode;
  /** The command's own options, without `--config`. */
  readonly own: MapNode;
  readonly reference?: Reference;
  /** The file is named and cannot be read: then it may say anything. */
  readonly hidden: boolean;
}

/**
 * Puts the options of the file that a command names before its own, which win. A file names none.
 * Source: sglang srt/server_args_config_parser.py, `ConfigArgumentMerger.merge_config_with_args`.
 */
export function withConfigFile(root: MapNode, form: SglangForm, read: ReadCompanion): SglangCommand {
  const entry = form === 'file' ? undefined : root.entries.findLast(({ key }) => key === 'config');
  if (entry === undefined) return { root, own: root, hidden: false };
  const own = { ...root, entries: root.entries.filter(({ key }) => key !== 'config') };
  const path = textOf(entry.value);
  if (path === undefined || path.length === 0) return { root: own, own, hidden: true };
  const reference: Reference = { at: placeOf(entry), target: path, kind: 'config' };
  const tree = read(path)?.tree;
  const file = tree === undefined ? undefined : rootMap(tree);
  if (file === undefined) return { root: own, own, hidden: true, reference };
  const said = new Set(own.entries.map(({ key }) => flagOf(key) ?? key));
  const { span } = entry.value;
  const below = file.entries
    .filter(({ key }) => !said.has(flagOf(key) ?? key))
    .map(({ key, value }) => ({ key, keySpan: span, value: relocated(value, span) }));
  return { root: { ...own, entries: [...below, ...own.entries] }, own, hidden: false, reference };
}
