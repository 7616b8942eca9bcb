import { mapsOf, numberAt, recognisePlacement, type PlacedRow } from '../../dialects/placement/recognise';
import type { Loads } from '../../engine/placement/placement';
import type { RoutedTokens } from '../../engine/placement/router';
import { isBinaryName, textToBytes } from '../../protocol/bytes';
import { parseConfig } from '../../syntax/parse';
import type { ConfigNode, ConfigTree } from '../../syntax/tree';
import { readRecording } from './recorder';
import { readSafetensors } from './trt-statistics';

/** What a placement file turned out to hold. */
export type PlacementFile =
  /** `firstLayer` is the model layer of the first row, where the file says it. */
  | {
      readonly kind: 'loads';
      readonly loads: Loads;
      /** The single time steps where the file keeps them apart; `loads` is their sum. */
      readonly steps?: readonly Loads[];
      readonly firstLayer?: number;
      /** Tokens with their experts, a layer an entry, where the recording has them. */
      readonly traces?: readonly RoutedTokens[];
      /** A recording of single passes, which no engine starts from. */
      readonly recording?: 'passes';
    }
  | {
      readonly kind: 'map';
      readonly physicalToLogical: readonly Int32Array[];
      readonly firstLayer?: number;
      readonly gpus?: number;
    }
  | { readonly kind: 'refused'; readonly reason: string };

/** True for files of tensors, whose text is their bytes as characters 0 to 255. */
export function isTensorFile(path: string): boolean {
  return isBinaryName(path);
}

type Rows = readonly (readonly number[])[];

function isRows(value: unknown): value is Rows {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => Array.isArray(row) && row.length > 0 && row.every((cell) => typeof cell === 'number'))
  );
}

/** Sums a recorder dump over its steps: [steps][layers][experts] -> [layers][experts]. */
function sumSteps(steps: readonly Rows[]): number[][] {
  const first = steps[0] ?? [];
  return first.map((row, layer) =>
    row.map((_, expert) => steps.reduce((sum, step) => sum + (step[layer]?.[expert] ?? 0), 0)),
  );
}

function refused(reason: string): PlacementFile {
  return { kind: 'refused', reason };
}

function loadsOf(rows: Rows): PlacementFile {
  const width = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd >= 0) return refused(`layer ${odd} has ${rows[odd]?.length ?? 0} experts where layer 0 has ${width}`);
  const bad = rows.findIndex((row) => row.some((load) => !(load >= 0 && load < Infinity)));
  if (bad >= 0) return refused(`layer ${bad} has a load that is negative or not a number`);
  return { kind: 'loads', loads: rows.map((row) => Float64Array.from(row)) };
}

function mapOf(rows: Rows): PlacementFile {
  const width = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd >= 0) return refused(`layer ${odd} has ${rows[odd]?.length ?? 0} slots where layer 0 has ${width}`);
  const bad = rows.findIndex((row) => row.some((expert) => !Number.isInteger(expert) || expert < 0));
  if (bad >= 0) return refused(`layer ${bad} has a slot that holds no expert number`);
  return { kind: 'map', physicalToLogical: rows.map((row) => Int32Array.from(row)) };
}

function stepsOf(steps: readonly Rows[]): PlacementFile {
  const layers = steps[0]?.length ?? 0;
  const odd = steps.findIndex((step) => step.length !== layers);
  if (odd >= 0) return refused(`step ${odd} has ${steps[odd]?.length ?? 0} layers where step 0 has ${layers}`);
  const apart: Loads[] = [];
  for (const [index, step] of steps.entries()) {
    const read = loadsOf(step);
    if (read.kind !== 'loads') return read.kind === 'refused' ? refused(`step ${index}: ${read.reason}`) : read;
    if (read.loads[0]?.length !== apart[0]?.[0]?.length && index > 0)
      return refused(`step ${index} has another number of experts than step 0`);
    apart.push(read.loads);
  }
  const sum = loadsOf(sumSteps(steps));
  return sum.kind === 'loads' ? { ...sum, steps: apart } : sum;
}

function numbersOf(node: ConfigNode): number[] {
  return node.kind === 'list'
    ? node.items.map((item) => (item.kind === 'scalar' && typeof item.value === 'number' ? item.value : Number.NaN))
    : [];
}

