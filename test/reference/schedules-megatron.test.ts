import { expect, it } from 'vitest';
import { buildOrder } from '../../server/src/engine/schedule/build';
import type { P2pMode } from '../../server/src/engine/schedule/p2p-mode';
import { peakActivations } from '../../server/src/engine/schedule/passes';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { ScheduleSpec } from '../../server/src/engine/schedule/spec';
import { commTokens } from '../../server/src/features/schedule/comm-tokens';
import { describeShared, sharedJson } from '../shared';
import { built, expectClose, expectSameOrder, oracleDurations } from './schedule-oracle';

interface Recorded {
  readonly P: number;
  readonly V: number;
  readonly M: number;
  readonly group?: number;
  readonly overlap?: boolean;
  readonly warmup_flush?: boolean;
  readonly moe?: boolean;
  readonly error?: string;
  readonly ranks?: readonly string[];
  readonly ranks_same_as?: number;
  readonly with_comms?: readonly string[];
  readonly makespan?: Readonly<Record<string, { readonly rendezvous_as_coded: number; readonly ideal_async: number }>>;
  readonly peak_inflight_chunks?: readonly number[];
}

function modeOf(c: Recorded): P2pMode {
  if (c.warmup_flush === true) return 'overlap-flush';
  return c.overlap === true ? 'overlap' : 'batched';
}

function specOf(c: Recorded): ScheduleSpec {
  if (c.V === 1 && c.moe !== true) return { kind: '1f1b', ranks: c.P, microbatches: c.M };
  const kind = c.moe === true ? '1f1b-ep-overlap' : 'interleaved';
  return { kind, ranks: c.P, microbatches: c.M, chunks: c.V, groupSize: c.group, p2p: modeOf(c) };
}

const MEGATRON = ['oracles', 'schedules', 'megatron_d98e8a6.json'];

describeShared('Megatron-LM 1F1B, interleaved 1F1B and EP overlap', MEGATRON, () => {
  const cases = sharedJson<readonly Recorded[]>(...MEGATRON);
  cases.forEach((c, index) => {
    const name = `${index}: P=${c.P} V=${c.V} M=${c.M} N=${c.group ?? '-'} ${modeOf(c)}${c.moe === true ? ' moe' : ''}`;
    if (c.error !== undefined) {
      it(`${name} is refused`, () => {
        const answer = buildOrder(specOf(c));
        expect(isRefusal(answer)).toBe(true);
        if (isRefusal(answer)) expect(answer.nearest.length).toBeGreaterThan(0);
      });
      return;
    }
    const mode = modeOf(c);
    const order = built(specOf(c));
    const ranks = c.ranks ?? cases[c.ranks_same_as ?? -1]?.ranks;
    it(`${name}: same sequences`, () => {
      expectSameOrder(order, ranks ?? []);
    });
    it(`${name}: same peaks`, () => {
      expect([...peakActivations(order)]).toEqual(c.peak_inflight_chunks);
    });
    if (c.with_comms !== undefined) {
      it(`${name}: same waits`, () => {
        expect(commTokens(order, mode)).toEqual(c.with_comms?.map((rank) => rank.split(' ')));
      });
    }
    for (const [label, times] of Object.entries(c.makespan ?? {})) {
      it(`${name} ${label}: same makespans`, () => {
        expectClose(simulate(order, oracleDurations(label)).makespan, times.ideal_async);
        const coded = simulate(order, oracleDurations(label), { p2p: mode });
        expect(coded.p2p).toBe(mode);
        expectClose(coded.makespan, times.rendezvous_as_coded);
      });
    }
  });
});

interface DeepSpeedCase {
  readonly pp: number;
  readonly m: number;
  readonly ranks: readonly string[];
  readonly des_makespan_unit: number;
  readonly peak_inflight_chunks: readonly number[];
}

const DEEPSPEED = ['oracles', 'schedules', 'deepspeed_edaa722.json'];

describeShared('DeepSpeed TrainSchedule is 1F1B', DEEPSPEED, () => {
  for (const c of sharedJson<readonly DeepSpeedCase[]>(...DEEPSPEED)) {
    it(`P=${c.pp} M=${c.m}`, () => {
      const order = built({ kind: '1f1b', ranks: c.pp, microbatches: c.m });
      expectSameOrder(order, c.ranks);
      expect([...peakActivations(order)]).toEqual(c.peak_inflight_chunks);
      expectClose(simulate(order, oracleDurations('unit,comm=0')).makespan, c.des_makespan_unit);
    });
  }
});
