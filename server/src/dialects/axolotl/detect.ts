import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { rootMap } from '../common/nodes';
import type { Detection } from '../dialect';
import { axolotlSchema } from './schema-data';

const OWN = [
  'micro_batch_size',
  'sequence_len',
  'sample_packing',
  'pad_to_sequence_len',
  'dataset_prepared_path',
  'val_set_size',
  'num_epochs',
  'lora_r',
  'lora_target_linear',
  'load_in_4bit',
  'load_in_8bit',
  'adapter',
  'wandb_project',
  'flash_attention',
  'evals_per_epoch',
  'saves_per_epoch',
  'train_on_inputs',
  'rl',
  'trust_remote_code',
  'special_tokens',
  'tokenizer_type',
  'model_type',
  'gradient_checkpointing',
  'lr_scheduler',
  'plugins',
];

/** Axolotl's flat configuration. */
export function detectAxolotl(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || tree.language === 'arguments') return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  if (!keys.has('base_model')) return undefined;
  const known = [...keys].filter((key) => axolotlSchema.properties?.[key] !== undefined).length;
  return weigh('axolotl', [
    { weight: 0.25, reason: 'key `base_model`' },
    keysSeen(keys, OWN, 0.12, 0.6),
    when(keys.has('datasets') || keys.has('pretraining_dataset'), 0.15, 'data sets'),
    when(known / Math.max(1, keys.size) < 0.5, -0.5, 'mostly unknown keys'),
    when(keys.has('merge_method') || keys.has('slices') || keys.has('models'), -0.5, 'a merge recipe'),
  ]);
}
