import type { Detection } from '../dialect';
import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap } from '../common/nodes';
import { formOf } from './arguments';

const DEGREES = [
  'tensor_model_parallel_size',
  'pipeline_model_parallel_size',
  'expert_model_parallel_size',
  'expert_tensor_parallel_size',
  'num_layers_per_virtual_pipeline_stage',
  'num_virtual_stages_per_pipeline_rank',
  'pipeline_model_parallel_layout',
];
const MODEL = [
  'num_layers',
  'num_attention_heads',
  'ffn_hidden_size',
  'num_query_groups',
  'hidden_size',
  'seq_length',
  'max_position_embeddings',
  'kv_channels',
  'swiglu',
  'normalization',
];
const TRAINING = [
  'micro_batch_size',
  'global_batch_size',
  'sequence_parallel',
  'recompute_granularity',
  'recompute_method',
  'recompute_num_layers',
  'moe_grouped_gemm',
  'moe_permute_fusion',
  'moe_token_dispatcher_type',
  'moe_aux_loss_coeff',
  'use_distributed_optimizer',
  'overlap_grad_reduce',
  'overlap_param_gather',
  'cross_entropy_loss_fusion',
  'no_save_optim',
  'no_save_rng',
  'lr_warmup_fraction',
  'train_iters',
  'fp8_recipe',
  'fp8_format',
];
/** Keys of other tools that pass Megatron's arguments on, or share some of their names. */
const FOREIGN = [
  'actor_rollout_ref',
  'finetuning_type',
  'stage',
  'template',
  'base_model',
  'trainer',
  'policy',
  'parallelism',
  'architectures',
  'model_type',
  'compute_environment',
  'distributed_type',
  'pipe_parallel_size',
  'pipe-parallel-size',
  'zero_optimization',
  'defaults',
  '_target_',
  'apiVersion',
  'kind',
  'jobs',
  'services',
  'recipe',
  'step_scheduler',
  'run',
  'exp_manager',
  'quantization_config',
  'vocab_file_path',
  'tensor_parallel_size',
];

/** `MODEL_ARGS`, the two sections of `--yaml-cfg`, or a flat mapping with Megatron's argument names (ms-swift and dumps of arguments). */
export function detectMegatron(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  const form = formOf(tree);
  if (root === undefined || tree.language !== 'yaml' || form === undefined) return undefined;
  // A test that takes all of its arguments from a script still has the frame of a file with arguments.
  if (
    form !== 'model-args' &&
    hasKey(root, 'MODEL_ARGS') &&
    mapOf(root, 'ENV_VARS') !== undefined &&
    hasKey(root, 'TEST_TYPE')
  )
    return {
      dialect: 'megatron',
      confidence: 0.7,
      reasons: ['top-level keys `MODEL_ARGS`, `ENV_VARS` and `TEST_TYPE`'],
    };
  if (form === 'model-args') {
    const args = mapOf(root, 'MODEL_ARGS')?.entries ?? [];
    const flags = args.filter(({ key }) => key.startsWith('--')).length;
    return weigh('megatron', [
      when(true, 0.4, 'top-level key `MODEL_ARGS`'),
      when(flags > 0, 0.5, `${flags} of its keys are flags`),
      when(hasKey(root, 'ENV_VARS') || hasKey(root, 'TEST_TYPE'), 0.3, 'top-level key `ENV_VARS`'),
    ]);
  }
  if (form === 'sections')
    return {
      dialect: 'megatron',
      confidence: 0.95,
      reasons: ['top-level sections `language_model` and `model_parallel`'],
    };
  if (FOREIGN.some((key) => hasKey(root, key))) return undefined;
  // Sections such as `model:` or `train:` belong to the frameworks built on Megatron, which spell the same names inside them.
  if (mapOf(root, 'model') !== undefined || mapOf(root, 'train') !== undefined) return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  const degrees = keysSeen(keys, DEGREES, 0.3, 0.6);
  if (degrees === undefined) return undefined;
  return weigh('megatron', [degrees, keysSeen(keys, MODEL, 0.08, 0.3), keysSeen(keys, TRAINING, 0.08, 0.4)]);
}
