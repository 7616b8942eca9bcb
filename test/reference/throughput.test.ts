import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { orderSummary } from './support/throughput-order';
import { median, throughputReport, throughputTable, type ThroughputRow } from './support/throughput-report';
import { throughputRows } from './support/throughput-rows';
import { TABLES } from './support/throughput-section';

describeShared('published training throughput', ['truth', 'measured-throughput.json'], () => {
  const report = throughputReport();
  const tables = report.rows.filter(({ row }) => row.group === TABLES);
  const errors = (of: (row: ThroughputRow) => boolean): number[] =>
    tables.filter(of).map(({ error }) => Math.abs(error));

  it('computes nearly every row and gives a reason for the others', () => {
    expect(report.rows.length).toBeGreaterThanOrEqual(320);
    expect(report.left.filter(({ row }) => row.group === TABLES).length).toBeLessThanOrEqual(2);
    expect(report.left.length).toBeLessThanOrEqual(36);
    for (const { reason } of report.left) expect(reason.length).toBeGreaterThan(10);
  });

  it('has a median error of at most 15 %, also for dense models and mixtures of experts alone', () => {
    const dense = ({ row }: ThroughputRow): boolean => row.model.startsWith('LLAMA');
    console.info(throughputTable(report));
    console.info(
      `median error ${(100 * report.medianError).toFixed(1)} % of ${report.rows.length} rows; tables ${(100 * median(errors(() => true))).toFixed(1)} %, dense ${(100 * median(errors(dense))).toFixed(1)} %, MoE ${(100 * median(errors((row) => !dense(row)))).toFixed(1)} %`,
    );
    expect(report.medianError).toBeLessThan(0.12);
    expect(median(errors(() => true))).toBeLessThan(0.1);
    expect(median(errors(dense))).toBeLessThan(0.08);
    expect(median(errors((row) => !dense(row)))).toBeLessThan(0.12);
  });

  it('stays within 15 % where nothing is known of the release and the recipe that a row ran on', () => {
    const blind = throughputReport(undefined, () => ({})).rows.filter(({ row }) => row.group === TABLES);
    expect(median(blind.map(({ error }) => Math.abs(error)))).toBeLessThan(0.15);
  });

  it('gives the accuracy page the same rows', () => {
    const { rows, left, medianError } = throughputRows();
    expect(rows.map(({ id }) => id)).toEqual(report.rows.map(({ row }) => row.id));
    expect(left.length).toBe(report.left.length);
    expect(medianError).toBe(report.medianError);
  });

  it('orders the plans of one model on one GPU', () => {
    for (const { source, group, rows, plans, correlation } of report.groups)
      if (correlation !== undefined)
        console.info(`${source} · ${group}: ${plans.length} plans of ${rows} rows, ${correlation.toFixed(2)}`);
    const all = orderSummary(report.groups);
    const stated = orderSummary(report.groups.filter(({ source }) => source === TABLES));
    console.info(all, stated);
    expect(stated.correlation).toBeGreaterThanOrEqual(0.9);
    expect(stated.right / stated.pairs).toBeGreaterThanOrEqual(0.93);
    expect(all.correlation).toBeGreaterThanOrEqual(0.85);
    expect(all.right / all.pairs).toBeGreaterThanOrEqual(0.8);
    expect(all.groups).toBeGreaterThanOrEqual(20);
  });

  it('accounts for every second of a step', () => {
    for (const { row, report: step } of report.rows) {
      const { recompute: _part, ...parts } = step.parts;
      const sum = Object.values(parts).reduce((total, value) => total + value, 0);
      expect(Math.abs(sum / step.stepSeconds - 1), row.id).toBeLessThan(0.02);
    }
  });
});
