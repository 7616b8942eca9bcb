import type { Comment, ConfigNode, ConfigTree, Entry, ListNode, MapNode, Span } from '../../syntax/tree';
import { editDistance } from '../common/spelling';
import { isPlacementTable, placementTable } from './csv';

/** One layer of a placement or of loads, with its place in the text. */
export interface PlacedRow {
  /** How the file names the layer: its index, or the model layer where the format says it. */
  readonly layer: number;
  readonly node: ConfigNode;
  /** The layer's name, where the format writes it. */
  readonly keySpan?: Span;
  /** Devices of vllm-ascend's map, in order; the row is then split as the file splits it. */
  readonly devices?: readonly ConfigNode[];
}

export type PlacementFormat =
  | 'sglang-map'
  | 'sglang-loads'
  | 'sglang-dump'
  | 'sglang-unknown'
  | 'trtllm-map'
  | 'vllm-offline-map'
  | 'vllm-ranks'
  | 'vllm-ascend-map'
  | 'csv-map'
  | 'csv-loads';

/** A file that holds expert loads or a placement. */
export interface RecognisedPlacement {
  readonly format: PlacementFormat;
  readonly root: MapNode;
  /** The entry that made it known; faults of the file as a whole stand at its key. */
  readonly main: Entry;
}

export function find(root: ConfigNode | undefined, key: string): Entry | undefined {
  return root?.kind === 'map' ? root.entries.find((entry) => entry.key === key) : undefined;
}

/** Keys by which each format is known, the first that fits wins; SGLang itself looks for the map before the counts. */
const SIGNS: readonly (readonly [format: PlacementFormat, main: string, others: readonly string[]])[] = [
  ['csv-map', 'csv_physical_to_logical', []],
  ['csv-loads', 'csv_logical_count', []],
  ['vllm-offline-map', 'physical_to_logical_map', ['version', 'format']],
  ['vllm-offline-map', 'model_maps', ['version']],
  ['sglang-map', 'physical_to_logical_map', []],
  ['sglang-loads', 'logical_count', []],
  ['sglang-dump', 'last_physical_to_logical_map', []],
  ['trtllm-map', 'initial_global_assignments', []],
  ['trtllm-map', 'layer_updates_per_iter', ['num_slots']],
  ['vllm-ranks', 'expert_to_ep_rank', []],
  ['vllm-ascend-map', 'layer_list', ['moe_layer_count']],
];

/** Keys that TensorRT-LLM's balancer takes. */
export const TRTLLM_KEYS: readonly string[] = ['num_slots', 'initial_global_assignments', 'layer_updates_per_iter'];

const MISSPELLED: readonly string[] = ['physical_to_logical_map', 'logical_count'];

function isNumberRows(node: ConfigNode): boolean {
  const first = node.kind === 'list' ? node.items[0] : undefined;
  const cell = first?.kind === 'list' ? first.items[0] : undefined;
  return cell?.kind === 'list'
    ? isNumberRows(first as ConfigNode)
    : cell?.kind === 'scalar' && typeof cell.value === 'number';
}

/** A key that is nearly one of SGLang's, with rows of numbers: SGLang finds no placement in such a file. */
function misspelled(root: MapNode): Entry | undefined {
  return root.entries.find(
    ({ key, value }) => MISSPELLED.some((known) => editDistance(key, known, 4) <= 4) && isNumberRows(value),
  );
}

/** Comment lines of a table, which come before its header. */
function tableComments(text: string): Comment[] {
  return [...text.slice(0, 4096).matchAll(/^[ \t]*#(.*)$/gm)].map((match) => ({
    text: (match[1] ?? '').trim(),
    span: { start: match.index, end: match.index + match[0].length },
  }));
}

/** The tree of a table of slots or loads, which no parser of the other languages has to look at; undefined for other texts. */
export function tableTree(text: string): ConfigTree | undefined {
  return isPlacementTable(text)
    ? { language: 'yaml', text, documents: [], comments: tableComments(text), issues: [] }
    : undefined;
}

/** What kind of placement file a tree is, by its keys; undefined for everything else. */
export function recognisePlacement(tree: ConfigTree): RecognisedPlacement | undefined {
  const document = tree.documents[0];
  // A table is one long text to the parsers of the other languages.
  const root =
    document?.kind === 'map' ? document : isPlacementTable(tree.text) ? placementTable(tree.text) : undefined;
  if (root?.kind !== 'map') return undefined;
  for (const [format, key, others] of SIGNS) {
    const main = find(root, key);
    if (main !== undefined && others.every((other) => find(root, other) !== undefined)) return { format, root, main };
  }
  const slots = find(root, 'num_slots');
  if (slots !== undefined && root.entries.every(({ key }) => TRTLLM_KEYS.includes(key)))
    return { format: 'trtllm-map', root, main: slots };
  const near = tree.language === 'json' ? misspelled(root) : undefined;
  return near === undefined ? undefined : { format: 'sglang-unknown', root, main: near };
}

function listRows(node: ConfigNode): PlacedRow[] {
  return node.kind === 'list' ? node.items.map((item, layer) => ({ layer, node: item })) : [];
}

function keyedRows(node: ConfigNode): PlacedRow[] {
  return node.kind === 'map'
    ? node.entries.map(({ key, keySpan, value }) => ({
        layer: key.trim() === '' ? Number.NaN : Number(key),
        node: value,
        keySpan,
      }))
    : [];
}

export function numberAt(root: ConfigNode, key: string): number | undefined {
  const value = find(root, key)?.value;
  if (value?.kind !== 'scalar') return undefined;
  // Readers with types take digits in quotes for the number they are.
  if (typeof value.value === 'string' && /^\d+$/.test(value.value)) return Number(value.value);
  return typeof value.value === 'number' ? value.value : undefined;
}

function ascendRows(layers: ListNode): PlacedRow[] {
  return layers.items.flatMap((item, index) => {
    if (item.kind !== 'map') return [];
    const devices = find(item, 'device_list')?.value;
    const experts =
      devices?.kind === 'list'
        ? devices.items.flatMap((device) => {
            const held = find(device, 'device_expert')?.value;
            return held === undefined ? [] : [held];
          })
        : [];
    return [{ layer: numberAt(item, 'layer_id') ?? index, node: item, devices: experts }];
  });
}

/** The rows of one map: a file has one, or one a model in vLLM's version 2. */
export function mapsOf({ format, main }: RecognisedPlacement): PlacedRow[][] {
  const { value } = main;
  if (main.key === 'model_maps')
    return value.kind !== 'map'
      ? []
      : value.entries.map((model) => {
          const map = find(model.value, 'physical_to_logical_map');
          return map === undefined ? [] : listRows(map.value);
        });
  if (format === 'trtllm-map' || format === 'csv-map' || format === 'csv-loads') return [keyedRows(value)];
  if (format === 'vllm-ascend-map') return value.kind === 'list' ? [ascendRows(value)] : [[]];
  return [listRows(value)];
}
