import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { rankReadings } from './support/accuracy-ranks';
import { gpuRows } from './support/gpu-hf';
import { quantile } from './support/memory-input';

describeShared('transformers in one process and under DDP, measured on an H100', ['truth', 'gpu-hf_train.json'], () => {
  const rows = gpuRows('gpu-hf_train.json');
  const readings = rankReadings('transformers');
  it('reads every row', () => {
    expect(readings.length).toBe(rows.filter(({ ok }) => ok).length);
    expect(readings.length).toBeGreaterThanOrEqual(20);
  });
  it('is within 1 % in the median and 5 % at the 90th percentile', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(
      `peak %: median ${quantile(errors, 0.5).toFixed(3)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(2)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(1);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(5);
  });
  it('gives the bytes between steps within 1 %', () => {
    expect(Math.max(...readings.map(({ resting }) => Math.abs(resting)))).toBeLessThanOrEqual(1);
  });
});
