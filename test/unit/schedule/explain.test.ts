import { describe, expect, it } from 'vitest';
import { buildOrder, SCHEDULE_KINDS } from '../../../server/src/engine/schedule/build';
import { criticalPath } from '../../../server/src/engine/schedule/critical-path';
import { completeDurations, type DurationsInput } from '../../../server/src/engine/schedule/durations';
import { CAUSE, idleGaps, idleReasons, PHASE } from '../../../server/src/engine/schedule/explain';
import type { Timeline } from '../../../server/src/engine/schedule/order';
import type { P2pMode } from '../../../server/src/engine/schedule/p2p-mode';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import type { ScheduleKind } from '../../../server/src/engine/spec/training';

function timeline(
  kind: ScheduleKind,
  ranks: number,
  microbatches: number,
  durations: DurationsInput = completeDurations({}),
  p2p?: P2pMode,
): Timeline {
  const order = buildOrder({ kind, ranks, microbatches, durations });
  if (isRefusal(order)) throw new Error(order.message);
  return simulate(order, durations, p2p === undefined ? {} : { p2p });
}

const COSTS = completeDurations({ F: 3, I: 4, W: 2, FB: 8, comm: 0.25 });

describe('idle gaps', () => {
  it('sum to the idle time of every rank, for every kind and with transfers', () => {
    for (const kind of SCHEDULE_KINDS) {
      for (const durations of [completeDurations({}), COSTS]) {
        const drawn = timeline(kind, 4, 16, durations);
        const gaps = idleGaps(drawn);
        expect(gaps).toBeDefined();
        if (gaps === undefined) continue;
        for (let rank = 0; rank < 4; rank += 1) {
          let sum = 0;
          for (let g = gaps.rankStart[rank] ?? 0; g < (gaps.rankStart[rank + 1] ?? 0); g += 1)
            sum += (gaps.end[g] ?? 0) - (gaps.start[g] ?? 0);
          expect(sum, `${kind} rank ${rank}`).toBeCloseTo(drawn.idle[rank] ?? Number.NaN, 9);
        }
      }
    }
  });

  it('name the pass on the other rank and the transfer apart', () => {
    // Two ranks, one microbatch: rank 1 waits for F (3) and its transfer (0.25); rank 0 then for the backward.
    const drawn = timeline('1f1b', 2, 1, COSTS);
    const gaps = idleGaps(drawn);
    const told = Array.from(gaps?.start ?? [], (start, g) => [
      start,
      gaps?.end[g],
      gaps?.cause[g],
      gaps?.phase[g],
      gaps?.producer[g],
    ]);
    expect(told).toEqual([
      [3, 12.25, CAUSE.gradient, PHASE.warmup, 3],
      [12.25, 12.5, CAUSE.transfer, PHASE.warmup, 3],
      [0, 3, CAUSE.activation, PHASE.warmup, 0],
      [3, 3.25, CAUSE.transfer, PHASE.warmup, 0],
      [12.25, 18.5, CAUSE.done, PHASE.cooldown, -1],
    ]);
  });

  it('split 1F1B with free transfers into fill and drain, with nothing between', () => {
    const reasons = idleReasons(timeline('1f1b', 4, 8));
    // Every rank idles (P - 1)(F + B) = 9 in all; the last rank only before its first pass and after its last.
    expect(reasons?.byPhase.reduce((a, b) => a + b, 0)).toBe(4 * 9);
    expect(reasons?.byPhase[PHASE.steady]).toBe(0);
    expect(reasons?.byCause[CAUSE.transfer]).toBe(0);
  });

  it('say nothing of an order that cannot finish', () => {
    const drawn = timeline('1f1b', 2, 2);
    const stuck: Timeline = { ...drawn, deadlock: { reason: 'cycle', cycle: [], unfinished: 1 } };
    expect(idleGaps(stuck)).toBeUndefined();
    expect(idleReasons(stuck)).toBeUndefined();
    expect(criticalPath(stuck)).toBeUndefined();
  });
});

describe('the critical path', () => {
  it('has no hole: passes, transfers and waits sum to the makespan', () => {
    for (const kind of SCHEDULE_KINDS) {
      const drawn = timeline(kind, 4, 16, COSTS);
      const path = criticalPath(drawn);
      const passes = path?.byOp.reduce((a, b) => a + b, 0) ?? Number.NaN;
      expect(passes + (path?.transfers ?? 0), kind).toBeCloseTo(drawn.makespan, 9);
      expect(path?.waits, kind).toBe(0);
      expect(path?.byRank.reduce((a, b) => a + b, 0)).toBeCloseTo(passes, 9);
      expect(path?.transfers).toBeCloseTo((path?.hops ?? 0) * 0.25, 9);
    }
  });

  it('follows 1F1B down to the last rank, through its steady phase and back', () => {
    const path = criticalPath(timeline('1f1b', 4, 8));
    // (P - 1) forwards down, M forwards and backwards on the last rank, (P - 1) backwards up.
    expect(path?.byOp).toEqual([3 + 8, (3 + 8) * 2, 0, 0, 0]);
    expect(path?.hops).toBe(6);
    expect(Array.from(path?.byRank ?? [])).toEqual([3, 3, 3, 24]);
  });

  it('counts blocking calls of coded transfers as waits', () => {
    const drawn = timeline('1f1b', 4, 8, COSTS, 'batched');
    const path = criticalPath(drawn);
    const passes = path?.byOp.reduce((a, b) => a + b, 0) ?? Number.NaN;
    expect(drawn.makespan).toBeGreaterThan(timeline('1f1b', 4, 8, COSTS).makespan);
    expect(passes + (path?.transfers ?? 0) + (path?.waits ?? 0)).toBeCloseTo(drawn.makespan, 9);
  });
});
