import { decodeColumn } from '../../../server/src/protocol/columns';
import type { Column } from '../../../server/src/protocol/columns';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { buildLinks } from './links';
import type { BlockLinks } from './links';

/** Codes of the `op` column. */
export const OP = { F: 0, B: 1, I: 2, W: 3, FB: 4 } as const;

/** Blocks as parallel arrays; those of rank r are `rankStart[r] .. rankStart[r + 1]`, in time order. */
export interface Blocks {
  readonly count: number;
  readonly rankStart: Int32Array;
  readonly op: Uint8Array;
  readonly stage: Int32Array;
  readonly microbatch: Int32Array;
  readonly direction: Uint8Array;
  readonly stage2: Int32Array;
  readonly microbatch2: Int32Array;
  readonly direction2: Uint8Array;
  /** Light (0) or deep (1): the direction where there are two, else the chunk of the rank, in turns. */
  readonly shade: Uint8Array;
  readonly shade2: Uint8Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
}

/** Step curves of activation memory; rank r owns `start[r] .. start[r + 1]`. */
export interface MemoryCurves {
  readonly start: Int32Array;
  readonly time: Float64Array;
  readonly value: Float64Array;
}

export interface TimelineModel {
  readonly view: TimelineView;
  readonly blocks: Blocks;
  readonly links: BlockLinks;
  readonly memory: MemoryCurves;
  /** Length of the shortest block: it decides from which zoom on labels can be read. */
  readonly shortest: number;
  /** Mean length of a block. */
  readonly mean: number;
  /** `op * 2 + shade` of every kind of block that occurs, ascending. */
  readonly styles: readonly number[];
  /** Rank with the most activations in flight. */
  readonly peakRank: number;
}

function ints(column: Column): Int32Array {
  const array = decodeColumn(column);
  return array instanceof Int32Array ? array : Int32Array.from(array);
}

function doubles(column: Column): Float64Array {
  const array = decodeColumn(column);
  return array instanceof Float64Array ? array : Float64Array.from(array);
}

function bytes(column: Column): Uint8Array {
  const array = decodeColumn(column);
  return array instanceof Uint8Array ? array : Uint8Array.from(array);
}

/** What the two shades tell apart, or nothing where every block is alike. */
export function shadeMeaning(view: TimelineView): 'direction' | 'chunk' | undefined {
  if (view.bidirectional) return 'direction';
  return view.stages > view.ranks ? 'chunk' : undefined;
}

/** A microbatch as the published figures number it: those that enter at the last rank come after the others. */
export function shownMicrobatch(view: TimelineView, microbatch: number, direction: number): number {
  return view.bidirectional && direction === 1 ? microbatch + view.microbatches / 2 : microbatch;
}

/** Stage s of a rank is its chunk s / ranks: in rounds for interleaved kinds, there and back for V-shaped ones. */
export function chunkOf(view: TimelineView, stage: number): number {
  return Math.max(0, Math.floor(stage / Math.max(1, view.ranks)));
}

function shades(view: TimelineView, stage: Int32Array, direction: Uint8Array): Uint8Array {
  if (shadeMeaning(view) !== 'chunk') return direction;
  return Uint8Array.from(stage, (value) => chunkOf(view, value) % 2);
}

function decodeBlocks(view: TimelineView): Blocks {
  const { columns } = view;
  const op = bytes(columns.op);
  const stage = ints(columns.stage);
  const stage2 = ints(columns.stage2);
  const direction = bytes(columns.direction);
  const direction2 = bytes(columns.direction2);
  return {
    count: op.length,
    rankStart: ints(columns.rankStart),
    op,
    stage,
    microbatch: ints(columns.microbatch),
    direction,
    stage2,
    microbatch2: ints(columns.microbatch2),
    direction2,
    shade: shades(view, stage, direction),
    shade2: shades(view, stage2, direction2),
    start: doubles(columns.start),
    end: doubles(columns.end),
  };
}

