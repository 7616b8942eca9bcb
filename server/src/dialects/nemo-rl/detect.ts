import type { ConfigTree } from '../../syntax/tree';
import { weigh, when } from '../common/evidence';
import { childOf, hasKey, isList, isScalar, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

const ALGORITHMS = ['grpo', 'sft', 'dpo', 'rm', 'ppo', 'distillation', 'async_rl', 'gdpo'];
const SECTIONS = ['loss_fn', 'checkpointing', 'logger', 'cluster', 'env', 'data'];
/** Sections that recipes above a base hold, and hardly any other file. */
const RARE = ['data_plane', 'loss_fn', 'value', 'teacher', 'teachers', 'reward_penalties'];
const POLICY = [
  'megatron_cfg',
  'dtensor_cfg',
  'train_global_batch_size',
  'train_micro_batch_size',
  'max_total_sequence_length',
  'logprob_batch_size',
  'generation',
];

/** A NeMo-RL configuration: a policy with its backend, or a recipe that names its base in `defaults`. */
export function detectNemoRl(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'yaml' || hasKey(root, 'actor_rollout_ref')) return undefined;
  const policy = mapOf(root, 'policy');
  const base = childOf(root, 'defaults');
  const first = isList(base) ? base.items[0] : base;
  const based = isScalar(first) && typeof first.value === 'string' && /\.ya?ml$/.test(first.value);
  const own = POLICY.filter((key) => hasKey(policy, key)).length;
  const algorithm = ALGORITHMS.some((key) => mapOf(root, key) !== undefined);
  const sections = SECTIONS.filter((key) => hasKey(root, key)).length;
  const cluster = mapOf(root, 'cluster');
  return weigh('nemo-rl', [
    when(own > 0, 0.35 + Math.min(0.25, 0.1 * own), 'section `policy` with its backend'),
    when(based, 0.3, 'a base file in `defaults`'),
    when(algorithm, 0.2, 'section of an algorithm'),
    when(policy !== undefined && sections > 0, 0.15, 'section `policy`'),
    when(hasKey(cluster, 'gpus_per_node') || hasKey(cluster, 'num_nodes'), 0.15, 'section `cluster`'),
    when(based && RARE.some((key) => mapOf(root, key) !== undefined), 0.25, 'a section of a recipe above its base'),
    when(based && (hasKey(cluster, 'gpus_per_node') || hasKey(cluster, 'num_nodes')), 0.1, 'the cluster of a recipe'),
    when(sections >= 2, 0.15, `${sections} sections of a recipe`),
  ]);
}
