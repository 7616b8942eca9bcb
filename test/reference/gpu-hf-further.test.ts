import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimateServing } from '../../server/src/engine/memory/serving';
import type { TrainingInput } from '../../server/src/engine/memory/input';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { gpuHfFsdpInput, gpuHfTrainInput, type GpuHfRow } from './support/gpu-hf';
import { hfInferInput, type HfInferRow } from './support/gpu-hf-infer';
import { quantile } from './support/memory-input';

function rowsOf<Row>(name: string): readonly Row[] {
  const file = path.resolve(import.meta.dirname, '../fixtures/measured', name);
  return JSON.parse(readFileSync(file, 'utf8')) as readonly Row[];
}

/** Most percent that a job may miss by; the first few bytes of small states are those of tables and rounding, which weigh little. */
const LIMIT = 1;
const MISSES: Readonly<Record<string, number>> = {
  // Masks of prompts longer than the sliding window are not counted: four bytes a pair of tokens.
  'gemma-2-2b/b1-p8192': 5,
  // 43 MB of 3.4 GB: FSDP1 with tiny batches.
  'fsdp1/llama-3.2-1b/w8-b1-s512-bf16-FULL_SHARD-no-recompute': 1.5,
};

const percent = (predicted: number | undefined, measured: number): number => 100 * ((predicted ?? 0) / measured - 1);

function trained(
  row: GpuHfRow,
  input: TrainingInput,
): { readonly id: string; readonly peak: number; readonly resting: number } {
  const [only] = estimateTraining(input).classes;
  return {
    id: row.id,
    peak: percent(only?.allocated, row.peak_steady),
    resting: percent(only?.resting, row.phases['step2.forward']?.before ?? Number.NaN),
  };
}

/**
 * Jobs of other models, optimizers, attention and expert code than the rows which the model was made with: torch 2.11, transformers 5.17,
 * one H100, torch's fake process group in the place of other ranks.
 */
describe('further transformers jobs, measured on an H100 after the model was made', () => {
  const jobs = [
    ...rowsOf<GpuHfRow>('transformers-h100.json').map((row) => trained(row, gpuHfTrainInput(row))),
    ...rowsOf<GpuHfRow>('fsdp-h100.json').map((row) => trained(row, gpuHfFsdpInput(row))),
  ];
  const served = rowsOf<HfInferRow>('inference-h100.json').map((row) => {
    const [only] = estimateServing(hfInferInput(row)).classes;
    return {
      id: row.id,
      peak: percent(only?.allocated, row.peak_steady),
      weights: percent(only?.parts.weights, row.params.bytes_local),
      cache: percent(only?.parts.kvCache, row.cache_bytes),
    };
  });

  it.each(jobs)('$id is met', ({ id, peak, resting }) => {
    expect(Math.abs(resting)).toBeLessThanOrEqual(2);
    expect(Math.abs(peak)).toBeLessThanOrEqual(MISSES[id] ?? LIMIT);
  });

  it.each(served)('inference of $id is met', ({ id, peak, weights, cache }) => {
    expect(Math.abs(weights)).toBeLessThanOrEqual(0.001);
    expect(Math.abs(cache)).toBeLessThanOrEqual(0.02);
    expect(Math.abs(peak)).toBeLessThanOrEqual(MISSES[id] ?? LIMIT);
  });

  it('are met within 0.05 % in the median', () => {
    const errors = [...jobs, ...served].map(({ peak }) => Math.abs(peak));
    expect(errors.length).toBeGreaterThanOrEqual(55);
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(0.05);
  });
});
