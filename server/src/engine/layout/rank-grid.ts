import type { LayoutSpec } from '../spec/layout';
import type { RankCoordinates } from '../memory/report';

/** Ranks that hold different shards of one expert's replicas: world / (ETP × EP × PP), Megatron's expert data parallelism. */
export function expertData(layout: LayoutSpec): number {
  return Math.max(1, layout.worldSize / (layout.expertTensor * layout.expert * layout.pipeline));
}

/**
 * Coordinates of a global rank in Megatron's default order, tensor fastest:
 * tp - cp - ep - dp - pp (Megatron-LM core/parallel_state.py, RankGenerator); expert groups run inside one pipeline stage as etp - ep - edp.
 * torchtitan's mesh (pp, dp_replicate, dp_shard, cp, tp from slowest to fastest) gives the same coordinates.
 */
export function rankCoordinates(layout: LayoutSpec, rank: number): RankCoordinates {
  const perStage = Math.max(1, Math.floor(layout.worldSize / layout.pipeline));
  const inStage = rank % perStage;
  return {
    pp: Math.floor(rank / perStage),
    tp: inStage % layout.tensor,
    cp: Math.floor(inStage / layout.tensor) % layout.context,
    dp: Math.floor(inStage / (layout.tensor * layout.context)),
    ep: Math.floor(inStage / layout.expertTensor) % layout.expert,
  };
}

/** Inclusive range of ranks. */
export type RankRange = readonly [first: number, last: number];

/** Joins ranges that touch and writes them compactly, such as `0-127,1920-2047`. */
export function formatRanks(ranges: readonly RankRange[]): string {
  const joined: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const previous = joined[joined.length - 1];
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else joined.push([first, last]);
  }
  return joined.map(([first, last]) => (first === last ? String(first) : `${String(first)}-${String(last)}`)).join(',');
}

/** Number of ranks in disjoint ranges. */
export function countRanks(ranges: readonly RankRange[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}
