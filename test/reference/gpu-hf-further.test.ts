import { describe, expect, it } from 'vitest';
import { servedJobs, trainedJobs } from './support/further';
import { quantile } from './support/memory-input';

/** Most percent that a job may miss by. */
const LIMIT = 1;
const MISSES: Readonly<Record<string, number>> = {
  // 43 MB of 3.4 GB: FSDP1 with tiny batches.
  'fsdp1/llama-3.2-1b/w8-b1-s512-bf16-FULL_SHARD-no-recompute': 1.5,
};

/**
 * Jobs of other models, optimizers, attention and expert code than the rows which the model was made with: torch 2.11, transformers 5.17,
 * one H100, torch's fake process group in the place of other ranks.
 */
describe('further transformers jobs, measured on an H100 after the model was made', () => {
  const [jobs, served] = [trainedJobs(), servedJobs()];

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
