import { decodeColumn } from '../../../server/src/protocol/columns';
import type { PlacementView, SlotChange } from '../../../server/src/protocol/placement';

/** A view unpacked: where every replica sits and how loaded everything is, in flat arrays a layer after the other. */
export interface PlacementModel {
  readonly view: PlacementView;
  readonly slotsPerGpu: number;
  readonly gpusPerNode: number;
  /** layers x slots -> expert. */
  readonly map: Int32Array;
  /** layers x experts. */
  readonly loads: Float64Array;
  /** layers x gpus, as shares of the layer's mean: 1 is even. */
  readonly gpuRatio: Float64Array;
  /** layers x slots, load of one replica as a share of the layer's mean slot. */
  readonly slotRatio: Float64Array;
  /** layers x experts. */
  readonly copies: Int32Array;
  /** Slots that hold an expert which their GPU also holds in an earlier slot; flat indices, ascending. */
  readonly duplicates: readonly number[];
  /** Layer rows from the worst balance to the best. */
  readonly worstFirst: readonly number[];
  readonly gpuScale: Scale;
  readonly slotScale: Scale;
}

/** Values that the colour ramp spans. */
export interface Scale {
  readonly low: number;
  readonly high: number;
}

function ratios(values: Float64Array, rows: number): Float64Array {
  const columns = values.length / Math.max(1, rows);
  const result = new Float64Array(values.length);
  for (let row = 0; row < rows; row += 1) {
    let sum = 0;
    for (let column = 0; column < columns; column += 1) sum += values[row * columns + column] ?? 0;
    const mean = sum / columns;
    for (let column = 0; column < columns; column += 1) {
      const at = row * columns + column;
      result[at] = mean > 0 ? (values[at] ?? 0) / mean : 1;
    }
  }
  return result;
}

/** From the least to the most, but always at least a tenth on both sides of even, so that noise does not look like imbalance. */
function scaleOf(values: Float64Array): Scale {
  let low = 0.9;
  let high = 1.1;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return { low, high };
}

function copiesOf(view: PlacementView, map: Int32Array): Int32Array {
  const copies = new Int32Array(view.layers * view.experts);
  map.forEach((expert, at) => {
    const cell = Math.floor(at / view.slots) * view.experts + expert;
    if (expert >= 0 && expert < view.experts) copies[cell] = (copies[cell] ?? 0) + 1;
  });
  return copies;
}

function duplicatesOf(map: Int32Array, slotsPerGpu: number): readonly number[] {
  const found: number[] = [];
  for (let first = 0; first < map.length; first += slotsPerGpu) {
    const seen = new Set<number>();
    for (let at = first; at < first + slotsPerGpu && at < map.length; at += 1) {
      const expert = map[at] ?? -1;
      if (seen.has(expert)) found.push(at);
      seen.add(expert);
    }
  }
  return found;
}

function doubles(array: ReturnType<typeof decodeColumn>): Float64Array {
  return array instanceof Float64Array ? array : Float64Array.from(array);
}

/** GPU loads when all copies of an expert share equally, from the loads of the slots. */
function gpuLoadsOf(view: PlacementView, slotLoads: Float64Array, slotsPerGpu: number): Float64Array {
  const sums = new Float64Array(view.layers * view.gpus);
  slotLoads.forEach((load, at) => {
    const cell = Math.floor(at / view.slots) * view.gpus + Math.floor((at % view.slots) / slotsPerGpu);
    sums[cell] = (sums[cell] ?? 0) + load;
  });
  return sums;
}

/** mean / max of a row of loads that are shares of their mean. */
function evennessOf(ratio: Float64Array): number {
  const most = ratio.reduce((a, b) => Math.max(a, b), 0);
  return most > 0 ? 1 / most : 1;
}

function modelOf(
  view: PlacementView,
  map: Int32Array,
  loads: Float64Array,
  given: Float64Array | undefined,
): PlacementModel {
  const slotsPerGpu = Math.max(1, Math.round(view.slots / Math.max(1, view.gpus)));
  const copies = copiesOf(view, map);
  const slotLoads = new Float64Array(map.length);
  map.forEach((expert, at) => {
    const cell = Math.floor(at / view.slots) * view.experts + expert;
    slotLoads[at] = (loads[cell] ?? 0) / Math.max(1, copies[cell] ?? 1);
  });
  const gpuRatio = ratios(given ?? gpuLoadsOf(view, slotLoads, slotsPerGpu), view.layers);
  const slotRatio = ratios(slotLoads, view.layers);
  const rows = Array.from({ length: view.layers }, (_, layer) => layer);
  return {
    view,
    slotsPerGpu,
    gpusPerNode: Math.max(1, Math.round(view.gpus / Math.max(1, view.nodes))),
    map,
    loads,
    gpuRatio,
    slotRatio,
    copies,
    duplicates: duplicatesOf(map, slotsPerGpu),
    worstFirst: rows.sort((a, b) => (view.meanOverMax[a] ?? 1) - (view.meanOverMax[b] ?? 1) || a - b),
    gpuScale: scaleOf(gpuRatio),
    slotScale: scaleOf(slotRatio),
  };
}

