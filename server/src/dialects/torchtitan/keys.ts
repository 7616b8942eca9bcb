import type { Finding } from '../../plan/finding';
import type { Entry, MapNode } from '../../syntax/tree';
import { remark, replaceFix } from '../common/findings';
import { schemaOfKey } from '../common/json-schema';
import { keyPlaceOf } from '../common/nodes';
import { nestedKeyFindings, type KeyPolicy } from '../common/nested-keys';
import type { TitanJob } from './job';
import { titanSchema, type TitanKey } from './schema-data';
import { titan } from './source';

/** Words that a check of their own judges, with the framework's own consequence. */
const LEFT = new Set([
  'activation_checkpoint.mode',
  'checkpoint.async_mode',
  'optimizer.implementation',
  'parallelism.fsdp_reshard_after_forward',
]);

/** A file may be extended by a module of its own; then nothing is known about its keys. */
function policyOf(job: TitanJob): KeyPolicy | undefined {
  const module =
    job.text('job.custom_config_module') ??
    job.text('experimental.custom_args_module') ??
    job.text('experimental.custom_import');
  if (module !== undefined && module !== '') return undefined;
  return {
    framework: 'torchtitan',
    source: titan('config/manager.py', '_dict_to_dataclass'),
    refuses: 'which stops at keys that its job configuration lacks',
    near: 'error',
    far: 'hint',
    value: 'warning',
    leave: LEFT,
  };
}

interface Seen {
  readonly entry: Entry;
  readonly path: readonly string[];
  readonly known: TitanKey;
}

function everyKey(root: MapNode): Seen[] {
  const visit = (node: MapNode, here: TitanKey, path: readonly string[]): Seen[] =>
    node.entries.flatMap((entry): Seen[] => {
      const known = schemaOfKey(titanSchema, here, entry.key) as TitanKey | undefined;
      const own = [...path, entry.key];
      if (known === undefined) return [];
      return entry.value.kind === 'map' && known.properties !== undefined
        ? visit(entry.value, known, own)
        : [{ entry, path: own, known }];
    });
  return visit(root, titanSchema, []);
}

/** Keys that no one release has together with the others: the file mixes releases, and whichever runs refuses some of them. */
function mixedReleases(root: MapNode, job: TitanJob): Finding[] {
  if (job.versions.length > 0) return [];
  const versions = titanSchema['x-versions'];
  const keys = everyKey(root).filter(({ known }) => (known['x-in'] ?? '') !== '');
  const missing = (version: number): Seen[] =>
    keys.filter(({ known }) => known['x-in']?.includes(String(version)) === false);
  const best = versions.map((_, index) => index).sort((a, b) => missing(a).length - missing(b).length || b - a)[0];
  if (best === undefined || keys.length < 4) return [];
  return missing(best).map(({ entry, path, known }) => {
    const successor = known['x-deprecated'];
    const has = versions.filter((_, index) => known['x-in']?.includes(String(index))).join(', ');
    const next = typeof successor === 'string' ? `; its successor is \`${successor}\`` : '';
    const sibling = typeof successor === 'string' && successor.startsWith(`${path.slice(0, -1).join('.')}.`);
    const word = sibling ? (successor.split('.').at(-1) ?? '') : '';
    return remark({
      rule: 'removed-key',
      severity: 'warning',
      at: keyPlaceOf(entry),
      source: titan('config/job_config.py', 'JobConfig'),
      message: `\`${path.join('.')}\` exists in ${has}, while the other keys are those of ${versions[best] ?? ''}, which refuses it${next}.`,
      ...(sibling ? { fixes: [replaceFix(`Change to \`${word}\``, entry.keySpan, word)] } : {}),
    });
  });
}

/** What torchtitan says about the keys of a job file. */
export function keyFindings(root: MapNode, job: TitanJob): Finding[] {
  const policy = policyOf(job);
  if (policy === undefined) return [];
  const deep = nestedKeyFindings(root, titanSchema, policy);
  return [...deep, ...mixedReleases(root, job)];
}
