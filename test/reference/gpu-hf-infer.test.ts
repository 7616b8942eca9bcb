import { expect, it } from 'vitest';
import { estimateServing } from '../../server/src/engine/memory/serving';
import { describeShared } from '../shared';
import { hfInferInput, hfInferRows } from './support/gpu-hf-infer';
import { quantile } from './support/memory-input';

describeShared('inference of transformers measured on an H100', ['truth', 'gpu-hf_infer.json'], () => {
  const rows = hfInferRows().filter(({ ok }) => ok);
  const readings = rows.map((row) => {
    const [entry] = estimateServing(hfInferInput(row)).classes;
    const of = (value: number | undefined, measured: number): number => 100 * ((value ?? 0) / measured - 1);
    return {
      id: row.id,
      weights: of(entry?.parts.weights, row.params.bytes_local),
      cache: of(entry?.parts.kvCache, row.cache_bytes),
      peak: of(entry?.allocated, row.peak_steady),
    };
  });
  it('reads every row', () => {
    for (const { id, ok } of hfInferRows()) if (!ok) console.log(`left out: ${id} (ran out of memory)`);
    console.log(
      readings
        .map(
          ({ id, weights, cache, peak }) =>
            `${peak.toFixed(3).padStart(7)} % (weights ${weights.toFixed(3)}, cache ${cache.toFixed(3)}) ${id}`,
        )
        .join('\n'),
    );
    expect(readings.length).toBeGreaterThan(0);
  });
  it('weighs and caches to the byte, but for correction biases that this run kept in BF16', () => {
    for (const { id, weights, cache } of readings) {
      expect(Math.abs(weights), id).toBeLessThan(0.001);
      expect(cache, id).toBe(0);
    }
  });
  it('is within 1 % of the peak in the median and 5 % at the 90th percentile', () => {
    const errors = readings.map(({ peak }) => Math.abs(peak));
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(1);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(5);
  });
});
