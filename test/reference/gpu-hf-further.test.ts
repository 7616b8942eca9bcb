import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { gpuHfTrainInput, type GpuHfRow } from './support/gpu-hf';
import { quantile } from './support/memory-input';

const FILE = path.resolve(import.meta.dirname, '../fixtures/measured/transformers-h100.json');

/** Jobs of other models, optimizers, attention and expert code than the rows the model was made with; torch 2.11, transformers 5.17, H100. */
describe('further transformers jobs, measured on an H100 after the model was made', () => {
  const rows = JSON.parse(readFileSync(FILE, 'utf8')) as readonly GpuHfRow[];
  const errors = rows.map((row) => {
    const [only] = estimateTraining(gpuHfTrainInput(row)).classes;
    const before = row.phases['step2.forward']?.before ?? Number.NaN;
    return {
      id: row.id,
      peak: 100 * ((only?.allocated ?? 0) / row.peak_steady - 1),
      resting: 100 * ((only?.resting ?? 0) / before - 1),
    };
  });

  it.each(errors)('$id is met within 1 %', ({ peak, resting }) => {
    expect(Math.abs(resting)).toBeLessThanOrEqual(0.2);
    expect(Math.abs(peak)).toBeLessThanOrEqual(1);
  });

  it('are met within 0.05 % in the median', () => {
    expect(rows.length).toBeGreaterThanOrEqual(25);
    expect(
      quantile(
        errors.map(({ peak }) => Math.abs(peak)),
        0.5,
      ),
    ).toBeLessThanOrEqual(0.05);
  });
});
