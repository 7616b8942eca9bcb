import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

/** Keys of NeMo's Megatron models; speech and vision models of NeMo have none of them. */
const MODEL = [
  'tensor_model_parallel_size',
  'pipeline_model_parallel_size',
  'virtual_pipeline_model_parallel_size',
  'mcore_gpt',
  'megatron_amp_O2',
  'encoder_seq_length',
  'ffn_hidden_size',
  'activations_checkpoint_granularity',
  'restore_from_path',
];

/** A Lightning `trainer` beside a `model` with Megatron's names: NeMo 1.x and its launcher. */
export function detectNemo(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'yaml') return undefined;
  const model = mapOf(root, 'model');
  const trainer = mapOf(root, 'trainer');
  if (model === undefined || trainer === undefined || hasKey(root, 'policy') || hasKey(root, 'actor_rollout_ref'))
    return undefined;
  const own = keysSeen(new Set(model.entries.map(({ key }) => key)), MODEL, 0.25, 0.6);
  if (own === undefined || own.weight < 0.4) return undefined;
  return weigh('nemo', [
    own,
    when(
      hasKey(trainer, 'devices') || hasKey(trainer, 'num_nodes') || hasKey(trainer, 'precision'),
      0.25,
      "Lightning's `trainer`",
    ),
    when(mapOf(root, 'exp_manager') !== undefined, 0.3, 'top-level key `exp_manager`'),
  ]);
}
