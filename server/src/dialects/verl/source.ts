import type { ConfigNode, MapNode } from '../../syntax/tree';
import { composed, mergedView } from '../common/hydra';
import { childOf, hasKey, mapOf, textOf } from '../common/nodes';
import type { Source } from '../deepspeed/source';
import type { ReadCompanion, Reference } from '../dialect';

export const ACTOR = 'actor_rollout_ref.actor';
export const ROLLOUT = 'actor_rollout_ref.rollout';
export const REF = 'actor_rollout_ref.ref';
export const MODEL = 'actor_rollout_ref.model';

/** Where a group file is put, by the class that it becomes. */
const GROUPS: readonly (readonly [RegExp, string])[] = [
  [/ActorConfig$/, ACTOR],
  [/RolloutConfig$/, ROLLOUT],
  [/HFModelConfig$/, MODEL],
  [/McoreEngineConfig$/, `${ACTOR}.megatron`],
  [/FSDPEngineConfig$/, `${ACTOR}.fsdp_config`],
  [/CriticConfig$/, 'critic'],
];

function groupOf(root: MapNode): string | undefined {
  const target = textOf(childOf(root, '_target_'));
  const part = !['actor_rollout_ref', 'trainer', 'data', 'model', 'engine', 'defaults'].some((key) =>
    hasKey(root, key),
  );
  if (target === undefined && part) return hasKey(root, 'ppo_mini_batch_size') ? ACTOR : REF;
  if (target === undefined || !target.startsWith('verl.')) return undefined;
  return GROUPS.find(([pattern]) => pattern.test(target))?.[1] ?? '';
}

/** `ppo`: actor, rollout and reference; `sft`: one model; `group`: a part that Hydra puts into either. */
export type VerlForm = 'ppo' | 'sft' | 'group';

export interface VerlFile {
  readonly form: VerlForm;
  readonly source: Source;
  readonly references: readonly Reference[];
}

/** `???` marks a value that somebody has to give: not one that is there. */
function withoutMissing(node: ConfigNode): ConfigNode {
  if (node.kind === 'scalar') return node.value === '???' ? { ...node, value: null } : node;
  if (node.kind === 'list') return node;
  return { ...node, entries: node.entries.map((entry) => ({ ...entry, value: withoutMissing(entry.value) })) };
}

/** One view on a verl file with the bases that its `defaults` name. */
export function verlSource(root: MapNode, read: ReadCompanion): VerlFile {
  const group = groupOf(root);
  const { layers, complete, references } = composed(root, read);
  const placed = layers.map((layer) => ({
    ...layer,
    root: withoutMissing(layer.root) as MapNode,
    prefix: [group ?? '', layer.prefix].filter((part) => part !== '').join('.'),
  }));
  const source = mergedView(placed, complete && group === undefined);
  if (group !== undefined) return { form: 'group', source, references };
  const sft =
    !hasKey(root, 'actor_rollout_ref') &&
    (mapOf(root, 'model') !== undefined || hasKey(mapOf(root, 'data'), 'micro_batch_size_per_gpu'));
  return { form: sft ? 'sft' : 'ppo', source, references };
}
