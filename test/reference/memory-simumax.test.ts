import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { quantile } from './support/memory-input';
import { simumaxReadings, simumaxRows } from './support/simumax';

describeShared('Measured peaks of every rank on eight B200', ['truth', 'measured-memory.json'], () => {
  const rows = simumaxRows();
  const readings = simumaxReadings(rows);
  it('reads all rows', () => {
    expect(rows.length).toBeGreaterThan(20);
    expect(readings.length).toBe(rows.length * 8);
    if (process.env['SHOW'] !== undefined)
      for (const r of readings.filter(({ rank }) => rank % 4 === 0))
        console.log(r.id, r.rank, (r.measured / 2 ** 20).toFixed(1), r.percent.toFixed(3), r.peerError.toFixed(3));
  });
  it('is within 0.1 % in the median and 0.5 % at worst', () => {
    const errors = readings.map(({ percent }) => Math.abs(percent));
    expect(quantile(errors, 0.5)).toBeLessThanOrEqual(0.1);
    expect(Math.max(...errors)).toBeLessThanOrEqual(0.5);
  });
  it('beats the published prediction on every row', () => {
    const lost = readings.filter(({ percent, peerError }) => Math.abs(percent) >= Math.abs(peerError));
    expect(lost).toEqual([]);
  });
});
