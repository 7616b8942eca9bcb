import type { ConfigTree, MapNode } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, mapOf, rootMap, textOf } from '../common/nodes';
import type { Detection, Dialect, DialectReading, ReadCompanion } from '../dialect';
import { combine } from '../launch/combine';
import { readHandedOn } from '../launch/handed-on';
import { roomFindings } from '../launch/room';
import { rolesOf } from './roles';
import { srtFindings } from './rules';
import { jobVariants } from './variants';
import { srtVocabulary } from './vocabulary';

const RESOURCES = [
  'gpu_type',
  'gpus_per_node',
  'prefill_nodes',
  'decode_nodes',
  'agg_nodes',
  'prefill_workers',
  'decode_workers',
  'agg_workers',
];
const TYPES = new Set(['sglang', 'vllm', 'trtllm', 'mocker']);

/** The job itself, or what every job of a sweep starts from. */
function jobRoot(root: MapNode): MapNode {
  return mapOf(root, 'base') ?? root;
}

function detect(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || hasKey(root, 'apiVersion')) return undefined;
  const job = jobRoot(root);
  const resources = mapOf(job, 'resources');
  const backend = mapOf(job, 'backend');
  const sections = ['sglang_config', 'vllm_config', 'trtllm_config', 'mocker_config'];
  const section = sections.find((key) => mapOf(backend, key) !== undefined);
  const typed = TYPES.has(textOf(childOf(backend, 'type')) ?? '');
  const roles = ['prefill', 'decode', 'agg'].filter((key) => hasKey(mapOf(mapOf(job, 'roles'), key), 'args'));
  if (resources === undefined || (section === undefined && !typed && roles.length === 0)) return undefined;
  return weigh('srt-slurm', [
    when(section !== undefined, 0.5, `\`backend.${section ?? ''}\``),
    when(typed, 0.3, '`backend.type` names an engine'),
    when(roles.length > 0, 0.4, `\`roles\` with \`args\` of ${roles.length} roles`),
    keysSeen(new Set(resources.entries.map(({ key }) => key)), RESOURCES, 0.1, 0.4),
  ]);
}

function read(tree: ConfigTree, companion: ReadCompanion): DialectReading {
  const root = rootMap(tree);
  const variants = root === undefined ? [] : jobVariants(root);
  const roles = variants.flatMap((variant) => rolesOf(variant.root));
  const launches = roles.map(({ handed }) => readHandedOn(handed, { text: tree.text, read: companion }));
  const room = launches.flatMap((launch, i) => {
    const { gpus, nodes } = roles[i] ?? {};
    return gpus === undefined || nodes === undefined
      ? []
      : roomFindings(launch, { environment: new Map(), grouped: true, gpus, pods: nodes });
  });
  // Jobs of a sweep share most of their text: what is wrong in it is told once.
  const own = new Map(
    variants.flatMap(({ root: job }) => srtFindings(job)).map((found) => [JSON.stringify(found), found]),
  );
  return combine(launches, [...room, ...own.values()]);
}

/** Recipes of srt-slurm: one Slurm job with a prefill and a decode server, or a sweep over a base. */
export const srtSlurm: Dialect = {
  id: 'srt-slurm',
  title: 'srt-slurm recipe',
  detect,
  read,
  vocabulary: srtVocabulary,
};
