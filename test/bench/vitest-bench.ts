import { percentile, rounded, type Row } from './rows';

const WARM = 3;
const LEAST_RUNS = 20;
const LEAST_MS = 300;

const planned: { readonly name: string; readonly work: () => unknown }[] = [];
let prefix = '';

/** Stands in for vitest's `describe` while the bench runner is at work. */
export function describe(name: string, body: () => void): void {
  const outer = prefix;
  prefix = outer === '' ? name : `${outer}: ${name}`;
  body();
  prefix = outer;
}

/** Stands in for vitest's `bench`. */
export function bench(name: string, work: () => unknown): void {
  planned.push({ name: prefix === '' ? name : `${prefix}: ${name}`, work });
}

/** Runs what `bench` collected: median of at least twenty runs and a third of a second. */
export async function runPlanned(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, work } of planned) {
    for (let round = 0; round < WARM; round += 1) await work();
    const times: number[] = [];
    const begun = performance.now();
    while (times.length < LEAST_RUNS || performance.now() - begun < LEAST_MS) {
      const from = performance.now();
      await work();
      times.push(performance.now() - from);
    }
    rows.push({ name, value: rounded(percentile(times, 0.5)), unit: 'ms' });
  }
  return rows;
}
