import type { MemoryClassView, MemoryPartName, MemoryView } from '../../../server/src/protocol/memory';
import type { TextureName } from '../kit/texture';

/** Parts in the order in which they lie in a bar: what stays all the time first. */
export const PARTS: readonly MemoryPartName[] = [
  'weights',
  'gradients',
  'optimizer',
  'kvCache',
  'activations',
  'buffers',
  'workspace',
];

/** What lies around the parts: allocator slack up to `reserved`, context and communication up to `total`. */
export type Rest = 'slack' | 'outside';

export const PART_TITLES: Readonly<Record<MemoryPartName | Rest, string>> = {
  weights: 'Weights',
  gradients: 'Gradients',
  optimizer: 'Optimizer',
  activations: 'Activations',
  kvCache: 'KV cache',
  buffers: 'Buffers',
  workspace: 'Workspace',
  slack: 'Allocator slack',
  outside: 'Context and communication',
};

export const PART_TEXTURES: Readonly<Record<MemoryPartName, TextureName>> = {
  weights: 'none',
  gradients: 'slash',
  optimizer: 'rows',
  activations: 'dots',
  kvCache: 'columns',
  buffers: 'cross',
  workspace: 'grid',
};

/** One stretch of a bar, in bytes from its left end. */
export interface Segment {
  readonly part: MemoryPartName | Rest;
  readonly from: number;
  readonly to: number;
}

/** The stretches of one rank class; the parts end at `allocated`, the rest at `reserved` and `total`. */
export function segmentsOf(entry: MemoryClassView): readonly Segment[] {
  const segments: Segment[] = [];
  let at = 0;
  const add = (part: MemoryPartName | Rest, bytes: number): void => {
    if (!(bytes > 0)) return;
    segments.push({ part, from: at, to: at + bytes });
    at += bytes;
  };
  for (const part of PARTS) add(part, entry.parts[part]);
  add('slack', entry.reserved - at);
  add('outside', entry.total - at);
  return segments;
}

/** Bytes at the right edge of the picture: the fullest rank or the device, whichever is more, and some air. */
export function scaleOf(view: MemoryView): number {
  const fullest = view.classes.reduce((most, entry) => Math.max(most, entry.total), 0);
  return Math.max(fullest, view.gpu?.capacityBytes ?? 0, 1) * 1.04;
}

/** Parts that some rank has, in the order of the bars. */
export function partsPresent(view: MemoryView): readonly MemoryPartName[] {
  return PARTS.filter((part) => view.classes.some((entry) => entry.parts[part] > 0));
}

/** A class and, when a stretch of its bar is meant, its part; -1 when nothing is selected. */
export interface Selection {
  readonly index: number;
  readonly part?: MemoryPartName | Rest | undefined;
}

export type MemoryMove = 'up' | 'down' | 'left' | 'right' | 'first' | 'last';

/** Where an arrow key leads: up and down over the classes, left and right over the parts of one. */
export function moveSelection(view: MemoryView, from: Selection, move: MemoryMove): Selection {
  const last = view.classes.length - 1;
  if (last < 0) return { index: -1 };
  if (from.index < 0) return { index: 0 };
  if (move === 'first') return { index: 0, part: from.part };
  if (move === 'last') return { index: last, part: from.part };
  if (move === 'up') return { index: Math.max(0, from.index - 1), part: from.part };
  if (move === 'down') return { index: Math.min(last, from.index + 1), part: from.part };
  const entry = view.classes[from.index];
  const parts = entry === undefined ? [] : segmentsOf(entry).map((segment) => segment.part);
  const at = from.part === undefined ? -1 : parts.indexOf(from.part);
  // Before the first part stands the whole bar.
  const next = move === 'right' ? Math.min(parts.length - 1, at + 1) : at - 1;
  return { index: from.index, part: next < 0 ? undefined : parts[next] };
}
