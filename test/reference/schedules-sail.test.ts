import { expect, it } from 'vitest';
import { peakActivations } from '../../server/src/engine/schedule/passes';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { Durations, ScheduleKind } from '../../server/src/engine/spec/training';
import { describeShared, sharedJson } from '../shared';
import { built, computeTokens, expectClose, expectSameOrder } from './schedule-oracle';
import { readTorchCsv } from '../../server/src/features/schedule/torch-csv';
import type { ScheduleOrder } from '../../server/src/engine/schedule/order';

interface Recorded {
  readonly schedule: string;
  readonly pp: number;
  readonly m: number;
  readonly costs: string;
  readonly f: number;
  readonly b_input: number;
  readonly w: number;
  readonly comm: number;
  readonly ranks: readonly string[];
  readonly des_makespan: number;
  readonly peak_inflight_hold_until_W: readonly number[];
  readonly peak_inflight_free_at_I: readonly number[];
  readonly rank_span_minus_work: readonly number[];
  readonly end_time_own: number;
}

const KINDS: readonly (readonly [RegExp, ScheduleKind])[] = [
  [/^ZB-H1/, 'zb-h1'],
  [/^ZB-H2/, 'zb-h2'],
  [/^ZB-V/, 'zb-v'],
  [/^V-Half/, 'v-half'],
  [/^V-Min/, 'v-min'],
  [/^1F1B\(/, '1f1b'],
  [/^Interleaved/, 'interleaved'],
];

const SAIL = ['oracles', 'schedules', 'zero_bubble_39f2c18.json'];

describeShared('sail zero-bubble schedules', SAIL, () => {
  for (const c of sharedJson<readonly Recorded[]>(...SAIL)) {
    const kind = KINDS.find(([pattern]) => pattern.test(c.schedule))?.[1];
    const durations: Durations = {
      F: c.f,
      I: c.b_input,
      W: c.w,
      B: c.b_input + c.w,
      FB: c.f + c.b_input + c.w,
      comm: c.comm,
    };
    const name = `${c.schedule} P=${c.pp} M=${c.m} ${c.costs}`;
    const orderOf = (): ScheduleOrder => {
      if (kind !== undefined) return built({ kind, ranks: c.pp, microbatches: c.m, durations });
      // 1F1B on a V is no kind of ours: its recorded order goes through the reader instead.
      const read = readTorchCsv(c.ranks.map((rank) => computeTokens(rank).join(',')).join('\n'));
      if (!('order' in read)) throw new Error(read.problems.map((p) => p.message).join('; '));
      return read.order;
    };
    it(`${name}: same sequences, makespan, peaks and spans`, () => {
      const order = orderOf();
      expectSameOrder(order, c.ranks);
      const timeline = simulate(order, durations);
      expectClose(timeline.makespan, c.des_makespan);
      expect([...peakActivations(order, 'W')]).toEqual(c.peak_inflight_hold_until_W);
      expect([...peakActivations(order, 'I')]).toEqual(c.peak_inflight_free_at_I);
      c.rank_span_minus_work.forEach((recorded, r) => {
        const first = order.rankStart[r] ?? 0;
        const last = (order.rankStart[r + 1] ?? 0) - 1;
        const span = (timeline.end[last] ?? NaN) - (timeline.start[first] ?? NaN);
        const busy = timeline.makespan - (timeline.idle[r] ?? NaN);
        expectClose(span - busy, recorded);
      });
    });
  }
});
