import { describe, expect, it } from 'vitest';
import { findGpu } from '../../../server/src/dialects/presets';
import { machineOf, productTime, type Machine } from '../../../server/src/engine/cost/rates';
import { trainingStep, type StepReport } from '../../../server/src/engine/cost/training-step';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { LayoutSpec } from '../../../server/src/engine/spec/layout';
import { denseModel, layoutOf, megatronInput, moeFrom } from '../../reference/support/memory-input';
import { clusterOf } from '../../reference/support/throughput-plans';

const DENSE = denseModel({ layers: 8, hiddenSize: 4096, intermediateSize: 14336, heads: 32, kvHeads: 8, headDim: 128 });
const MIXED = denseModel({
  layers: 8,
  experts: 64,
  expertsPerToken: 8,
  expertIntermediateSize: 1024,
  moeLayers: moeFrom(8, 0),
});

function machine(name = 'H100', gpus = 16): Machine {
  const cluster = clusterOf(name, gpus);
  if (cluster === undefined || findGpu(name) === undefined) throw new Error(`${name} is not known`);
  const found = machineOf(cluster);
  if ('missing' in found) throw new Error(found.missing);
  return found;
}

function job(model: ModelSpec, layout: Partial<LayoutSpec> = {}, changes: Partial<TrainingInput> = {}): TrainingInput {
  const batch = { microBatch: 1, microbatches: 8, sequenceLength: 4096 };
  return megatronInput(model, layoutOf({ worldSize: 16, ...layout }), batch, {}, changes);
}

function step(input: TrainingInput, on = machine()): StepReport {
  const report = trainingStep(input, on);
  if ('rule' in report) throw new Error(report.message);
  return report;
}

/** Seconds of a step over those of another. */
function ratio(a: TrainingInput, b: TrainingInput): number {
  return step(a).stepSeconds / step(b).stepSeconds;
}

describe('products', () => {
  it('run slower where a side is no multiple of 64', () => {
    const odd = job({ ...DENSE, intermediateSize: 14336 + 8 });
    expect(ratio(odd, job(DENSE))).toBeGreaterThan(1.08);
  });

  it('lose more of a shallow product the narrower the format', () => {
    const on = machine();
    const rate = (depth: number, format: 'FP8' | 'BF16'): number =>
      depth / productTime(on, 16384, 16384, depth, format);
    const loss = (format: 'FP8' | 'BF16'): number => rate(512, format) / rate(8192, format);
    expect(loss('FP8')).toBeLessThan(loss('BF16'));
    expect(loss('BF16')).toBeLessThan(1);
  });

  it('fill whole waves on an A100, and not on an H100', () => {
    const each = (name: string, rows: number): number => productTime(machine(name), rows, 5376, 14336, 'BF16') / rows;
    expect(each('A100', 2048) / each('A100', 16384)).toBeGreaterThan(1.1);
    expect(each('H100', 2048) / each('H100', 16384)).toBeCloseTo(1, 2);
  });
});

describe('the time of a step', () => {
  it('falls where tensor-parallel traffic is overlapped', () => {
    const plain = job(DENSE, { tensor: 8, sequenceParallel: true });
    const overlapped = { ...plain, details: { tensorOverlap: true } };
    expect(step(overlapped).parts.tensor).toBeLessThan(0.75 * step(plain).parts.tensor);
  });

  it('counts the traffic of shared experts', () => {
    const layout = { tensor: 4, sequenceParallel: true, expert: 4 };
    const shared = job({ ...MIXED, sharedExperts: 1 }, layout);
    expect(step(shared).parts.tensor).toBeGreaterThan(1.5 * step(job(MIXED, layout)).parts.tensor);
  });

  it('rises where experts have biases, and where traffic is sent once an expert', () => {
    expect(ratio(job({ ...MIXED, expertBias: true }, { expert: 8 }), job(MIXED, { expert: 8 }))).toBeGreaterThan(1.1);
    const sent = (dispatcher: 'alltoall' | 'deepep'): StepReport =>
      step({ ...job(MIXED, { expert: 16 }), details: { dispatcher } });
    expect(sent('alltoall').parts.expert).toBeGreaterThan(1.5 * sent('deepep').parts.expert);
  });

  it('holds no wait for routing counts where tokens beyond a capacity are dropped', () => {
    const base = job(MIXED, { expert: 8 });
    expect(step({ ...base, details: { capacityFactor: 1 } }).parts.host).toBeLessThan(step(base).parts.host);
  });

  it('hides experts behind another microbatch also without a pipeline', () => {
    const base = job(MIXED, { expert: 16 });
    const overlapped = step({ ...base, pipeline: { kind: '1f1b-ep-overlap' } });
    expect(overlapped.stepSeconds).toBeLessThan(0.95 * step(base).stepSeconds);
    expect(overlapped.parts.expert).toBeLessThan(step(base).parts.expert);
  });

  it('rises with gradients that are added by a kernel of their own', () => {
    const base = job(DENSE);
    const apart = { ...base, optimizer: { ...base.optimizer, gradientAccumulationFusion: false } };
    expect(ratio(apart, base)).toBeGreaterThan(1.005);
  });

  it('computes half of the products again under selective checkpointing by operation', () => {
    const base = job(DENSE);
    const titan: TrainingInput = { ...base, optimizer: { ...base.optimizer, stack: 'fsdp2', zeroStage: 3 } };
    const again = step({ ...titan, recompute: { granularity: 'selective' } }).parts.recompute;
    const whole = step({ ...titan, recompute: { granularity: 'full', method: 'uniform', layers: 1 } }).parts.recompute;
    expect(again / whole).toBeGreaterThan(0.4);
    expect(again / whole).toBeLessThan(0.8);
    const third = { ...titan, recompute: { granularity: 'selective' as const }, details: { selective: 3 } };
    expect(step(third).parts.recompute / whole).toBeCloseTo(1 / 3, 5);
  });

  it('is longer a token with narrow heads', () => {
    const narrow = { ...DENSE, heads: 64, kvHeads: 16, headDim: 64 };
    expect(ratio(job(narrow), job(DENSE))).toBeGreaterThan(1.01);
  });
});
