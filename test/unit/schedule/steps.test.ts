import { describe, expect, it } from 'vitest';
import { bufferPeaks } from '../../../server/src/engine/schedule/buffers';
import { buildOrder, SCHEDULE_KINDS } from '../../../server/src/engine/schedule/build';
import { completeDurations } from '../../../server/src/engine/schedule/durations';
import type { ScheduleOrder } from '../../../server/src/engine/schedule/order';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import { runSteps } from '../../../server/src/engine/schedule/step';
import type { ScheduleKind } from '../../../server/src/engine/spec/training';

const UNIT = completeDurations({});

function orderOf(kind: ScheduleKind, ranks = 4, microbatches = 8): ScheduleOrder {
  const order = buildOrder({ kind, ranks, microbatches });
  if (isRefusal(order)) throw new Error(order.message);
  return order;
}

describe('steps that follow each other', () => {
  it('take the makespan, the slowest reduction and the slowest update with a barrier', () => {
    for (const kind of ['gpipe', '1f1b', 'zb-h1'] as const) {
      const order = orderOf(kind);
      const run = runSteps(order, UNIT, { sync: 'barrier', reduce: [1, 2, 3, 4], optimizer: [2, 2, 2, 2] });
      const one = simulate(order, UNIT);
      const reduced = Array.from({ length: 4 }, (_, r) => (one.end[(order.rankStart[r + 1] ?? 0) - 1] ?? 0) + r + 1);
      expect(run?.ends[0]).toBe(Math.max(...reduced) + 2);
      expect(run?.steady).toBeCloseTo(run?.ends[0] ?? -1, 9);
      expect(Math.min(...(run?.waits ?? []))).toBe(0);
    }
  });

  it('lose no bubble between steps with post-validation where the schedule has none inside: ZB-H2', () => {
    const order = orderOf('zb-h2', 4, 12);
    const barrier = runSteps(order, UNIT, { sync: 'barrier' });
    const free = runSteps(order, UNIT, { sync: 'post-validation' });
    // 12 microbatches of F, I and W; the barrier adds the fill of three ranks to every step.
    expect(free?.steady).toBe(36);
    expect(barrier?.steady).toBe(39);
  });

  it('never take longer with post-validation', () => {
    for (const kind of SCHEDULE_KINDS) {
      const order = orderOf(kind, 4, 16);
      const tails = { reduce: [3, 1, 2, 1], optimizer: [1, 1, 2, 1] };
      const barrier = runSteps(order, UNIT, { sync: 'barrier', ...tails });
      const free = runSteps(order, UNIT, { sync: 'post-validation', ...tails });
      expect(free?.steady ?? Infinity, kind).toBeLessThanOrEqual((barrier?.steady ?? 0) + 1e-9);
    }
  });

  it('let DualPipe’s copies wait for each other', () => {
    const order = orderOf('dualpipe', 4, 8);
    const alone = runSteps(order, UNIT, { sync: 'post-validation' });
    const paired = runSteps(order, UNIT, { sync: 'post-validation', mirror: [2, 2, 2, 2] });
    expect(paired?.steady).toBeGreaterThanOrEqual((alone?.steady ?? 0) + 2);
  });

  it('say nothing of an order that cannot finish', () => {
    const order = orderOf('1f1b', 2, 2);
    // The last rank asks for its backward first.
    const op = order.op.slice();
    const at = order.rankStart[1] ?? 0;
    [op[at], op[at + 1]] = [op[at + 1] ?? 0, op[at] ?? 0];
    expect(runSteps({ ...order, op }, UNIT, { sync: 'barrier' })).toBeUndefined();
  });
});

describe('buffers', () => {
  it('hold what has arrived until its pass is over', () => {
    const even = bufferPeaks(simulate(orderOf('1f1b', 2, 4), UNIT), 0);
    expect(Array.from(even.received)).toEqual([1, 1]);
    // The second stage is three times as slow: activations arrive at 1, 2, 3 and 4, and leave at 4, 7, 10 and 13.
    const durations = { F: [1, 3], B: [2, 2], I: [1, 1], W: [1, 1], FB: [3, 5], comm: 0 };
    const uneven = bufferPeaks(simulate(orderOf('gpipe', 2, 4), durations), 0);
    expect(uneven.received[1]).toBe(3);
  });

  it('count input halves whose weight half is to come', () => {
    expect(Array.from(bufferPeaks(simulate(orderOf('1f1b'), UNIT), 0).pendingWeights)).toEqual([0, 0, 0, 0]);
    const zeroBubble = bufferPeaks(simulate(orderOf('zb-h1'), UNIT), 0).pendingWeights;
    expect(Math.max(...zeroBubble)).toBeGreaterThan(1);
    // Every weight half is done in the end, so no rank waits with more than its microbatches.
    expect(Math.max(...zeroBubble)).toBeLessThanOrEqual(8);
  });
});
