import { describe, expect, it } from 'vitest';
import { buildOrder } from '../../../server/src/engine/schedule/build';
import type { ScheduleOrder } from '../../../server/src/engine/schedule/order';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import type { ScheduleSpec } from '../../../server/src/engine/schedule/spec';
import { orderTokens } from '../../../server/src/features/schedule/tokens';

function orderOf(spec: ScheduleSpec): ScheduleOrder {
  const answer = buildOrder(spec);
  if (isRefusal(answer)) throw new Error(answer.message);
  return answer;
}

function perStage(F: readonly number[], I: readonly number[], W: readonly number[], comm: number) {
  const B = I.map((input, s) => input + (W[s] ?? 0));
  return { F, I, W, B, FB: B.map((back, s) => back + (F[s] ?? 0)), comm };
}

/** What the originals did when they were run with these numbers: zb.py, schedules.py, dualpipe.py. */
describe('at the edges of the originals', () => {
  it.each([
    // zb.py stops on its own assertion ("2-4"), so its runtime's way is taken: the middle of the stages' times.
    { F: [2, 9, 18, 7, 6], I: [7, 17, 12, 4, 19], W: [14, 17, 6, 15, 16], comm: 0, kind: 'zb-h1', M: 5 },
    // zb.py leaves the first stage's third forward out and then writes it before everything else.
    { F: [8, 3, 2], I: [18, 3, 7], W: [6, 5, 1], comm: 0, kind: 'zb-h2', M: 3 },
  ] as const)('$kind with very unlike stages runs without a deadlock', ({ F, I, W, comm, kind, M }) => {
    const durations = perStage(F, I, W, comm);
    const order = orderOf({ kind, ranks: F.length, microbatches: M, durations });
    const timeline = simulate(order, durations);
    expect(timeline.deadlock).toBeUndefined();
    expect(timeline.makespan).toBeGreaterThan(M * Math.max(...F.map((f, s) => f + (I[s] ?? 0) + (W[s] ?? 0))));
    const middle = (column: readonly number[]): number => [...column].sort((a, b) => a - b)[column.length >> 1] ?? 0;
    const [f, i, w] = [middle(F), middle(I), middle(W)];
    const even = { F: f, I: i, W: w, B: i + w, FB: f + i + w, comm };
    expect(orderTokens(order)).toEqual(
      orderTokens(orderOf({ kind, ranks: F.length, microbatches: M, durations: even })),
    );
  });

  it('zb-v takes the middle over the ranks of the mean of a rank, as the runtime does', () => {
    // Ranks' means: F 2, 5 and 3, I 4, 2 and 9, W 1, 6 and 2.
    const uneven = perStage([1, 9, 2, 4, 1, 3], [7, 3, 8, 10, 1, 1], [0, 5, 3, 1, 7, 2], 0.5);
    const even = { F: 3, I: 4, W: 2, B: 6, FB: 9, comm: 0.5 };
    const tokens = (durations: ScheduleSpec['durations']): string[][] =>
      orderTokens(orderOf({ kind: 'zb-v', ranks: 3, microbatches: 6, durations }));
    expect(tokens(uneven)).toEqual(tokens(even));
  });

  it.each([
    // Six ranks take 14 microbatches, eight would need 16.
    [{ kind: 'dualpipe', ranks: 7, microbatches: 14 }, [6]],
    [{ kind: 'dualpipe', ranks: 7, microbatches: 16 }, [6, 8]],
    // Three ranks in groups of three leave one microbatch over, four take all four.
    [{ kind: 'interleaved', ranks: 2, microbatches: 4, p2p: 'batched' }, [4]],
    [{ kind: 'interleaved', ranks: 2, microbatches: 6, p2p: 'batched' }, [3]],
  ] as const)('%o is told a number of ranks that its microbatches allow', (spec, nearest) => {
    const answer = buildOrder(spec);
    expect(isRefusal(answer) ? [answer.field, answer.nearest] : undefined).toEqual(['ranks', nearest]);
    for (const ranks of nearest) expect(isRefusal(buildOrder({ ...spec, ranks }))).toBe(false);
  });
});
