import type { Loads } from '../../engine/placement/placement';
import type { PlacementFile } from './loads';
import type { Pickled, PickledTensor } from './pickle';
import { readTorchFile, type Tensor, type TorchFile } from './torch-file';

/** Time steps kept apart for placements that hold over all of them; more are added up in equal parts. */
const MOST_STEPS = 8;

function refused(reason: string): PlacementFile {
  return { kind: 'refused', reason };
}

function isTensor(value: Pickled | undefined): value is PickledTensor {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function rowsOf(values: Float64Array, layers: number, experts: number, from = 0): Loads {
  return Array.from({ length: layers }, (_, layer) =>
    values.slice(from + layer * experts, from + (layer + 1) * experts),
  );
}

function fault(loads: Loads): string | undefined {
  const layer = loads.findIndex((row) => row.some((load) => !(load >= 0 && load < Infinity)));
  return layer < 0 ? undefined : `layer ${layer} has a count that is negative or not a number`;
}

function addInto(sum: Loads, more: Loads): void {
  more.forEach((row, layer) => {
    const target = sum[layer];
    row.forEach((value, expert) => {
      if (target !== undefined) target[expert] = (target[expert] ?? 0) + value;
    });
  });
}

/** Loads from steps of equal shape: their sum, and at most eight equal parts of the time. */
function fromSteps(count: number, step: (index: number) => Loads): PlacementFile {
  const parts: Loads[] = [];
  const wanted = Math.min(count, MOST_STEPS);
  for (let index = 0; index < count; index += 1) {
    const rows = step(index);
    const wrong = fault(rows);
    if (wrong !== undefined) return refused(count === 1 ? wrong : `step ${index}: ${wrong}`);
    const part = parts[Math.floor((index * wanted) / count)];
    if (part === undefined) parts.push(rows.map((row) => row.slice()));
    else addInto(part, rows);
  }
  const sum = (parts[0] ?? []).map((row) => new Float64Array(row.length));
  for (const part of parts) addInto(sum, part);
  return parts.length > 1 ? { kind: 'loads', loads: sum, steps: parts } : { kind: 'loads', loads: sum };
}

/** Counts of logical experts: [layers][experts], or with leading steps. */
function fromCounts({ shape, values }: Tensor): PlacementFile {
  const [a = 0, b = 0, c] = shape;
  if (shape.length < 2 || shape.length > 3 || values.length === 0)
    return refused(
      `counts have the shape [${shape.join(', ')}] instead of [layers, experts] or [steps, layers, experts]`,
    );
  if (c === undefined) return fromSteps(1, () => rowsOf(values, a, b));
  return fromSteps(a, (step) => rowsOf(values, b, c, step * b * c));
}

/** Counts of slots added up by the expert that each slot held. */
function toExperts(counts: Tensor, map: Tensor): Loads {
  const [layers = 0, slots = 0] = counts.shape;
  const experts = map.values.reduce((most, expert) => Math.max(most, expert), -1) + 1;
  return Array.from({ length: layers }, (_, layer) => {
    const row = new Float64Array(experts);
    for (let slot = 0; slot < slots; slot += 1) {
      const expert = map.values[layer * slots + slot] ?? -1;
      if (expert >= 0) row[expert] = (row[expert] ?? 0) + (counts.values[layer * slots + slot] ?? 0);
    }
    return row;
  });
}

/** Tokens of one layer while records are read. */
interface TokenList {
  readonly topK: number;
  readonly experts: number[];
}

/** Tokens of a layer that are kept: enough to know which experts come up together. */
const MOST_TOKENS = 16_384;

/** Slots that tokens chose, [layers][tokens][topK], as the experts in them; tokens of layers that were not recorded hold -1. */
function addTokens(lists: TokenList[], { shape, values }: Tensor, map: Tensor): void {
  const [layers = 0, tokens = 0, topK = 0] = shape;
  const [rows = 0, slots = 0] = map.shape;
  if (shape.length !== 3 || layers !== rows || topK < 1) return;
  for (let layer = 0; layer < layers; layer += 1) {
    const list = (lists[layer] ??= { topK, experts: [] });
    for (let token = 0; token < tokens && list.experts.length < MOST_TOKENS * topK; token += 1) {
      const at = (layer * tokens + token) * topK;
      const chosen = Array.from(values.subarray(at, at + topK));
      if (list.topK !== topK || chosen.some((slot) => slot < 0 || slot >= slots)) continue;
      for (const slot of chosen) list.experts.push(map.values[layer * slots + slot] ?? 0);
    }
  }
}

/** How often each expert comes up among recorded tokens. */
function countsOf(lists: readonly TokenList[], map: Tensor): Loads {
  const experts = map.values.reduce((most, expert) => Math.max(most, expert), -1) + 1;
  return lists.map((list) => {
    const row = new Float64Array(experts);
    for (const expert of list.experts) row[expert] = (row[expert] ?? 0) + 1;
    return row;
  });
}

/**
 * A per-pass recording: slot counts of every pass, and the placement in force at its end.
 * Source: sgl-project/sglang, srt/eplb/eplb_simulator/reader.py.
 */
function fromPasses(file: TorchFile, records: readonly Pickled[], mapValue: PickledTensor): PlacementFile {
  const map = file.tensor(mapValue);
  if (typeof map === 'string') return refused(map);
  if (map.shape.length !== 2 || map.values.some((expert) => !Number.isInteger(expert) || expert >= 65_536))
    return refused('last_physical_to_logical_map is no placement');
  const passes: Loads[] = [];
  const tokens: TokenList[] = [];
  for (const record of records) {
    const value = record instanceof Map ? record.get('global_physical_count') : undefined;
    const chosen = record instanceof Map ? record.get('topk_ids_of_layer') : undefined;
    if (isTensor(chosen)) {
      const ids = file.tensor(chosen);
      if (typeof ids === 'string') return refused(ids);
      addTokens(tokens, ids, map);
    }
    if (!isTensor(value)) continue;
    const counts = file.tensor(value);
    if (typeof counts === 'string') return refused(counts);
    if (counts.shape.length !== 2 || counts.shape[1] !== map.shape[1])
      return refused(`a pass counts ${counts.shape[1] ?? 0} slots where the placement has ${map.shape[1] ?? 0}`);
    passes.push(toExperts(counts, map));
  }
  if (passes.length === 0 && tokens.length === 0)
    return refused('no record holds a global_physical_count or topk_ids_of_layer');
  if (passes.length === 0) passes.push(countsOf(tokens, map));
  if (passes.some((pass) => pass.length !== passes[0]?.length))
    return refused('passes count different numbers of layers');
  const loads = fromSteps(passes.length, (index) => passes[index] ?? []);
  const traces = tokens.map(({ topK, experts }) => ({ topK, experts: Int32Array.from(experts) }));
  return loads.kind === 'loads' ? { ...loads, recording: 'passes', ...(traces.length === 0 ? {} : { traces }) } : loads;
}

/**
 * Loads from a file of torch.save: SGLang's recordings (counts of a window, or of every pass) and vLLM Ascend's expert load view. Numbers
 * are read; code never runs.
 */
export function readRecording(bytes: Uint8Array): PlacementFile {
  const file = readTorchFile(bytes);
  if (typeof file === 'string') return refused(file);
  const { value } = file;
  const counts = value instanceof Map ? value.get('logical_count') : value;
  if (isTensor(counts)) {
    const tensor = file.tensor(counts);
    return typeof tensor === 'string' ? refused(tensor) : fromCounts(tensor);
  }
  const records = value instanceof Map ? value.get('records') : undefined;
  const map = value instanceof Map ? value.get('last_physical_to_logical_map') : undefined;
  if (Array.isArray(records) && isTensor(map)) return fromPasses(file, records, map);
  return refused('the file holds neither a logical_count nor records of passes');
}
