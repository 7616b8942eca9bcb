import type { ConfigTree } from '../../syntax/tree';
import { weigh, when } from '../common/evidence';
import { childOf, entryOf, hasKey, isList, isScalar, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

/** Group files hold the class they become. */
const TARGET = /^verl\./;
const ENGINE = [
  'strategy',
  'ppo_mini_batch_size',
  'ppo_micro_batch_size_per_gpu',
  'ulysses_sequence_parallel_size',
  'param_offload',
  'rollout_n',
  'log_prob_micro_batch_size',
  'log_prob_micro_batch_size_per_gpu',
  'log_prob_use_dynamic_bsz',
  'log_prob_max_token_len_per_gpu',
];
/** Bases of verl's own trainers, by name. */
const BASE = /^ppo_(megatron_|veomni_)?trainer$/;
/** Groups that verl puts into a trainer. */
const GROUP = /^(actor|rollout|ref|engine|critic|reward_model|model|optim|profiler)@/;

/** A verl trainer configuration, or one of the group files that Hydra puts into it. */
export function detectVerl(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'yaml') return undefined;
  const target = childOf(root, '_target_');
  const targeted = isScalar(target) && typeof target.value === 'string' && TARGET.test(target.value);
  const actor = mapOf(root, 'actor_rollout_ref');
  const trainer = mapOf(root, 'trainer');
  const gpus = hasKey(trainer, 'n_gpus_per_node') && hasKey(trainer, 'nnodes');
  const data = mapOf(root, 'data');
  const model = mapOf(root, 'model');
  const engines = ENGINE.filter((key) => hasKey(root, key)).length;
  const defaults = entryOf(root, 'defaults')?.value;
  const items = isList(defaults) ? defaults.items : [];
  const based = items.some((item) => isScalar(item) && BASE.test(String(item.value)));
  const groups = items.filter((item) => item.kind === 'map' && item.entries.some(({ key }) => GROUP.test(key))).length;
  return weigh('verl', [
    when(actor !== undefined, 0.7, 'section `actor_rollout_ref`'),
    when(targeted, 0.7, 'a class of verl as `_target_`'),
    when(gpus, 0.3, 'trainer with `n_gpus_per_node` and `nnodes`'),
    when(
      data !== undefined && (hasKey(data, 'train_files') || hasKey(data, 'train_batch_size')),
      0.15,
      'section `data`',
    ),
    when(
      model !== undefined &&
        (hasKey(model, 'partial_pretrain') || hasKey(model, 'fsdp_config') || hasKey(model, 'path')),
      0.1,
      'section `model`',
    ),
    when(engines >= 3, 0.5, 'keys of an actor'),
    when(based, 0.5, 'a trainer of verl in `defaults`'),
    when(groups > 0, Math.min(0.4, 0.15 * groups), 'groups of verl in `defaults`'),
  ]);
}
