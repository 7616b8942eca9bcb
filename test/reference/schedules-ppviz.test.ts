import { expect, it } from 'vitest';
import { buildOrder } from '../../server/src/engine/schedule/build';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { ScheduleOrder } from '../../server/src/engine/schedule/order';
import type { ScheduleSpec } from '../../server/src/engine/schedule/spec';
import { readTorchCsv } from '../../server/src/features/schedule/torch-csv';
import { describeShared, sharedJson } from '../shared';
import { built, computeTokens, expectClose, expectSameOrder } from './schedule-oracle';

interface OpTimes {
  readonly forward: number;
  readonly backward: number;
  readonly backward_D: number;
  readonly backward_W: number;
  readonly overlapped_forward_backward: number;
}

interface Recorded {
  readonly strategy: string;
  readonly num_devices: number;
  readonly num_stages: number;
  readonly num_batches: number;
  readonly microbatch_group_size_per_vp_stage: number | null;
  readonly runs: readonly {
    readonly op_times: string;
    readonly p2p_latency: number;
    readonly total_time: number;
    readonly our_des_async?: number;
    readonly device_running_time: readonly number[];
  }[];
  readonly ranks?: readonly string[];
}

interface Oracle {
  readonly op_times: Readonly<Record<string, OpTimes>>;
  readonly configs: readonly Recorded[];
}

const KINDS: Readonly<Record<string, ScheduleSpec['kind']>> = {
  '1f1b': '1f1b',
  '1f1b_overlap': '1f1b-ep-overlap',
  interleave: 'interleaved',
  '1f1b_interleave_overlap': '1f1b-ep-overlap',
  dualpipe: 'dualpipe',
  dualpipe_v: 'dualpipev',
};

const PPVIZ = ['oracles', 'schedules', 'ppviz.json'];

describeShared('PP-Schedule-Visualization', PPVIZ, () => {
  const oracle = sharedJson<Oracle>(...PPVIZ);
  for (const c of oracle.configs) {
    const kind = KINDS[c.strategy];
    const name = `${c.strategy} P=${c.num_devices} S=${c.num_stages} M=${c.num_batches}`;
    const spec = {
      kind: kind ?? 'gpipe',
      ranks: c.num_devices,
      microbatches: c.num_batches,
      chunks: c.num_stages / c.num_devices,
      groupSize: c.microbatch_group_size_per_vp_stage ?? undefined,
    } as const;
    if (kind === 'dualpipe' && c.num_batches < 2 * c.num_devices) {
      it(`${name}: refused, as DeepSeek's own code does where this tool draws it`, () => {
        expect(isRefusal(buildOrder(spec))).toBe(true);
      });
      continue;
    }
    const orderOf = (): ScheduleOrder => {
      if (kind !== undefined) return built(spec);
      // Its hand-written ZB-1P is no kind of ours: the recorded order goes through the reader.
      const read = readTorchCsv((c.ranks ?? []).map((rank) => computeTokens(rank).join(',')).join('\n'));
      if (!('order' in read)) throw new Error(read.problems.map((p) => p.message).join('; '));
      return read.order;
    };
    it(`${name}: same sequences, makespans and running times`, () => {
      const order = orderOf();
      if (c.ranks !== undefined) expectSameOrder(order, c.ranks);
      for (const run of c.runs) {
        const t = oracle.op_times[run.op_times];
        if (t === undefined) throw new Error(`unknown times ${run.op_times}`);
        const timeline = simulate(order, {
          F: t.forward,
          B: t.backward,
          I: t.backward_D,
          W: t.backward_W,
          FB: t.overlapped_forward_backward,
          comm: run.p2p_latency,
        });
        // With latency the tool also charges it inside one device, so only the ideal clock's figure is comparable.
        if (run.our_des_async !== undefined) expectClose(timeline.makespan, run.our_des_async);
        if (run.p2p_latency === 0) {
          expectClose(timeline.makespan, run.total_time);
        } else {
          expect(run.total_time).toBeGreaterThanOrEqual(timeline.makespan - 1e-6);
        }
      }
    });
  }
});
