import type { ConfigTree } from '../../syntax/tree';
import type { Detection } from '../dialect';
import { weigh, when } from '../common/evidence';
import { recognisePlacement, TRTLLM_KEYS, type PlacementFormat } from './recognise';

const TITLES: Readonly<Record<PlacementFormat, string>> = {
  'sglang-map': "SGLang's expert location",
  'sglang-loads': "SGLang's expert counts",
  'sglang-dump': "SGLang's per-pass recording",
  'sglang-unknown': 'rows of experts under a misspelled key',
  'trtllm-map': "TensorRT-LLM's balancer file",
  'vllm-offline-map': "vLLM's offline expert map",
  'vllm-ranks': "vLLM's ranks of experts",
  'vllm-ascend-map': "vLLM Ascend's expert map",
  'csv-map': 'a table of expert slots',
  'csv-loads': 'a table of expert loads',
};

/** Keys of this kind stand alone or among few others; a large file that happens to have one is something else. */
const MOST_KEYS = 8;

/** Keys that nothing else has, so that a file is known by them whatever stands behind them. */
const UNMISTAKABLE: readonly string[] = ['physical_to_logical_map', 'initial_global_assignments', 'expert_to_ep_rank'];

/** A placement of experts or the loads it is made from, by the keys that the frameworks' readers look for. */
export function detectPlacement(tree: ConfigTree, _fileName: string): Detection | undefined {
  const found = recognisePlacement(tree);
  if (found === undefined || tree.language === 'toml' || found.root.entries.length > MOST_KEYS) return undefined;
  const { value, key } = found.main;
  const shape =
    key === 'num_slots'
      ? found.root.entries.every((entry) => TRTLLM_KEYS.includes(entry.key))
      : key === 'layer_updates_per_iter' || value.kind !== 'scalar' || UNMISTAKABLE.includes(key);
  const sure = key === 'num_slots' || (value.kind === 'scalar' && key !== 'layer_updates_per_iter') ? 0.6 : 0.9;
  return weigh('placement', [when(shape, sure, `${TITLES[found.format]}: \`${key}\``)]);
}
