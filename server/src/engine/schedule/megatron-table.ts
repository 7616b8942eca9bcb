import type { ScheduleRefusal } from './order';
import { nearestLegal, refuse } from './refusal';
import type { SizedSpec } from './spec';

/** Which microbatch and model chunk each virtual microbatch is. */
export interface ScheduleTable {
  readonly microbatch: Int32Array;
  readonly chunk: Int32Array;
}

/**
 * Megatron's schedule table: groups of N microbatches, inside a group chunk after chunk; the last group may be shorter.
 * Source: Megatron-LM@d98e8a6 schedules.py `get_schedule_table`.
 */
export function scheduleTable(microbatches: number, chunks: number, groupSize: number): ScheduleTable {
  const total = microbatches * chunks;
  const microbatch = new Int32Array(total);
  const chunk = new Int32Array(total);
  let at = 0;
  for (let first = 0; first < microbatches; first += groupSize) {
    const end = Math.min(first + groupSize, microbatches);
    for (let v = 0; v < chunks; v += 1) {
      for (let m = first; m < end; m += 1) {
        microbatch[at] = m;
        chunk[at] = v;
        at += 1;
      }
    }
  }
  return { microbatch, chunk };
}

/** Forwards before the first backward on rank r: `get_pp_rank_microbatches` of the same file. */
export function warmupPasses(
  spec: Pick<SizedSpec, 'ranks' | 'chunks' | 'groupSize' | 'microbatches'>,
  rank: number,
  epOverlap: boolean,
): number {
  const { ranks, chunks, groupSize, microbatches } = spec;
  const warmup = 2 * (ranks - rank - 1) + (chunks - 1) * groupSize + (epOverlap ? 1 : 0);
  return Math.min(warmup, chunks * microbatches);
}

const groupFits = (group: number, ranks: number, microbatches: number): boolean =>
  group >= ranks && group <= microbatches;
const remainderFits = (microbatches: number, group: number, ranks: number): boolean =>
  microbatches % group === 0 || microbatches % group >= ranks;

/** The fewest ranks above two that the rest of the sizes allows; groups of as many microbatches as ranks go along. */
function moreRanks({ ranks, microbatches, groupSize }: SizedSpec): number {
  const fits = (candidate: number): boolean => {
    const group = groupSize === ranks ? candidate : groupSize;
    return groupFits(group, candidate, microbatches) && remainderFits(microbatches, group, candidate);
  };
  return nearestLegal(2, (candidate) => candidate > 2 && fits(candidate), microbatches)[0] ?? 3;
}

/**
 * Megatron's start-up rules of the interleaved schedule: N between P and M, the last group empty or at least P,
 * and no PP = 2 without `overlap_p2p_comm`, where two transfers between the same two ranks would share a batch.
 * Sources: Megatron-LM@d98e8a6 schedules.py `forward_backward_pipelining_with_interleaving`, training/arguments.py.
 */
export function checkInterleaved(spec: SizedSpec): ScheduleRefusal | undefined {
  const { ranks, microbatches, groupSize, chunks } = spec;
  if (chunks > 1 && ranks === 2 && spec.p2p === 'batched') {
    return refuse(
      'interleaved-two-ranks-need-overlap',
      'Interleaved 1F1B over 2 ranks needs overlap_p2p_comm: without it two sends and receives between the same two ranks share one batch and an activation can be taken for a gradient.',
      'ranks',
      ranks,
      [moreRanks(spec)],
    );
  }
  if (microbatches < ranks) {
    return refuse(
      'interleaved-microbatches',
      `Interleaved 1F1B needs at least as many microbatches as ranks: the group size must lie between PP = ${ranks} and M = ${microbatches}.`,
      'microbatches',
      microbatches,
      nearestLegal(
        microbatches,
        (m) => m >= ranks && (m >= groupSize ? remainderFits(m, groupSize, ranks) : false),
        ranks + groupSize + 1,
      ),
    );
  }
  if (!groupFits(groupSize, ranks, microbatches)) {
    return refuse(
      'interleaved-group-range',
      `microbatch_group_size_per_vp_stage = ${groupSize} must lie between PP = ${ranks} and M = ${microbatches}.`,
      'groupSize',
      groupSize,
      nearestLegal(
        groupSize,
        (n) => groupFits(n, ranks, microbatches) && remainderFits(microbatches, n, ranks),
        Math.abs(groupSize) + microbatches,
      ),
    );
  }
  if (!remainderFits(microbatches, groupSize, ranks)) {
    const rest = microbatches % groupSize;
    return refuse(
      'interleaved-remainder',
      `${microbatches} microbatches in groups of ${groupSize} leave a last group of ${rest}, shorter than PP = ${ranks}: it must be empty or at least PP, else every chunk waits for it.`,
      'microbatches',
      microbatches,
      nearestLegal(microbatches, (m) => m >= groupSize && remainderFits(m, groupSize, ranks), groupSize + ranks),
    );
  }
  return undefined;
}
