import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, isScalar, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

const OWN = [
  'finetuning_type',
  'cutoff_len',
  'template',
  'dataset_dir',
  'infer_backend',
  'adapter_name_or_path',
  'lora_target',
  'pref_loss',
  'pref_beta',
  'image_max_pixels',
  'val_size',
  'flash_attn',
  'use_kt',
  'export_dir',
  'preprocessing_num_workers',
  'plot_loss',
  'overwrite_cache',
  'disable_gradient_checkpointing',
];
const STAGES = ['pt', 'sft', 'rm', 'ppo', 'dpo', 'kto'];

/** LLaMA-Factory's flat arguments, and the sectioned form of its v1. */
export function detectLlamaFactory(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || tree.language === 'arguments') return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  if (keys.has('base_model') || keys.has('distributed_type')) return undefined;
  const stage = childOf(root, 'stage');
  const staged = isScalar(stage) && typeof stage.value === 'string' && STAGES.includes(stage.value);
  const first =
    keys.has('model') &&
    (keys.has('train_dataset') || keys.has('dist_config') || keys.has('peft_config')) &&
    (keys.has('micro_batch_size') ||
      keys.has('global_batch_size') ||
      keys.has('dist_config') ||
      keys.has('cutoff_len') ||
      keys.has('output_dir') ||
      hasKey(mapOf(root, 'peft_config'), 'name'));
  const named = keys.has('model_name_or_path');
  return weigh('llama-factory', [
    when(named, 0.25, 'key `model_name_or_path`'),
    when(staged, 0.3, 'key `stage`'),
    named || staged ? keysSeen(keys, OWN, 0.2, 0.6) : undefined,
    when(first, 0.6, 'sections of LLaMA-Factory v1'),
    when(first && mapOf(root, 'dist_config') !== undefined, 0.2, 'section `dist_config`'),
    when(keys.has('train_type') || keys.has('tuner_type'), -0.5, 'keys of ms-swift'),
  ]);
}
