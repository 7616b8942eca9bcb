import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { rankReadings } from './support/accuracy-ranks';
import { gpuRows } from './support/gpu-hf';
import { quantile } from './support/memory-input';

describeShared('DualPipe and DualPipeV, measured on an H100', ['truth', 'gpu-dualpipe.json'], () => {
  const rows = gpuRows('gpu-dualpipe.json');
  const readings = rankReadings('dualpipe');
  it('reads every row', () => {
    expect(readings.length).toBe(rows.filter(({ ok }) => ok).length);
    expect(readings.length).toBeGreaterThanOrEqual(7);
  });
  it('is within 1 % everywhere', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(`peak %: median ${quantile(errors, 0.5).toFixed(3)}, worst ${Math.max(...errors).toFixed(2)}`);
    expect(Math.max(...errors)).toBeLessThanOrEqual(1);
  });
  it('gives the bytes between steps within 1 %', () => {
    expect(Math.max(...readings.map(({ resting }) => Math.abs(resting)))).toBeLessThanOrEqual(1);
  });
});
