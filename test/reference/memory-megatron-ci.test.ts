import { expect, it } from 'vitest';
import { estimateTraining } from '../../server/src/engine/memory/training';
import { describeShared } from '../shared';
import type { CiRow } from './support/megatron-ci';
import { ciInput, ciRows, leftOut } from './support/megatron-ci';
import { quantile } from './support/memory-input';

interface Reading {
  readonly id: string;
  readonly staticMiB: number;
  readonly peakPercent: number;
}

/** Estimate of the last rank, which is the one whose bytes the suite records. */
function readingOf(row: CiRow): Reading {
  const last = estimateTraining(ciInput(row)).classes.at(-1);
  return {
    id: row.id,
    staticMiB: ((last?.resting ?? 0) - row.alloc_bytes) / 2 ** 20,
    peakPercent: 100 * ((last?.allocated ?? 0) / row.peak_bytes - 1),
  };
}

describeShared("Megatron-LM's functional tests, last rank", ['truth', 'measured-memory.json'], () => {
  const rows = ciRows();
  const reasons = new Map<string, number>();
  const used = rows.filter((row) => {
    const reason = leftOut(row);
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return reason === undefined;
  });
  const readings = used.map(readingOf);

  it('reads every row or says why not', () => {
    for (const [reason, n] of reasons) console.log(`${String(n)} rows left out: ${reason}`);
    expect(used.length).toBeGreaterThan(200);
    if (process.env['SHOW'] !== undefined)
      for (const r of readings) console.log(r.id, r.staticMiB.toFixed(1), r.peakPercent.toFixed(2));
  });
  it('gives the bytes between steps within 12 MiB in the median and 45 MiB at the 90th percentile', () => {
    const errors = readings.map(({ staticMiB }) => Math.abs(staticMiB));
    console.log(
      `static MiB: median ${quantile(errors, 0.5).toFixed(2)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(1)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(12);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(45);
  });
  it('gives the peak within 3 % in the median and 10 % at the 90th percentile', () => {
    const errors = readings.map(({ peakPercent }) => Math.abs(peakPercent));
    console.log(
      `peak %: median ${quantile(errors, 0.5).toFixed(2)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(1)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(3);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(10);
  });
});
