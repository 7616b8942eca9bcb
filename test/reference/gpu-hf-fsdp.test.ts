import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { rankReadings } from './support/accuracy-ranks';
import { gpuRows } from './support/gpu-hf';
import { quantile } from './support/memory-input';

describeShared('transformers under FSDP1 and FSDP2, measured on an H100', ['truth', 'gpu-hf_fsdp.json'], () => {
  const rows = gpuRows('gpu-hf_fsdp.json');
  const readings = rankReadings('fsdp');
  it('reads every row', () => {
    expect(readings.length).toBe(rows.filter(({ ok }) => ok).length);
    expect(readings.length).toBeGreaterThanOrEqual(7);
  });
  it('is within 1 % in the median and 5 % at the 90th percentile', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(
      `peak %: median ${quantile(errors, 0.5).toFixed(3)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(2)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(1);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(5);
  });
});
