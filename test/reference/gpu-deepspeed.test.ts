import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { rankReadings } from './support/accuracy-ranks';
import { gpuRows } from './support/gpu-hf';
import { quantile } from './support/memory-input';

describeShared('transformers under DeepSpeed ZeRO 0 to 3, measured on an H100', ['truth', 'gpu-deepspeed.json'], () => {
  const rows = gpuRows('gpu-deepspeed.json');
  const readings = rankReadings('deepspeed');
  it('reads every row', () => {
    expect(readings.length).toBe(rows.filter(({ ok }) => ok).length);
    expect(readings.length).toBeGreaterThanOrEqual(8);
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
