import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/src/features/analyze';
import type { Analysis } from '../../../server/src/features/analysis';
import { sweepView } from '../../../server/src/features/views/sweep';
import { askOf, timelineView, traceFile } from '../../../server/src/features/views/timeline';
import { slowAnswer } from '../../../server/src/lsp/slow-answer';
import { decodeColumn } from '../../../server/src/protocol/columns';
import type { SweepAnswer, TimelineView } from '../../../server/src/protocol/timeline';

const SAMPLE = readFileSync(
  path.resolve(import.meta.dirname, '../../../samples/deepseek-v3-2048xH800.shardlens.yaml'),
  'utf8',
);

function analysisOf(text: string): Analysis {
  return analyze({
    uri: 'file:///w/plan.shardlens.yaml',
    version: 1,
    text,
    settings: { rules: {} },
    files: () => null,
  });
}

const analysis = analysisOf(SAMPLE.replace(/^ {2}durations:.*$/m, ''));

function viewOf(params: Partial<Parameters<typeof timelineView>[1]> = {}): TimelineView {
  const answer = timelineView(analysis, { uri: analysis.uri, ...params });
  if ('empty' in answer) throw new Error(answer.reason);
  return answer;
}

function drained(of: Analysis): SweepAnswer {
  const work = sweepView(of);
  for (let step = work.next(); ; step = work.next()) if (step.done === true) return step.value;
}

describe('the timeline’s answer', () => {
  it('says where durations come from and what idle time is made of', () => {
    const view = viewOf();
    expect(view.timing).toEqual({ origin: 'model', basis: 'deepseek-ai/DeepSeek-V3 on H800' });
    expect(view.unit).toBe('ms');
    const idle = view.idle.reduce((a, b) => a + b, 0);
    const found = view.explanation?.idle;
    if (found === undefined) throw new Error('no explanation');
    const { activation, gradient, transfer, done, warmup, steady, cooldown } = found;
    expect((activation + gradient + transfer + done) / idle).toBeCloseTo(1, 9);
    expect((warmup + steady + cooldown) / idle).toBeCloseTo(1, 9);
  });

  it('gives the critical chain as blocks that touch each other', () => {
    const view = viewOf();
    const chain = decodeColumn(view.explanation?.critical.blocks ?? view.columns.stage);
    const start = decodeColumn(view.columns.start);
    const end = decodeColumn(view.columns.end);
    expect(start[chain[0] ?? -1]).toBe(0);
    expect(end[chain[chain.length - 1] ?? -1]).toBe(view.makespan);
    for (let at = 1; at < chain.length; at += 1)
      expect(start[chain[at] ?? -1] ?? 0).toBeGreaterThanOrEqual(end[chain[at - 1] ?? -1] ?? Infinity);
  });

  it('draws what the panel asks for, with the bytes of that schedule', () => {
    const other = viewOf({ kind: 'dualpipev', microbatches: 60 });
    expect([other.kind, other.microbatches, other.ranks]).toEqual(['dualpipev', 60, 16]);
    // One copy of the weights instead of two.
    const folded = viewOf({ kind: 'dualpipev' });
    expect(folded.memory.staticBytes?.[8]).toBeLessThan(viewOf().memory.staticBytes?.[8] ?? 0);
    expect(askOf({ uri: '', kind: 'nonsense', microbatches: -1, chunks: Number.NaN })).toEqual({});
  });

  it('opens an overlapped block into two lanes, near DeepSeek’s profile', () => {
    const { overlap } = viewOf();
    // 129 ms for four layer pairs there.
    expect(overlap?.makespan).toBeGreaterThan(100);
    expect(overlap?.makespan).toBeLessThan(150);
    expect((overlap?.exposed ?? 1) / (overlap?.makespan ?? 1)).toBeLessThan(0.1);
    expect(new Set(overlap?.phases.map(({ label }) => label))).toContain('DISPATCH(F)');
    expect(viewOf({ kind: '1f1b' }).overlap).toBeUndefined();
  });

  it('is a trace as well', () => {
    const { text } = traceFile(analysis, { uri: analysis.uri });
    const trace = JSON.parse(text ?? '') as { traceEvents: { ph: string }[] };
    const passes = decodeColumn(viewOf().columns.op).length;
    expect(trace.traceEvents.filter(({ ph }) => ph === 'X')).toHaveLength(passes);
  });
});

describe('the sweep', () => {
  it('has the file’s own row, marks the best, and tells what knobs bring', () => {
    const view = drained(analysis);
    if ('empty' in view) throw new Error(view.reason);
    const own = view.rows.filter((row) => row.own);
    expect(own).toHaveLength(1);
    expect(own[0]).toMatchObject({ kind: 'dualpipe', stepChange: 0, microbatches: 120 });
    const best = Math.min(...view.rows.map(({ step }) => step));
    expect(view.rows.find(({ step }) => step === best)?.pareto).toBe(true);
    expect(view.whole).toBe(true);
    expect(view.knobs.length).toBeGreaterThan(8);
    expect(view.knobs.map(({ text }) => text)).toContain('DualPipe → 1F1B');
    for (const { step, bubble } of view.rows) expect(Number.isFinite(step) && bubble >= 0 && bubble < 1).toBe(true);
  });

  it('stops between two schedules when nobody wants it any more', async () => {
    const answer = slowAnswer(
      { isCancellationRequested: true } as never,
      () => sweepView(analysis),
      () => Infinity,
    );
    await expect(answer).resolves.toMatchObject({ message: 'cancelled' });
  });

  it('says what is missing of a file without a pipeline', () => {
    expect(drained(analysisOf('name: ci\non: push\n'))).toMatchObject({ empty: true });
  });
});
