import type { ConfigNode, ConfigTree, Entry, ListNode, MapNode } from '../../syntax/tree';

/** One layer of a placement or of loads, with its place in the text. */
export interface PlacedRow {
  /** How the file names the layer: its index, or the model layer where the format says it. */
  readonly layer: number;
  readonly node: ConfigNode;
  /** Devices of vllm-ascend's map, in order; the row is then split as the file splits it. */
  readonly devices?: readonly ConfigNode[];
}

export type PlacementFormat =
  'sglang-map' | 'sglang-loads' | 'sglang-dump' | 'trtllm-map' | 'vllm-offline-map' | 'vllm-ranks' | 'vllm-ascend-map';

/** A file that holds expert loads or a placement. */
export interface RecognisedPlacement {
  readonly format: PlacementFormat;
  readonly root: MapNode;
  /** The entry that made it known; faults of the file as a whole stand at its key. */
  readonly main: Entry;
}

function find(root: MapNode, key: string): Entry | undefined {
  return root.entries.find((entry) => entry.key === key);
}

/** Keys by which each format is known, the first that fits wins; SGLang itself looks for the map before the counts. */
const SIGNS: readonly (readonly [format: PlacementFormat, main: string, others: readonly string[]])[] = [
  ['vllm-offline-map', 'physical_to_logical_map', ['version', 'format']],
  ['vllm-offline-map', 'model_maps', []],
  ['sglang-map', 'physical_to_logical_map', []],
  ['sglang-loads', 'logical_count', []],
  ['sglang-dump', 'last_physical_to_logical_map', ['records']],
  ['trtllm-map', 'initial_global_assignments', []],
  ['trtllm-map', 'layer_updates_per_iter', ['num_slots']],
  ['vllm-ranks', 'expert_to_ep_rank', []],
  ['vllm-ascend-map', 'layer_list', ['moe_layer_count']],
];

/** What kind of placement file a tree is, by its keys; undefined for everything else. */
export function recognisePlacement(tree: ConfigTree): RecognisedPlacement | undefined {
  const root = tree.documents[0];
  if (root?.kind !== 'map') return undefined;
  for (const [format, key, others] of SIGNS) {
    const main = find(root, key);
    if (main !== undefined && others.every((other) => find(root, other) !== undefined)) return { format, root, main };
  }
  return undefined;
}

function listRows(node: ConfigNode): PlacedRow[] {
  return node.kind === 'list' ? node.items.map((item, layer) => ({ layer, node: item })) : [];
}

function ascendRows(layers: ListNode): PlacedRow[] {
  return layers.items.flatMap((item, index) => {
    if (item.kind !== 'map') return [];
    const named = find(item, 'layer_id')?.value;
    const devices = find(item, 'device_list')?.value;
    const layer = named?.kind === 'scalar' && typeof named.value === 'number' ? named.value : index;
    const experts =
      devices?.kind === 'list'
        ? devices.items.flatMap((device) => {
            const held = device.kind === 'map' ? find(device, 'device_expert')?.value : undefined;
            return held === undefined ? [] : [held];
          })
        : [];
    return [{ layer, node: item, devices: experts }];
  });
}

/** The rows of one map: a file has one, or one a model in vLLM's version 2. */
export function mapsOf({ format, main }: RecognisedPlacement): PlacedRow[][] {
  const { value } = main;
  if (main.key === 'model_maps')
    return value.kind !== 'map'
      ? []
      : value.entries.map((model) => {
          const map = model.value.kind === 'map' ? find(model.value, 'physical_to_logical_map') : undefined;
          return map === undefined ? [] : listRows(map.value);
        });
  if (format === 'trtllm-map')
    return value.kind === 'map'
      ? [value.entries.map((entry) => ({ layer: Number(entry.key), node: entry.value }))]
      : [[]];
  if (format === 'vllm-ascend-map') return value.kind === 'list' ? [ascendRows(value)] : [[]];
  return [listRows(value)];
}
