import type { ConfigTree, MapNode } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, mapOf, rootMap, textOf } from '../common/nodes';
import type { Detection } from '../dialect';

const SECTIONS = [
  'train',
  'ddp',
  'optimizer',
  'scheduler',
  'dataset',
  'checkpoint',
  'logger',
  'dist',
  'rng',
  'mixed_precision',
  'comm_overlap',
  'validation',
  'profiling',
];
const MODEL = [
  'tensor_model_parallel_size',
  'pipeline_model_parallel_size',
  'context_parallel_size',
  'expert_model_parallel_size',
  'seq_length',
  'sequence_parallel',
  'recompute_granularity',
  'calculate_per_token_loss',
];
const TRAIN = ['train_iters', 'train_samples', 'global_batch_size', 'micro_batch_size', 'eval_iters'];
/** NeMo 1, NeMo-RL, verl and serving configs share section names. */
const FOREIGN = [
  'trainer',
  'exp_manager',
  'policy',
  'actor_rollout_ref',
  'step_scheduler',
  'MODEL_ARGS',
  'language_model',
  'parallelism',
  'tokens',
  'apiVersion',
  'services',
  'jobs',
];

function keysOf(node: MapNode | undefined): ReadonlySet<string> {
  return new Set((node?.entries ?? []).map(({ key }) => key));
}

/** `_target_` of Megatron-Bridge, or a `model` section with Megatron's names beside sections of its ConfigContainer. */
export function detectBridge(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml') return undefined;
  const targets = root.entries.filter(({ value }) =>
    /^megatron\.bridge\./.test(textOf(childOf(value, '_target_')) ?? ''),
  );
  const own = /^megatron\.bridge\./.test(textOf(childOf(root, '_target_')) ?? '');
  if (own || targets.length > 0)
    return { dialect: 'megatron-bridge', confidence: 0.97, reasons: ['`_target_` of megatron.bridge'] };
  if (FOREIGN.some((key) => hasKey(root, key))) return undefined;
  const model = mapOf(root, 'model');
  const train = mapOf(root, 'train');
  const sections = SECTIONS.filter((key) => mapOf(root, key) !== undefined).length;
  const megatronKeys = keysSeen(keysOf(model), MODEL, 0.3, 0.5);
  const trainKeys = keysSeen(keysOf(train), TRAIN, 0.15, 0.35);
  if (trainKeys === undefined && megatronKeys === undefined) return undefined;
  return weigh('megatron-bridge', [
    megatronKeys,
    trainKeys,
    when(sections >= 2, 0.15, `${sections} sections of its configuration container`),
    when(sections >= 4, 0.15, 'four sections or more'),
  ]);
}
