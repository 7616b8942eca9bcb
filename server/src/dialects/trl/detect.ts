import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { rootMap } from '../common/nodes';
import type { Detection } from '../dialect';
import { trlSchema } from './schema-data';

const DATA = [
  'dataset_name',
  'dataset_mixer',
  'dataset_mixture',
  'dataset_id_or_path',
  'dataset_train_split',
  'dataset_splits',
  'datasets',
  'dataset',
];
const TRAINER = [
  'per_device_train_batch_size',
  'gradient_accumulation_steps',
  'learning_rate',
  'lr_scheduler_type',
  'num_train_epochs',
  'max_steps',
  'output_dir',
  'gradient_checkpointing',
];
/** What LLaMA-Factory, Axolotl, ms-swift and Accelerate files have and TRL files do not. */
const FOREIGN = [
  'stage',
  'finetuning_type',
  'template',
  'cutoff_len',
  'base_model',
  'distributed_type',
  'train_type',
  'tuner_type',
  'train_dataset',
  'tensor_model_parallel_size',
  'dataset_dir',
];

/** Trainer arguments with a model and a data set of the hub: TRL scripts, alignment-handbook, open-r1 and their relatives. */
export function detectTrl(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || tree.language === 'arguments') return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  if (!keys.has('model_name_or_path') || FOREIGN.some((key) => keys.has(key))) return undefined;
  const known = [...keys].filter((key) => trlSchema.properties?.[key] !== undefined).length;
  return weigh('trl', [
    { weight: 0.25, reason: 'key `model_name_or_path`' },
    keysSeen(keys, DATA, 0.15, 0.25),
    keysSeen(keys, TRAINER, 0.1, 0.4),
    when(
      keys.has('chat_template') || keys.has('attn_implementation') || keys.has('torch_dtype'),
      0.1,
      'model arguments of TRL',
    ),
    when(known / Math.max(1, keys.size) < 0.5, -0.3, 'mostly unknown keys'),
  ]);
}
