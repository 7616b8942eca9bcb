import type { Calibration } from '../../../server/src/engine/cost/rates';
import { machineOf } from '../../../server/src/engine/cost/rates';
import type { StepReport } from '../../../server/src/engine/cost/training-step';
import { trainingStep } from '../../../server/src/engine/cost/training-step';
import { orderGroups, type OrderGroup } from './throughput-order';
import { calibrationOf } from './throughput-recipes';
import { publishedPlans } from './throughput-published';
import type { MeasuredRow, RowPlan } from './throughput-plans';

/** One row of the accuracy table. */
export interface ThroughputRow {
  readonly row: MeasuredRow;
  readonly measured: number;
  readonly predicted: number;
  /** predicted / measured - 1. */
  readonly error: number;
  readonly report: StepReport;
}

export interface ThroughputReport {
  readonly rows: readonly ThroughputRow[];
  /** Rows that cannot be computed, each with its reason. */
  readonly left: readonly { readonly row: MeasuredRow; readonly reason: string }[];
  readonly medianError: number;
  readonly groups: readonly OrderGroup[];
}

function computed(
  plan: RowPlan,
  known: (row: MeasuredRow) => Calibration,
): ThroughputRow | { readonly row: MeasuredRow; readonly reason: string } {
  const { row } = plan;
  if ('reason' in plan) return plan;
  const machine = machineOf(plan.cluster, known(row));
  if ('missing' in machine) return { row, reason: `${row.gpu} lacks ${machine.missing}` };
  const report = trainingStep(plan.input, machine);
  if ('rule' in report) return { row, reason: report.message };
  const predicted = report.tokensPerSecondPerGpu;
  const measured = row.tokensPerSecondPerGpu;
  return { row, measured, predicted, error: predicted / measured - 1, report };
}

/** Middle of a list; 0 of an empty one. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[half] ?? 0) : ((sorted[half - 1] ?? 0) + (sorted[half] ?? 0)) / 2;
}

/** Predicted against measured throughput of all rows; without `known`, as if nothing were known of the software a row ran on. */
export function throughputReport(
  plans: readonly RowPlan[] = publishedPlans(),
  known: (row: MeasuredRow) => Calibration = calibrationOf,
): ThroughputReport {
  const all = plans.map((plan) => computed(plan, known));
  const rows = all.filter((one): one is ThroughputRow => 'predicted' in one);
  const left = all.filter((one): one is { row: MeasuredRow; reason: string } => 'reason' in one);
  return { rows, left, medianError: median(rows.map(({ error }) => Math.abs(error))), groups: orderGroups(rows) };
}

/** Months of a release as its container is called; empty where no row says it. */
export function releaseText(release: number | undefined): string {
  if (release === undefined) return '';
  const months = Math.floor(release) - 1;
  return `${Math.floor(months / 12)}.${String((months % 12) + 1).padStart(2, '0')}${release % 1 === 0 ? '' : '.01'}`;
}

/** The accuracy table as Markdown, one line a row, then what was left out. */
export function throughputTable({ rows, left }: ThroughputReport): string {
  const head =
    '| row | model | GPU | precision | plan | release | measured | predicted | error |\n|---|---|---|---|---|---|---:|---:|---:|';
  const lines = rows.map(({ row, measured, predicted, error }) => {
    const plan = `${row.gpus} GPUs, TP${row.tensor} PP${row.pipeline}×${row.virtual} CP${row.context} EP${row.expert}${row.fsdp > 1 ? ` FSDP${row.fsdp}` : ''}, mbs ${row.microBatch ?? '?'}, ${row.sequence ?? '?'} tokens`;
    return `| ${row.id} | ${row.model}${row.task === 'Pre-Training' ? '' : ` ${row.task}`} | ${row.gpu} | ${row.precision} | ${plan} | ${releaseText(row.release)} | ${measured.toFixed(0)} | ${predicted.toFixed(0)} | ${(100 * error).toFixed(1)} % |`;
  });
  const missing = left.map(({ row, reason }) => `| ${row.id} | ${row.model} | ${row.gpu} | not computed: ${reason} |`);
  return [head, ...lines, '', ...missing].join('\n');
}
