import type { MemoryItem, MemoryPart, MemoryParts } from './report';

/** Collects the items of one rank. A mutable builder, so that an estimate of many ranks does not copy arrays. */
export interface Ledger {
  readonly items: MemoryItem[];
}

/** What a stack's model answers for one rank. */
export interface RankMemory {
  /** Items alive at the fullest moment. */
  readonly items: readonly MemoryItem[];
  /** Bytes allocated between two steps. */
  readonly resting: number;
  /** Bytes that the allocator holds apart from what is in use at the fullest moment, because freed memory of that moment cannot serve them. */
  readonly apart?: number;
}

export function newLedger(): Ledger {
  return { items: [] };
}

/** Adds one explained group; empty groups say nothing and are dropped. */
export function put(
  ledger: Ledger,
  part: MemoryPart,
  group: string,
  bytes: number,
  formula: string,
  fields: readonly string[],
): void {
  if (bytes > 0 && Number.isFinite(bytes)) ledger.items.push({ part, group, bytes, formula, fields });
}

/** Sums of all items by part. */
export function partsOf(items: readonly MemoryItem[]): MemoryParts {
  const sums = { weights: 0, gradients: 0, optimizer: 0, activations: 0, kvCache: 0, buffers: 0, workspace: 0 };
  for (const item of items) sums[item.part] += item.bytes;
  return sums;
}

/** All bytes of the parts. */
export function sumParts(parts: MemoryParts): number {
  return (
    parts.weights +
    parts.gradients +
    parts.optimizer +
    parts.activations +
    parts.kvCache +
    parts.buffers +
    parts.workspace
  );
}

/** A count as text: exact, without thousands separators, so that a formula can be checked by pasting it. */
export function num(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Math.round(value * 1e4) / 1e4);
}

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;
