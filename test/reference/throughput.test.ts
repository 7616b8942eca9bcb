import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { median, throughputReport, throughputTable } from './support/throughput-report';
import { throughputRows } from './support/throughput-rows';

describeShared('published training throughput', ['truth', 'measured-throughput.json'], () => {
  const report = throughputReport();

  it('computes nearly every row and gives a reason for the others', () => {
    expect(report.rows.length + report.left.length).toBe(144);
    expect(report.left.length).toBeLessThanOrEqual(2);
    for (const { reason } of report.left) expect(reason.length).toBeGreaterThan(10);
  });

  it('has a median error of at most 15 %, also for dense models and mixtures of experts alone', () => {
    const errors = (dense: boolean): number[] =>
      report.rows.filter(({ row }) => /LLAMA/.test(row.model) === dense).map(({ error }) => Math.abs(error));
    console.info(throughputTable(report));
    console.info(
      `median error ${(100 * report.medianError).toFixed(1)} % of ${report.rows.length} rows; dense ${(100 * median(errors(true))).toFixed(1)} %, MoE ${(100 * median(errors(false))).toFixed(1)} %`,
    );
    expect(report.medianError).toBeLessThan(0.15);
    expect(median(errors(true))).toBeLessThan(0.15);
    expect(median(errors(false))).toBeLessThan(0.15);
  });

  it('gives the accuracy page the same rows', () => {
    const { rows, left, medianError } = throughputRows();
    expect(rows.map(({ id }) => id)).toEqual(report.rows.map(({ row }) => row.id));
    expect(left.length).toBe(report.left.length);
    expect(medianError).toBe(report.medianError);
  });

  it('orders the plans of one model on one GPU', () => {
    for (const { group, rows, correlation } of report.correlations)
      console.info(`${group}: ${rows} rows, rank correlation ${correlation.toFixed(2)}`);
    console.info(
      `mean rank correlation ${report.meanCorrelation.toFixed(3)}; clear pairs in the right order ${(100 * report.ordered).toFixed(1)} %`,
    );
    expect(report.ordered).toBeGreaterThanOrEqual(0.9);
    // Rows of one plan on two releases differ by less than a model can tell, and they hold the plain correlation down.
    expect(report.meanCorrelation).toBeGreaterThanOrEqual(0.8);
  });

  it('accounts for every second of a step', () => {
    for (const { report: step } of report.rows) {
      const { recompute: _part, ...parts } = step.parts;
      const sum = Object.values(parts).reduce((total, value) => total + value, 0);
      expect(Math.abs(sum / step.stepSeconds - 1)).toBeLessThan(0.02);
    }
  });
});
