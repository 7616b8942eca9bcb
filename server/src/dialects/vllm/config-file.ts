import type { Entry, MapNode } from '../../syntax/tree';
import { placeOf, rootMap, textOf } from '../common/nodes';
import { relocated } from '../common/relocate';
import type { ReadCompanion, Reference } from '../dialect';
import { collectVllm, type VllmForm } from './values';

/** What the file of `--config` adds to a command. */
export interface ConfigFile {
  /** Its options, each at the word that names the file. */
  readonly below: readonly (readonly [string, Entry])[];
  readonly reference?: Reference;
  /** The file is named and cannot be read: then it may say anything. */
  readonly hidden: boolean;
}

/** Reads the file that a command names; a file itself names none. Source: vllm/utils/argparse_utils.py, `_pull_args_from_config`. */
export function configFile(root: MapNode, form: VllmForm, read: ReadCompanion): ConfigFile {
  const entry = form === 'file' ? undefined : root.entries.findLast(({ key }) => key === 'config');
  const path = textOf(entry?.value);
  if (entry === undefined) return { below: [], hidden: false };
  if (path === undefined || path.length === 0) return { below: [], hidden: true };
  const reference: Reference = { at: placeOf(entry), target: path, kind: 'config' };
  const tree = read(path)?.tree;
  const file = tree === undefined ? undefined : rootMap(tree);
  if (tree === undefined || file === undefined) return { below: [], hidden: true, reference };
  const { span } = entry.value;
  const below = [...collectVllm(file, tree.text, 'file')].map(
    ([flag, own]) => [flag, { ...own, keySpan: span, value: relocated(own.value, span) }] as const,
  );
  return { below, hidden: false, reference };
}
