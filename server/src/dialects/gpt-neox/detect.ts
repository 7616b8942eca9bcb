import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

const DEGREES = ['pipe_parallel_size', 'model_parallel_size'];
const OWN = [
  'train_micro_batch_size_per_gpu',
  'gradient_accumulation_steps',
  'zero_optimization',
  'num_layers',
  'hidden_size',
  'num_attention_heads',
  'seq_length',
  'max_position_embeddings',
  'no_weight_tying',
  'pos_emb',
  'gpt_j_residual',
  'output_layer_parallelism',
  'rotary_pct',
  'norm',
  'attention_config',
  'scaled_upper_triang_masked_softmax_fusion',
  'checkpoint_activations',
  'tokenizer_type',
  'train_iters',
  'data_impl',
  'mlp_type',
];
const FOREIGN = [
  // Megatron-LM's own name of a degree, which GPT-NeoX refuses.
  'tensor_model_parallel_size',
  'extends',
  'actor_rollout_ref',
  'MODEL_ARGS',
  'base_model',
  'trainer',
  'model_args',
  'compute_environment',
  'apiVersion',
  'services',
  'jobs',
];

/** Files that hold one concern of a run (paths, profiling, generation) beside those that hold the model: keys that stand together only here. */
const PARTS: readonly (readonly string[])[] = [
  ['checkpoint_validation_with_forward_pass'],
  ['text_gen_type'],
  ['memory_profiling', 'profile_step_start'],
  ['attention_config', 'sparsity_config'],
  ['train_data_paths|data_path', 'vocab_file', 'merge_file|tokenizer_type', 'save|load', 'log_dir|tensorboard_dir'],
];

/** A flat mapping with GPT-NeoX's degrees, or enough of its other names; `-` and `_` are the same to it. */
export function detectNeox(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || FOREIGN.some((key) => hasKey(root, key))) return undefined;
  if (mapOf(root, 'model') !== undefined) return undefined;
  const keys = new Set(root.entries.map(({ key }) => key.replaceAll('-', '_')));
  const degrees = keysSeen(keys, DEGREES, 0.3, 0.6);
  const own = keysSeen(keys, OWN, 0.06, 0.5);
  const local =
    keys.has('output_layer_parallelism') ||
    keys.has('gpt_j_residual') ||
    keys.has('scaled_upper_triang_masked_softmax_fusion') ||
    // Partial files leave the degrees to another one; these two never stand beside DeepSpeed's keys elsewhere.
    (keys.has('train_micro_batch_size_per_gpu') && keys.has('train_iters') && keys.has('data_impl')) ||
    PARTS.some((part) => part.every((alternatives) => alternatives.split('|').some((key) => keys.has(key))));
  if (degrees === undefined && !local) return undefined;
  return weigh('gpt-neox', [
    degrees,
    own,
    when(local, degrees === undefined ? 0.5 : 0.25, 'keys that only GPT-NeoX has'),
  ]);
}
