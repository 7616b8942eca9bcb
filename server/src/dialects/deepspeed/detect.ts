import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, isScalar, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

/** Keys that stand at the top of no other JSON. */
const OWN = [
  'train_micro_batch_size_per_gpu',
  'zero_allow_untested_optimizer',
  'zero_force_ds_cpu_optimizer',
  'wall_clock_breakdown',
  'prescale_gradients',
  'steps_per_print',
];
/** Top-level keys of files that hold a DeepSpeed section among others. */
const FOREIGN = [
  'compute_environment',
  'distributed_type',
  'base_model',
  'model_name_or_path',
  'architectures',
  'pipe_parallel_size',
  'pipe-parallel-size',
  'train_iters',
  'train-iters',
];

/** A DeepSpeed configuration; JSON, which DeepSpeed reads with comments and trailing commas. */
export function detectDeepSpeed(tree: ConfigTree, fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || tree.language === 'arguments') return undefined;
  if (FOREIGN.some((key) => hasKey(root, key))) return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  const zero = childOf(root, 'zero_optimization');
  const zeroShape =
    mapOf(root, 'zero_optimization') !== undefined || (isScalar(zero) && typeof zero.value === 'boolean');
  const precision = [mapOf(root, 'fp16'), mapOf(root, 'bf16')].some((part) => hasKey(part, 'enabled'));
  const optimizer = hasKey(mapOf(root, 'optimizer'), 'type') && hasKey(mapOf(root, 'optimizer'), 'params');
  const json = tree.language === 'json';
  return weigh('deepspeed', [
    when(zeroShape, 0.55, 'section `zero_optimization`'),
    keysSeen(keys, OWN, 0.3, 0.6),
    when(keys.has('train_batch_size'), json ? 0.3 : 0.1, 'key `train_batch_size`'),
    when(keys.has('train_micro_batch_size_per_gpu'), 0.2, 'key `train_micro_batch_size_per_gpu`'),
    when(precision, 0.2, 'precision section with `enabled`'),
    when(optimizer, 0.15, 'optimizer by `type` and `params`'),
    when(/(^|[_-])(ds|deepspeed|zero\d?)[_-]?/i.test(fileName), 0.05, 'file name'),
    when(!json, -0.2, 'not JSON'),
  ]);
}
