import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { quantile } from './support/memory-input';
import { publishedTable } from './support/published-memory';
import { otherMemoryRows, trainingMemoryRows } from './support/published-rows';

describeShared('published training memory', ['truth', 'measured-training.json'], () => {
  const { readings, left } = publishedTable();
  it('computes every row or says why not', () => {
    const ids = [...readings, ...left].map(({ id }) => id).sort();
    expect(ids).toEqual([...trainingMemoryRows(), ...otherMemoryRows()].map(({ id }) => id).sort());
    for (const { id, reason } of left) expect(reason.length, id).toBeGreaterThan(8);
    console.log(
      readings
        .map(({ id, stack, kind, measured, predicted, percent, model, plan }) =>
          [
            id,
            stack,
            kind,
            (measured / 2 ** 30).toFixed(1),
            (predicted / 2 ** 30).toFixed(1),
            `${percent.toFixed(1)} %`,
            model,
            plan,
          ].join(' | '),
        )
        .join('\n'),
      `\nleft out:\n${left.map(({ id, model, reason }) => `${id} ${model}: ${reason}`).join('\n')}`,
    );
  });
  it('is finite and positive everywhere', () => {
    expect(readings.length).toBeGreaterThan(70);
    expect(readings.every(({ predicted }) => Number.isFinite(predicted) && predicted > 2 ** 30)).toBe(true);
  });
  // What sources leave out (compilers, containers, allocator settings) is worth this much.
  it('is within 20 % in the median and 50 % at the 90th percentile', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(20);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(50);
  });
});
