import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { ciReading, ciRows, leftOut } from './support/megatron-ci';
import { quantile } from './support/memory-input';

describeShared("Megatron-LM's functional tests, last rank", ['truth', 'measured-memory.json'], () => {
  const rows = ciRows();
  const reasons = new Map<string, number>();
  const used = rows.filter((row) => {
    const reason = leftOut(row);
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return reason === undefined;
  });
  const readings = used.map(ciReading);

  it('reads every row or says why not', () => {
    for (const [reason, n] of reasons) console.log(`${String(n)} rows left out: ${reason}`);
    expect(used.length).toBeGreaterThan(200);
    if (process.env['SHOW'] !== undefined)
      for (const r of readings) console.log(r.id, r.staticMiB.toFixed(1), r.percent.toFixed(2));
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
    const errors = readings.map(({ percent }) => Math.abs(percent));
    console.log(
      `peak %: median ${quantile(errors, 0.5).toFixed(2)}, p90 ${quantile(errors, 0.9).toFixed(2)}, worst ${Math.max(...errors).toFixed(1)}`,
    );
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(3);
    expect(quantile(errors, 0.9)).toBeLessThanOrEqual(10);
  });
});
