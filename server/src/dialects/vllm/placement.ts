import type { Reference } from '../dialect';
import { placeOf } from '../common/nodes';
import type { VllmArguments } from './values';

/**
 * Where options name an expert map: vLLM Ascend takes it in its own part of the config, in either of two places. vLLM's main line reads none.
 * Source: vllm-project/vllm-ascend, vllm_ascend/ascend_config.py.
 */
const PLACES: readonly string[] = [
  'additional-config.expert_map_path',
  'additional-config.eplb_config.expert_map_path',
];

/** Expert maps that the options name. */
export function vllmPlacements(args: VllmArguments): Reference[] {
  return PLACES.flatMap((path): Reference[] => {
    const entry = args.entry(path);
    const target = args.text(path);
    return entry === undefined || target === undefined || target === ''
      ? []
      : [{ at: placeOf(entry), target, kind: 'placement' }];
  });
}
