import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap } from '../common/nodes';
import type { Detection } from '../dialect';

const PARALLEL = ['dp', 'pp', 'tp', 'pp_engine', 'tp_mode', 'tp_linear_async_communication', 'expert_parallel_size'];
const TOKENS = ['micro_batch_size', 'sequence_length', 'batch_accumulation_per_replica', 'train_steps'];

/** Sections `parallelism` and `tokens` with nanotron's names. */
export function detectNanotron(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml') return undefined;
  const keys = (name: string): ReadonlySet<string> => new Set((mapOf(root, name)?.entries ?? []).map(({ key }) => key));
  const parallel = keysSeen(keys('parallelism'), PARALLEL, 0.15, 0.45);
  const tokens = keysSeen(keys('tokens'), TOKENS, 0.15, 0.45);
  if (parallel === undefined && tokens === undefined) return undefined;
  const model = mapOf(root, 'model');
  return weigh('nanotron', [
    parallel,
    tokens,
    when(model !== undefined && hasKey(model, 'model_config'), 0.3, 'section `model` with `model_config`'),
    when(
      hasKey(root, 'data_stages') || mapOf(root, 'checkpoints') !== undefined,
      0.1,
      'section `data_stages` or `checkpoints`',
    ),
  ]);
}
