import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyze } from '../../../server/src/features/analyze';
import { isRefusal } from '../../../server/src/engine/schedule/refusal';
import { knobEffects } from '../../../server/src/features/schedule/knobs';
import { timelineOf } from '../../../server/src/features/schedule/planned';
import { isRefused, markPareto, sweepAsks, tryUnder, type SweepRow } from '../../../server/src/features/schedule/sweep';
import { planUnder } from '../../../server/src/features/schedule/variant';
import type { ResolvedPlan } from '../../../server/src/plan/plan';

const SAMPLE = readFileSync(
  path.resolve(import.meta.dirname, '../../../samples/deepseek-v3-2048xH800.shardlens.yaml'),
  'utf8',
);

function resolvedOf(text: string): ResolvedPlan {
  const { resolved } = analyze({
    uri: 'file:///w/plan.shardlens.yaml',
    version: 1,
    text,
    settings: { rules: {} },
    files: () => null,
  });
  if (resolved === undefined) throw new Error('not recognised');
  return resolved;
}

const timed = resolvedOf(SAMPLE);
const modelled = resolvedOf(SAMPLE.replace(/^ {2}durations:.*$/m, ''));
const nameless = resolvedOf(SAMPLE.replace(/^ {2}durations:.*$/m, '').replace(/^ {2}gpu: H800$/m, ''));

function origin(plan: ResolvedPlan): string | undefined {
  const planned = timelineOf(plan);
  return planned === undefined || isRefusal(planned) ? undefined : planned.times.origin;
}

describe('durations of a plan', () => {
  it('are the typed ones, else those of the model on the named GPU, else units', () => {
    expect([timed, modelled, nameless].map(origin)).toEqual(['stated', 'model', 'unit']);
  });

  it('by the cost model lie near DeepSeek’s published profile', () => {
    const planned = timelineOf(modelled);
    if (planned === undefined || isRefusal(planned)) throw new Error('no timeline');
    expect(planned.times.basis).toBe('deepseek-ai/DeepSeek-V3 on H800');
    const { F, I, W, FB } = planned.times.mean;
    // The mean holds the short last stage; the profile is four MoE layers on one rank of eight: F 77, I 98, W 30, FB 129.
    for (const [own, published] of [
      [F, 77.2],
      [I, 97.6],
      [W, 29.8],
      [FB, 129],
    ] as const) {
      expect(own / published).toBeGreaterThan(0.6);
      expect(own / published).toBeLessThan(1.4);
    }
  });

  it('are kept with the plan, so that a hover does not simulate again', () => {
    expect(timelineOf(timed)).toBe(timelineOf(timed));
    expect(timelineOf(timed, { kind: '1f1b' })).not.toBe(timelineOf(timed));
  });
});

describe('a plan under another schedule', () => {
  it('keeps its batch: half as many microbatches are twice as large', () => {
    const half = planUnder(timed, { microbatches: 60 });
    expect(half.batch).toMatchObject({ microbatches: 60, microBatch: 2, globalBatch: 15360 });
    const other = planUnder(timed, { microbatches: 128 });
    expect(other.batch).toMatchObject({ microbatches: 128, microBatch: 1, globalBatch: 16384 });
    expect(planUnder(timed, { kind: 'dualpipe' })).toBe(timed);
  });

  it('gets the same work in its own passes', () => {
    const whole = tryUnder(timed, { kind: 'gpipe' });
    const plain = tryUnder(timed, { kind: '1f1b' });
    if (isRefused(whole) || isRefused(plain)) throw new Error('refused');
    // Textbook: GPipe and 1F1B take the same time when transfers take none; here they differ by transfers only.
    expect(plain.step / whole.step).toBeGreaterThan(0.99);
    expect(plain.step / whole.step).toBeLessThan(1.02);
    expect(whole.peakActivations).toBe(120);
    expect(plain.peakActivations).toBe(16);
    const folded = tryUnder(timed, { kind: 'dualpipev' });
    if (isRefused(folded)) throw new Error(folded.refused);
    expect(folded.peakActivations).toBe(16.5);
  });

  it('splits layers anew where the file split them by hand for another number of stages', () => {
    const folded = planUnder(modelled, { kind: 'dualpipev' });
    expect(folded.layout?.stageLayers).toHaveLength(32);
    expect(folded.layout?.stageLayers?.reduce((a, b) => a + b, 0)).toBe(61);
  });
});

describe('knobs', () => {
  it('show what overlap is worth on H800: 1F1B is half as slow again as DualPipe', () => {
    for (const plan of [timed, modelled]) {
      const effects = knobEffects(plan);
      const plain = effects.find(({ value }) => value === '1f1b');
      expect(plain?.stepChange).toBeGreaterThan(0.35);
      expect(plain?.stepChange).toBeLessThan(0.65);
      // One copy of the weights instead of two.
      expect(plain?.bytesChange).toBeLessThan(0);
      const steps = effects.map(({ stepChange }) => stepChange);
      expect([...steps].sort((a, b) => a - b)).toEqual(steps);
    }
  });

  it('count a larger batch by the time of a sample: the bubble is shared by more microbatches', () => {
    const batch = knobEffects(timed).find(({ knob }) => knob === 'batch');
    expect(batch).toMatchObject({ value: 30720, from: 15360, ask: { microbatches: 240 } });
    expect(batch?.stepChange).toBeLessThan(0);
    expect(batch?.stepChange).toBeGreaterThan(-0.08);
    expect(batch?.bytesChange).toBe(0);
  });

  it('leave out what the framework refuses', () => {
    const odd = resolvedOf(SAMPLE.replace('kind: dualpipe', 'kind: 1f1b').replace('global: 15360', 'global: 1920'));
    const values = knobEffects(odd).map(({ value }) => value);
    // 15 microbatches: odd, and fewer than 2P.
    expect(values).not.toContain('dualpipe');
    expect(values).toContain('zb-h1');
  });
});

describe('a sweep', () => {
  it('marks what nothing else beats', () => {
    const row = (step: number, peakBytes: number): SweepRow => ({
      kind: '1f1b',
      microbatches: 8,
      chunks: 1,
      step,
      bubble: 0,
      peakActivations: 1,
      peakBytes,
    });
    const marked = markPareto([row(1, 9), row(2, 5), row(3, 5), row(4, 1), row(4, 1)]);
    expect(marked.map(({ pareto }) => pareto)).toEqual([true, true, false, true, true]);
    // What does not fit beats nothing and is no choice.
    const full = markPareto([{ ...row(1, 9), fits: false }, row(2, 5)]);
    expect(full.map(({ pareto }) => pareto)).toEqual([false, true]);
  });

  it('covers every kind, several batches and chunks', () => {
    const asks = sweepAsks(timed);
    expect(new Set(asks.map(({ kind }) => kind)).size).toBe(15);
    expect(new Set(asks.map(({ microbatches }) => microbatches))).toContain(120);
    expect(asks.filter(({ kind }) => kind === 'looped-bfs').length).toBeGreaterThan(1);
  });
});