/** Unpacks a view once. */
export function decodePlacement(view: PlacementView): PlacementModel {
  const decoded = decodeColumn(view.columns.physicalToLogical);
  const map = decoded instanceof Int32Array ? decoded : Int32Array.from(decoded);
  return modelOf(view, map, doubles(decodeColumn(view.columns.loads)), doubles(decodeColumn(view.columns.gpuLoads)));
}

/** The same placement with other experts in some slots, everything that hangs on it computed anew. */
export function withSlots(model: PlacementModel, changes: readonly SlotChange[]): PlacementModel {
  if (changes.length === 0) return model;
  const map = model.map.slice();
  for (const { row, slot, expert } of changes) map[row * model.view.slots + slot] = expert;
  const changed = modelOf(model.view, map, model.loads, undefined);
  const { gpus, layers } = model.view;
  const meanOverMax = Array.from({ length: layers }, (_, row) =>
    evennessOf(changed.gpuRatio.subarray(row * gpus, (row + 1) * gpus)),
  );
  // What only the server computes no longer holds.
  const { evenness: _even, fixed: _fixed, lp: _lp, traffic: _traffic, ...view } = model.view;
  return { ...changed, view: { ...view, meanOverMax } };
}

/** Where even lies on the colour ramp: in its calm part, so that a balanced layer is quiet and only overload speaks up. */
export const EVEN_PLACE = 0.2;

/** Place of a value on a scale, 0..1; 1 (even) is at `EVEN_PLACE`. */
export function placeOn(scale: Scale, value: number): number {
  const below = 1 - scale.low;
  const above = scale.high - 1;
  const place =
    value < 1 ? EVEN_PLACE * (1 - (1 - value) / below) : EVEN_PLACE + (1 - EVEN_PLACE) * ((value - 1) / above);
  return Math.max(0, Math.min(1, place));
}

/** The value at a place of a scale: the inverse of `placeOn`. */
export function valueAt(scale: Scale, place: number): number {
  return place < EVEN_PLACE
    ? scale.low + (place / EVEN_PLACE) * (1 - scale.low)
    : 1 + ((place - EVEN_PLACE) / (1 - EVEN_PLACE)) * (scale.high - 1);
}

export function expertAt(model: PlacementModel, layer: number, slot: number): number {
  return slot < 0 || slot >= model.view.slots ? -1 : (model.map[layer * model.view.slots + slot] ?? -1);
}

export function gpuOf(model: PlacementModel, slot: number): number {
  return Math.floor(slot / model.slotsPerGpu);
}

export function nodeOf(model: PlacementModel, gpu: number): number {
  return Math.floor(gpu / model.gpusPerNode);
}

/** Slots of one layer that hold an expert. */
export function replicasOf(model: PlacementModel, layer: number, expert: number): readonly number[] {
  const found: number[] = [];
  if (expert < 0) return found;
  for (let slot = 0; slot < model.view.slots; slot += 1) if (expertAt(model, layer, slot) === expert) found.push(slot);
  return found;
}

/** Number of a row as the model counts its layers. */
export function layerName(model: PlacementModel, row: number): number {
  return model.view.firstLayer + row;
}

export type SlotMove = 'left' | 'right' | 'up' | 'down' | 'first' | 'last' | 'replica';

/** Where a key leads in the map of one layer: left and right over GPUs, up and down over the slots of one, `r` over replicas. */
export function moveSlot(model: PlacementModel, layer: number, slot: number, move: SlotMove): number {
  const { slotsPerGpu, view } = model;
  if (slot < 0) return move === 'last' ? view.slots - 1 : 0;
  const gpu = gpuOf(model, slot);
  const place = slot % slotsPerGpu;
  switch (move) {
    case 'left':
      return gpu > 0 ? slot - slotsPerGpu : slot;
    case 'right':
      return gpu < view.gpus - 1 ? slot + slotsPerGpu : slot;
    case 'up':
      return place > 0 ? slot - 1 : slot;
    case 'down':
      return place < slotsPerGpu - 1 ? slot + 1 : slot;
    case 'first':
      return 0;
    case 'last':
      return view.slots - 1;
    case 'replica': {
      const slots = replicasOf(model, layer, expertAt(model, layer, slot));
      return slots.find((other) => other > slot) ?? slots[0] ?? slot;
    }
  }
}
