import { estimateTraining } from '../../../server/src/engine/memory/training';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { MemoryReport, RankClass } from '../../../server/src/engine/memory/report';
import type { GpuHfRow } from './gpu-hf';

/** Predicted against measured peak of one row, in percent. */
export interface GpuReading {
  readonly id: string;
  readonly percent: number;
  readonly resting: number;
}

/** The class whose ranges hold this rank. */
function classOfRank(report: MemoryReport, rank: number): RankClass | undefined {
  return report.classes.find(({ ranks }) =>
    ranks.split(',').some((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return rank >= first && rank <= last;
    }),
  );
}

/** Estimates every measured row; `SHOW=1` prints each with its difference. */
export function gpuReadings(rows: readonly GpuHfRow[], inputOf: (row: GpuHfRow) => TrainingInput): GpuReading[] {
  return rows
    .filter(({ ok }) => ok)
    .map((row) => {
      const report = estimateTraining(inputOf(row));
      const entry = classOfRank(report, row.spec.rank ?? 0);
      const before = row.phases['step2.forward']?.before ?? row.phases['step2']?.before ?? 1;
      const reading = {
        id: row.id,
        percent: 100 * ((entry?.allocated ?? 0) / row.peak_steady - 1),
        resting: 100 * ((entry?.resting ?? 0) / before - 1),
      };
      if (process.env['SHOW'] !== undefined) {
        console.log(row.id, row.peak_phase, `resting ${reading.resting.toFixed(3)} peak ${reading.percent.toFixed(3)}`);
        if (process.env['SHOW'] === row.id)
          for (const item of entry?.items ?? [])
            console.log('  ', (item.bytes / 2 ** 30).toFixed(4), item.group, item.formula);
      }
      return reading;
    });
}