function survey(blocks: Blocks): {
  readonly shortest: number;
  readonly mean: number;
  readonly styles: readonly number[];
} {
  let shortest = Infinity;
  let sum = 0;
  const seen = new Uint8Array(10);
  for (let at = 0; at < blocks.count; at += 1) {
    const length = (blocks.end[at] ?? 0) - (blocks.start[at] ?? 0);
    sum += length;
    if (length > 0 && length < shortest) shortest = length;
    seen[(blocks.op[at] ?? 0) * 2 + (blocks.shade[at] ?? 0)] = 1;
  }
  const styles = [...seen.keys()].filter((style) => seen[style] === 1);
  return {
    mean: blocks.count > 0 ? sum / blocks.count : 1,
    shortest: Number.isFinite(shortest) ? shortest : 1,
    styles,
  };
}

/** Unpacks a view once; everything the picture needs is an array look-up afterwards. */
export function decodeTimeline(view: TimelineView): TimelineModel {
  const blocks = decodeBlocks(view);
  const peakRank = view.peakActivations.reduce(
    (best, value, rank) => (value > (view.peakActivations[best] ?? -1) ? rank : best),
    0,
  );
  return {
    view,
    blocks,
    links: buildLinks(blocks, view.stages, view.bidirectional ? 2 : 1),
    memory: { start: ints(view.memory.start), time: doubles(view.memory.time), value: doubles(view.memory.value) },
    peakRank,
    ...survey(blocks),
  };
}

const chains = new WeakMap<TimelineModel, Int32Array>();

/** Blocks of the chain that decides the end, in time order; unpacked when first asked for. */
export function chainOf(model: TimelineModel): Int32Array | undefined {
  const column = model.view.explanation?.critical.blocks;
  if (column === undefined) return undefined;
  const known = chains.get(model) ?? ints(column);
  chains.set(model, known);
  return known;
}

/** Index of the first element of `array[from .. to)` that is above `value`; `to` when none is. */
export function firstAbove(array: Float64Array, from: number, to: number, value: number): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((array[middle] ?? 0) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

export function rankRange(blocks: Blocks, rank: number): readonly [number, number] {
  return [blocks.rankStart[rank] ?? 0, blocks.rankStart[rank + 1] ?? 0];
}

/** The rank that runs block `index`. */
export function rankOf(blocks: Blocks, index: number): number {
  let low = 0;
  let high = blocks.rankStart.length - 2;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((blocks.rankStart[middle] ?? 0) <= index) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The block of a rank that runs at `time`, or -1 when the rank is idle then. */
export function blockAt(blocks: Blocks, rank: number, time: number): number {
  const [from, to] = rankRange(blocks, rank);
  const next = firstAbove(blocks.end, from, to, time);
  return next < to && (blocks.start[next] ?? Infinity) <= time ? next : -1;
}

/** The block of a rank whose middle is nearest to `time`, or -1 when the rank does nothing at all. */
export function nearestBlock(blocks: Blocks, rank: number, time: number): number {
  const [from, to] = rankRange(blocks, rank);
  if (from >= to) return -1;
  const after = Math.min(firstAbove(blocks.start, from, to, time), to - 1);
  const before = Math.max(from, after - 1);
  const distance = (index: number): number =>
    Math.abs(((blocks.start[index] ?? 0) + (blocks.end[index] ?? 0)) / 2 - time);
  return distance(before) <= distance(after) ? before : after;
}

/** Value of a rank's step curve at `time`. */
export function memoryAt(memory: MemoryCurves, rank: number, time: number): number {
  const from = memory.start[rank] ?? 0;
  const to = memory.start[rank + 1] ?? 0;
  const next = firstAbove(memory.time, from, to, time);
  return next > from ? (memory.value[next - 1] ?? 0) : 0;
}

/** A name of a block that holds over a new analysis of the same file, unlike its index. */
export function blockId(blocks: Blocks, index: number): string {
  const part = [
    rankOf(blocks, index),
    blocks.op[index],
    blocks.stage[index],
    blocks.microbatch[index],
    blocks.direction[index],
  ];
  return index >= 0 && index < blocks.count ? part.join(':') : '';
}

/** The block of that name, or -1. */
export function findBlock(blocks: Blocks, id: string): number {
  const [rank = -1, op, stage, microbatch, direction] = id.split(':').map(Number);
  if (id === '' || !Number.isInteger(rank) || rank < 0) return -1;
  const [from, to] = rankRange(blocks, rank);
  for (let at = from; at < to; at += 1) {
    const same = blocks.op[at] === op && blocks.stage[at] === stage && blocks.microbatch[at] === microbatch;
    if (same && blocks.direction[at] === direction) return at;
  }
  return -1;
}