/** Rows keyed by layer must be of consecutive layers, or at an even stride where only some layers have experts. */
function keyedRows(rows: readonly PlacedRow[]): { readonly firstLayer: number; readonly rows: Rows } {
  const sorted = [...rows].sort((a, b) => a.layer - b.layer);
  return {
    firstLayer: sorted[0]?.layer ?? 0,
    rows: sorted.map(({ node, devices }) => (devices ?? [node]).flatMap(numbersOf)),
  };
}

/** One rank an expert, as slots in the order of the ranks. */
function fromRanks(ranks: readonly number[]): PlacementFile {
  if (ranks.some((rank) => !Number.isInteger(rank) || rank < 0)) return refused('an expert has no rank');
  const order = ranks.map((rank, expert) => ({ rank, expert })).sort((a, b) => a.rank - b.rank || a.expert - b.expert);
  const gpus = ranks.reduce((most, rank) => Math.max(most, rank), -1) + 1;
  const file = mapOf([order.map(({ expert }) => expert)]);
  return file.kind === 'map' ? { ...file, gpus } : file;
}

/** The other formats, by their tree: TensorRT-LLM, vLLM, vLLM Ascend and tables. */
function fromTree(tree: ConfigTree): PlacementFile | undefined {
  const found = recognisePlacement(tree);
  if (found === undefined) return undefined;
  if (found.format === 'vllm-ranks') return fromRanks(numbersOf(found.main.value));
  const [first = []] = mapsOf(found);
  if (first.length === 0) return refused('the file gives no layer a placement');
  const { firstLayer, rows } = keyedRows(first);
  if (found.format === 'csv-loads') {
    const loads = loadsOf(rows);
    return loads.kind === 'loads' ? { ...loads, firstLayer } : loads;
  }
  const file = mapOf(rows);
  const gpus =
    found.format === 'vllm-ascend-map'
      ? first[0]?.devices?.length
      : found.format === 'csv-map'
        ? numberAt(found.root, 'ep_size')
        : undefined;
  return file.kind === 'map'
    ? {
        ...file,
        // vLLM's two formats count the MoE layers alone.
        ...(found.format.startsWith('vllm') ? {} : { firstLayer }),
        ...(gpus === undefined ? {} : { gpus }),
      }
    : file;
}

/** Loads or a placement from JSON: plain rows, SGLang's `logical_count` ([layers][experts], or with leading steps), or its `physical_to_logical_map`. */
function fromJson(data: unknown): PlacementFile | undefined {
  if (isRows(data)) return loadsOf(data);
  if (typeof data !== 'object' || data === null) return undefined;
  const { physical_to_logical_map: map, logical_count: count } = data as Readonly<Record<string, unknown>>;
  // SGLang looks for the map first.
  if (isRows(map)) return mapOf(map);
  if (isRows(count)) return loadsOf(count);
  if (Array.isArray(count) && count.length > 0 && count.every(isRows)) return stepsOf(count);
  return undefined;
}

function parsed(text: string): { readonly data: unknown } | undefined {
  try {
    return { data: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

/**
 * Loads or a placement in any of the frameworks' formats; a sentence where the file is none. Binary files come as a text of their bytes.
 * Source of the shapes: sgl-project/sglang, srt/eplb/expert_location.py, compute_initial_expert_location_metadata; the other formats in
 * the dialect of placement files.
 */
export function readPlacementFile(text: string): PlacementFile {
  if (text.startsWith('PK') || text.charCodeAt(0) === 0x80) return readRecording(textToBytes(text));
  if (text.charCodeAt(8) === 0x7b && text.charCodeAt(7) === 0) return readSafetensors(textToBytes(text));
  if (text.trim() === '') return refused('the file is empty');
  const json = parsed(text);
  const found = json === undefined ? undefined : fromJson(json.data);
  if (found !== undefined) return found;
  const other = fromTree(parseConfig(text, json === undefined ? 'yaml' : 'json'));
  if (other !== undefined) return other;
  if (json === undefined)
    return refused(
      'the file is neither JSON nor a table (headed layer,expert,load or layer,slot,expert) nor a placement of TensorRT-LLM',
    );
  return typeof json.data === 'object' && json.data !== null
    ? refused('the file has neither a logical_count nor a physical_to_logical_map with rows of numbers')
    : refused('the file holds neither rows of loads nor an SGLang placement');
}
