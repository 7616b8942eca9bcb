import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { remark } from '../common/findings';
import { nestedKeyFindings, type KeyPolicy } from '../common/nested-keys';
import { hasKey, keyPlaceOf, mapOf } from '../common/nodes';
import { plainEntries } from './python-config';
import { earlierKeys, pythonSchema } from './schema-data';
import { titan } from './source';

/** Classes of the sections whose keys are all known. What the text only writes to has no class here and is the default one. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  parallelism: /^torchtitan\.[\w.]*ParallelismConfig$/,
  training: /^torchtitan\.[\w.]*TrainingConfig$/,
  compile: /^torchtitan\.[\w.]*CompileConfig$/,
  comm: /^torchtitan\.[\w.]*CommConfig$/,
  debug: /^torchtitan\.[\w.]*DebugConfig$/,
};

const POLICY: KeyPolicy = {
  framework: 'torchtitan',
  source: { ...titan('config/configs.py', 'TrainingConfig'), commit: 'b5bcd76c' },
  refuses: 'whose dataclasses take no other arguments',
  near: 'error',
  far: 'hint',
  value: 'warning',
  // Its words changed from release to release.
  leave: new Set(['parallelism.spmd_backend', 'parallelism.fsdp_reshard_after_forward', 'comm.mode']),
};

/** A trainer of one's own may have sections of its own; the plain classes are the same in all. */
function known(root: MapNode): MapNode {
  const plainTrainer = /^torchtitan\.trainer\.Trainer\.Config$/.test(root.call?.callee ?? '');
  const entries = root.entries.flatMap((entry): Entry[] => {
    const { key, value } = entry;
    if (value.kind !== 'map') return [];
    const callee = value.call?.callee ?? '';
    const own = callee === '' ? plainTrainer && CLASSES[key] !== undefined : CLASSES[key]?.test(callee) === true;
    return own ? [{ ...entry, value: { ...value, entries: plainEntries(value.entries) } }] : [];
  });
  return { ...root, entries };
}

/** Keys that count samples beside keys that count tokens: no release has both. */
function mixed(root: MapNode): Finding[] {
  const training = mapOf(root, 'training');
  const modern = training?.entries.find(({ key }) => /^(?:num_tokens_per_|max_context_length)/.test(key));
  if (training === undefined || modern === undefined) return [];
  const old = (earlierKeys['training'] ?? []).filter((key) => hasKey(training, key));
  return training.entries
    .filter(({ key }) => old.includes(key))
    .map((entry) =>
      remark({
        rule: 'removed-key',
        severity: 'warning',
        at: keyPlaceOf(entry),
        source: POLICY.source,
        message: `\`${entry.key}\` belongs to releases that count samples, \`${modern.key}\` to those that count tokens: none takes both.`,
      }),
    );
}

/** Keyword arguments that torchtitan's dataclasses lack, and values of the wrong kind. */
export function pythonKeyFindings(root: MapNode): Finding[] {
  return [...nestedKeyFindings(known(root), pythonSchema, POLICY), ...mixed(root)];
}
