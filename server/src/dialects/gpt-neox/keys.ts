import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { nestedKeyFindings } from '../common/nested-keys';
import { neoxSchema } from './schema-data';

/** GPT-NeoX fills one class from all files of a run: an unknown key stops it, and so does a value of another type. Dashes are underscores. */
export function neoxKeyFindings(root: MapNode): Finding[] {
  const entries = root.entries.map((entry): Entry => ({ ...entry, key: entry.key.replaceAll('-', '_') }));
  return nestedKeyFindings({ ...root, entries }, neoxSchema, {
    framework: 'GPT-NeoX',
    source: {
      framework: 'GPT-NeoX',
      repository: 'EleutherAI/gpt-neox',
      file: 'megatron/neox_arguments/arguments.py',
      function: 'NeoXArgs.from_ymls',
      commit: 'ea7aefd8',
    },
    refuses: 'which stops at arguments that it does not have',
    near: 'warning',
    far: 'hint',
    value: 'warning',
  });
}
