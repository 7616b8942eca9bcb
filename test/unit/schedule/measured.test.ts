import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildOrder } from '../../../server/src/engine/schedule/build';
import { OP } from '../../../server/src/engine/schedule/order';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { simulate } from '../../../server/src/engine/schedule/simulate';
import { analyze } from '../../../server/src/features/analyze';
import { chromeTrace } from '../../../server/src/features/schedule/chrome-trace';
import { passName, readMeasured } from '../../../server/src/features/schedule/measured';
import { measuredView } from '../../../server/src/features/views/measured';
import { decodeColumn } from '../../../server/src/protocol/columns';

const DURATIONS = { F: 10, B: 20, I: 10, W: 10, FB: 30, comm: 1 };

function drawn(kind: 'dualpipe' | 'zb-h1') {
  const order = buildOrder({ kind, ranks: 4, microbatches: 8, durations: DURATIONS });
  if (isRefusal(order)) throw new Error(order.message);
  return simulate(order, DURATIONS);
}

const SAMPLE = readFileSync(
  path.resolve(import.meta.dirname, '../../../samples/deepseek-v3-2048xH800.shardlens.yaml'),
  'utf8',
);
const analysis = analyze({
  uri: 'file:///w/plan.shardlens.yaml',
  version: 1,
  text: SAMPLE,
  settings: { rules: {} },
  files: () => null,
});

describe('a measured run', () => {
  it('knows the names that torch and Megatron give their passes', () => {
    expect(passName('PP:3F12')).toEqual({ op: OP.F, microbatch: 12 });
    expect(passName('<2I0')).toEqual({ op: OP.I, microbatch: 0 });
    expect(passName('(3F1;2B0)OVERLAP_F_B')).toEqual({ op: OP.FB, microbatch: 1 });
    expect(passName('Backward 7')).toEqual({ op: OP.B, microbatch: 7 });
    expect(passName('forward-compute')).toEqual({ op: OP.F, microbatch: -1 });
    for (const other of ['aten::mm', 'Forward pass of layer 3', 'PP:3SEND_F1', '', 'ncclKernel 3F1'])
      expect(passName(other)).toBeUndefined();
  });

  it('reads our own trace back, every pass on its rank and at its time', () => {
    for (const kind of ['dualpipe', 'zb-h1'] as const) {
      const timeline = drawn(kind);
      const run = readMeasured(JSON.stringify(chromeTrace(timeline)));
      if (!('passes' in run)) throw new Error('no passes');
      expect(run.format).toBe('chrome-trace');
      expect(run.passes).toHaveLength(timeline.order.op.length);
      run.passes.forEach((pass, at) => {
        expect(pass.op).toBe(timeline.order.op[at]);
        expect(pass.start).toBeCloseTo(timeline.start[at] ?? -1, 9);
        expect(at).toBeLessThan(timeline.order.rankStart[pass.rank + 1] ?? 0);
      });
    }
  });

  it('tells ranks apart by process, by argument, and by line', () => {
    const event = (pid: number, args?: object) => ({ name: 'Forward 0', ph: 'X', pid, tid: 5, ts: 0, dur: 1000, args });
    const byProcess = readMeasured(JSON.stringify({ traceEvents: [event(900), event(17), event(203)] }));
    expect('passes' in byProcess ? byProcess.passes.map(({ rank }) => rank) : []).toEqual([2, 0, 1]);
    const byRank = readMeasured(JSON.stringify([event(1, { rank: 1 }), event(1, { rank: 0 })]));
    expect('passes' in byRank ? byRank.passes.map(({ rank }) => rank) : []).toEqual([1, 0]);
    const lines =
      '{"rank":1,"name":"1F0","start":2,"end":3}\nstep done\n{"rank":0,"name":"0F0","start":0,"end":2}\n{"rank":0}\n';
    expect(readMeasured(lines)).toMatchObject({ format: 'torch-timers', passes: [{ rank: 1 }, { rank: 0 }] });
  });

  it('reads both kinds of Megatron’s timers', () => {
    const minmax = `(min, max) time across ranks (ms):
    forward-backward ...............................: (18010.25, 18020.75)
    forward-compute ................................: (9100.00, 9300.50)
    optimizer ......................................: (12.00, 13.25)
`;
    expect(readMeasured(minmax)).toEqual({
      format: 'megatron-timers',
      timers: [
        { name: 'forward-backward', least: 18010.25, most: 18020.75 },
        { name: 'forward-compute', least: 9100, most: 9300.5 },
        { name: 'optimizer', least: 12, most: 13.25 },
      ],
    });
    const all = 'times across ranks (ms):\n  backward-compute:\n     rank  0: 12.50\n     rank  1: 13.50\n';
    expect(readMeasured(all)).toMatchObject({ timers: [{ name: 'backward-compute', least: 12.5, most: 13.5 }] });
  });

  it('refuses everything else in a sentence', () => {
    for (const text of [
      '',
      'null',
      '[]',
      '{"traceEvents": 3}',
      '{"traceEvents": [null, 3, {"ph": "X"}]}',
      'hello\nworld',
    ])
      expect(readMeasured(text)).toHaveProperty('reason');
  });

  it('is told against the plan', () => {
    const params = { uri: analysis.uri, fileName: 'log.txt' };
    const view = measuredView(analysis, { ...params, text: ' forward-backward ...: (18010.0, 18020.0)\n' });
    expect(view).toMatchObject({ format: 'megatron-timers', ranks: 0, makespan: 0 });
    expect('notes' in view ? view.notes.join(' ') : '').toMatch(
      /forward-backward: 18,020 ms, planned 18,025 ms \(\+0\.0 %\)/,
    );
    const trace = measuredView(analysis, { ...params, text: JSON.stringify(chromeTrace(drawn('dualpipe'))) });
    if ('empty' in trace) throw new Error(trace.reason);
    expect(trace.ranks).toBe(4);
    expect(decodeColumn(trace.columns.rankStart).at(-1)).toBe(decodeColumn(trace.columns.op).length);
    expect(trace.notes.join(' ')).toContain('The run has 4 ranks, the plan 16.');
    expect(measuredView(analysis, { ...params, text: 'nothing' })).toMatchObject({ empty: true });
  });
});
