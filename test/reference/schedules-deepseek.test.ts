import { expect, it } from 'vitest';
import { buildOrder } from '../../server/src/engine/schedule/build';
import { peakActivations } from '../../server/src/engine/schedule/passes';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import { describeShared, sharedJson } from '../shared';
import { built, expectClose, expectSameOrder, oracleDurations } from './schedule-oracle';

interface Recorded {
  readonly pp_ranks: number;
  readonly num_chunks: number;
  readonly makespan: Readonly<
    Record<
      string,
      {
        readonly ideal_async: number;
        readonly rendezvous_as_coded: number;
        readonly idle_per_rank_async: readonly number[];
      }
    >
  >;
  readonly peak_inflight_chunks_hold_until_W: readonly number[];
  readonly peak_inflight_chunks_free_at_I: readonly number[];
  readonly ranks: readonly string[];
}

interface Oracle {
  readonly cases: readonly Recorded[];
  readonly rejected: readonly { readonly pp_ranks: number; readonly num_chunks: number }[];
}

const FILES = [
  ['dualpipe', 'deepseek_dualpipe_3da1bbe.json'],
  ['dualpipev', 'deepseek_dualpipev_3da1bbe.json'],
] as const;

for (const [kind, file] of FILES) {
  const parts = ['oracles', 'schedules', file];
  describeShared(`${kind} as deepseek-ai/DualPipe runs it`, parts, () => {
    const oracle = sharedJson<Oracle>(...parts);
    for (const c of oracle.cases) {
      const name = `P=${c.pp_ranks} M=${c.num_chunks}`;
      const order = built({ kind, ranks: c.pp_ranks, microbatches: c.num_chunks });
      it(`${name}: same sequences`, () => {
        expectSameOrder(order, c.ranks);
      });
      it(`${name}: same peaks`, () => {
        expect([...peakActivations(order, 'W')]).toEqual(c.peak_inflight_chunks_hold_until_W);
        expect([...peakActivations(order, 'I')]).toEqual(c.peak_inflight_chunks_free_at_I);
      });
      for (const [label, times] of Object.entries(c.makespan)) {
        it(`${name} ${label}: same makespans and idle times`, () => {
          const timeline = simulate(order, oracleDurations(label));
          expectClose(timeline.makespan, times.ideal_async);
          times.idle_per_rank_async.forEach((idle, r) => {
            expectClose(timeline.idle[r] ?? NaN, idle);
          });
          const coded = simulate(order, oracleDurations(label), { p2p: 'batched' });
          expectClose(coded.makespan, times.rendezvous_as_coded);
        });
      }
    }
    for (const c of oracle.rejected) {
      it(`P=${c.pp_ranks} M=${c.num_chunks} is refused with a legal value near it`, () => {
        const answer = buildOrder({ kind, ranks: c.pp_ranks, microbatches: c.num_chunks });
        expect(isRefusal(answer)).toBe(true);
        if (!isRefusal(answer)) return;
        expect(answer.nearest.length).toBeGreaterThan(0);
        for (const value of answer.nearest) {
          const fixed = buildOrder({ kind, ranks: c.pp_ranks, microbatches: c.num_chunks, [answer.field]: value });
          const stillWrong = isRefusal(fixed) && fixed.field === answer.field;
          expect(stillWrong).toBe(false);
        }
      });
    }
  });
}
