import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, mapOf, rootMap, textOf } from '../common/nodes';
import type { Detection } from '../dialect';

const DEGREES = ['tp_size', 'cp_size', 'pp_size', 'dp_size', 'ep_size', 'dp_replicate_size', 'strategy'];
const STEPS = [
  'global_batch_size',
  'local_batch_size',
  'ckpt_every_steps',
  'max_steps',
  'num_epochs',
  'val_every_steps',
];

const FOREIGN = ['apiVersion', 'services', 'jobs', 'policy', 'actor_rollout_ref'];

/** A `step_scheduler` with Automodel's names, or a `_target_` below nemo_automodel. */
export function detectAutomodel(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml') return undefined;
  const targets = root.entries.filter(({ value }) =>
    /^nemo_automodel\./.test(textOf(childOf(value, '_target_')) ?? ''),
  );
  const keys = (name: string): ReadonlySet<string> => new Set((mapOf(root, name)?.entries ?? []).map(({ key }) => key));
  const steps = keysSeen(keys('step_scheduler'), STEPS, 0.2, 0.5);
  // Recipes that train drafts of speculative decoding keep what they need in one section of their own.
  const own = mapOf(root, 'recipe_args') !== undefined && mapOf(root, 'dist_env') !== undefined;
  if (own && FOREIGN.every((key) => !hasKey(root, key)))
    return { dialect: 'nemo-automodel', confidence: 0.85, reasons: ['`recipe_args` beside `dist_env`'] };
  if (steps === undefined && targets.length === 0) return undefined;
  return weigh('nemo-automodel', [
    when(targets.length > 0, 0.5, '`_target_` of nemo_automodel'),
    steps,
    keysSeen(keys('distributed'), DEGREES, 0.15, 0.4),
    when(hasKey(root, 'recipe') && steps !== undefined, 0.1, 'top-level key `recipe`'),
  ]);
}
