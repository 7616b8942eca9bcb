import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { peakActivations } from '../../server/src/engine/schedule/passes';
import { simulate } from '../../server/src/engine/schedule/simulate';
import { deferReceipts, torchLines } from '../../server/src/engine/schedule/torch-lower';
import type { ScheduleKind } from '../../server/src/engine/spec/training';
import { readTorchCsv, torchCommCsv, torchCsv, torchLineToken } from '../../server/src/features/schedule/torch-csv';
import { describeShared, sharedJson } from '../shared';
import { built, expectClose, expectSameOrder, ORACLE_DURATIONS } from './schedule-oracle';

interface Recorded {
  readonly pp: number;
  readonly m: number;
  readonly stages_per_rank?: number;
  readonly ranks: readonly string[];
  readonly with_comms?: readonly string[];
  readonly visualizer_makespan_steps?: number;
  readonly des_makespan: Readonly<Record<string, number>>;
  readonly peak_inflight_chunks: readonly number[];
}

const FAMILIES: Readonly<Record<string, ScheduleKind>> = {
  Interleaved1F1B: 'interleaved-torch',
  InterleavedZeroBubble: 'interleaved-zb-torch',
  ZBVZeroBubble: 'zbv-torch',
  DualPipeV: 'dualpipev',
  LoopedBFS: 'looped-bfs',
  '1F1B': '1f1b',
  GPipe: 'gpipe',
};

const TORCH = ['oracles', 'schedules', 'torch_pipelining_2.14.1.json'];

describeShared('torch.distributed.pipelining schedules', TORCH, () => {
  const oracle = sharedJson<Readonly<Record<string, readonly Recorded[]>>>(...TORCH);
  for (const [family, kind] of Object.entries(FAMILIES)) {
    for (const c of oracle[family] ?? []) {
      const name = `${family} P=${c.pp} M=${c.m} V=${c.stages_per_rank ?? 1}`;
      const order = built({ kind, ranks: c.pp, microbatches: c.m, chunks: c.stages_per_rank });
      it(`${name}: same sequences, makespans and peaks`, () => {
        expectSameOrder(order, c.ranks);
        expect([...peakActivations(order)]).toEqual(c.peak_inflight_chunks);
        for (const [label, recorded] of Object.entries(c.des_makespan)) {
          const base = ORACLE_DURATIONS[label];
          if (base === undefined) throw new Error(`unknown durations ${label}`);
          const timeline = simulate(order, { ...base, comm: 0 });
          expectClose(timeline.makespan, recorded);
          if (label === 'unit' && c.visualizer_makespan_steps !== undefined) {
            expectClose(timeline.makespan, c.visualizer_makespan_steps);
          }
        }
      });
      // The single-stage classes send from their own loop; only the multi-stage runtime lowers to this grammar.
      if (c.with_comms !== undefined && kind !== '1f1b' && kind !== 'gpipe') {
        it(`${name}: same lowering to sends and receipts`, () => {
          const lines = torchLines(order);
          expect(lines?.map((rank) => rank.map((item) => torchLineToken(order, item)).join(' '))).toEqual(c.with_comms);
        });
        it(`${name}: as coded never beats ideal transfers and deferring keeps every receipt`, () => {
          const durations = { F: 1, B: 2, I: 1, W: 1, FB: 3, comm: 0.5 };
          const ideal = simulate(order, durations).makespan;
          for (const p2p of ['torch', 'torch-deferred'] as const) {
            const coded = simulate(order, durations, { p2p });
            expect(coded.p2p).toBe(c.pp > 1 ? p2p : undefined);
            expect(coded.makespan).toBeGreaterThanOrEqual(ideal - 1e-9);
          }
          const lines = torchLines(order) ?? [];
          const deferred = deferReceipts(order, lines);
          expect(deferred.map((rank) => rank.length)).toEqual(lines.map((rank) => rank.length));
        });
      }
    }
  }
});

const CSV = ['oracles', 'schedules', 'torch_csv'];

describeShared('CSV files written by torch', CSV, (folder) => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.csv'))) {
    const text = readFileSync(join(folder, file), 'utf8');
    it(`${file} is read as the schedule it came from and written back`, () => {
      const family = file.split('_')[0] ?? '';
      const kind = FAMILIES[family];
      if (kind === undefined) throw new Error(`no kind for ${file}`);
      const read = readTorchCsv(text);
      if (!('order' in read)) throw new Error(read.problems.map((p) => p.message).join('; '));
      const ours = built({ kind, ranks: 4, microbatches: 8 });
      expectSameOrder(
        read.order,
        torchCsv(ours)
          .trimEnd()
          .split('\n')
          .map((row) => row.replaceAll(',', ' ')),
      );
      if (file.includes('compute_comms'))
        expect(torchCommCsv(read.order)?.trimEnd()).toBe(text.replaceAll('\r', '').trimEnd());
    });
  }
});
