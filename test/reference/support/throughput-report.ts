import type { Calibration } from '../../../server/src/engine/cost/rates';
import { DEFAULT_EFFICIENCIES, machineOf } from '../../../server/src/engine/cost/rates';
import type { StepReport } from '../../../server/src/engine/cost/training-step';
import { trainingStep } from '../../../server/src/engine/cost/training-step';
import { bridgeRows, rowPlan, type MeasuredRow } from './throughput-plans';

/** One row of the accuracy table. */
export interface ThroughputRow {
  readonly row: MeasuredRow;
  readonly measured: number;
  readonly predicted: number;
  /** predicted / measured - 1. */
  readonly error: number;
  readonly report: StepReport;
}

export interface GroupCorrelation {
  readonly group: string;
  readonly rows: number;
  readonly correlation: number;
}

export interface ThroughputReport {
  readonly rows: readonly ThroughputRow[];
  /** Rows that cannot be computed, each with its reason. */
  readonly left: readonly { readonly row: MeasuredRow; readonly reason: string }[];
  readonly medianError: number;
  /** Rank correlations within one model, GPU and task. */
  readonly correlations: readonly GroupCorrelation[];
  /** Spearman's correlation over all rows, mean over groups weighted by rows. */
  readonly meanCorrelation: number;
  /** Share of pairs of rows of a group, measured more than `CLEAR` apart, that are predicted in the same order (ties count half). */
  readonly ordered: number;
}

/**
 * Passes over routed tokens by release of the software: Megatron-Bridge's releases fused permutation, padding and quantization step by
 * step, which is why one plan's throughput rises from one container to the next. Fitted on the rows of Qwen3-30B; the newest is the default.
 */
const ROUTED_PASSES: readonly (readonly [before: number, passes: number])[] = [
  [26 * 12, 13],
  [26 * 12 + 5, 9],
];
/** What one plan gains a month from newer kernels, where nothing else changes (median of repeated dense plans), up to the newest release. */
const MONTHLY_GAIN = 0.01;
const NEWEST = 26 * 12 + 8;

/** What is known of the software that a row ran on; rows that do not say count as the newest. */
export function calibrationOf({ release }: MeasuredRow): Calibration {
  if (release === undefined) return {};
  const passes = ROUTED_PASSES.find(([before]) => release < before)?.[1];
  const gained = 1 - MONTHLY_GAIN * Math.max(0, NEWEST - release);
  const { gemmBf16, gemmFp8, gemmFp4, attentionForward, attentionBackward, elementwise } = DEFAULT_EFFICIENCIES;
  return {
    efficiency: {
      gemmBf16: gemmBf16 * gained,
      gemmFp8: gemmFp8 * gained,
      gemmFp4: gemmFp4 * gained,
      attentionForward: attentionForward * gained,
      attentionBackward: attentionBackward * gained,
      elementwise: elementwise * gained,
      ...(passes === undefined ? {} : { routedPasses: passes }),
    },
  };
}

function computed(row: MeasuredRow): ThroughputRow | { readonly row: MeasuredRow; readonly reason: string } {
  const plan = rowPlan(row);
  if ('reason' in plan) return plan;
  const machine = machineOf(plan.cluster, calibrationOf(row));
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

function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}

/** Spearman's rank correlation, ties sharing their mean rank; 0 where one side does not vary. */
export function spearman(a: readonly number[], b: readonly number[]): number {
  const x = ranks(a);
  const y = ranks(b);
  const mean = (x.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  x.forEach((value, index) => {
    const dx = value - mean;
    const dy = (y[index] ?? 0) - mean;
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  });
  return xx === 0 || yy === 0 ? 0 : xy / Math.sqrt(xx * yy);
}

const LEAST_ROWS = 3;
/** Two runs of one plan differ by a few per cent; only pairs further apart say which plan is better. */
const CLEAR = 0.05;

function groupsOf(rows: readonly ThroughputRow[]): Map<string, ThroughputRow[]> {
  const groups = new Map<string, ThroughputRow[]>();
  for (const one of rows) {
    const { model, gpu, task } = one.row;
    const group = `${model.replace(/ \(.*/, '')} · ${gpu} · ${task}`;
    groups.set(group, [...(groups.get(group) ?? []), one]);
  }
  return groups;
}

function correlationsOf(groups: ReadonlyMap<string, readonly ThroughputRow[]>): GroupCorrelation[] {
  return [...groups].flatMap(([group, rows]) => {
    const measured = rows.map((one) => one.measured);
    if (rows.length < LEAST_ROWS || Math.max(...measured) < (1 + CLEAR) * Math.min(...measured)) return [];
    const predicted = rows.map((one) => one.predicted);
    return [{ group, rows: rows.length, correlation: spearman(predicted, measured) }];
  });
}

function orderedPairs(groups: ReadonlyMap<string, readonly ThroughputRow[]>): number {
  let [pairs, right] = [0, 0];
  for (const rows of groups.values()) {
    rows.forEach((a, index) => {
      for (const b of rows.slice(index + 1)) {
        const apart = a.measured / b.measured;
        if (apart < 1 + CLEAR && apart > 1 / (1 + CLEAR)) continue;
        pairs += 1;
        if (a.predicted === b.predicted) right += 0.5;
        else if (a.predicted > b.predicted === apart > 1) right += 1;
      }
    });
  }
  return pairs === 0 ? 0 : right / pairs;
}

/** Predicted against measured throughput of all rows. */
export function throughputReport(measured: readonly MeasuredRow[] = bridgeRows()): ThroughputReport {
  const all = measured.map(computed);
  const rows = all.filter((one): one is ThroughputRow => 'predicted' in one);
  const left = all.filter((one): one is { row: MeasuredRow; reason: string } => 'reason' in one);
  const groups = groupsOf(rows);
  const correlations = correlationsOf(groups);
  const counted = correlations.reduce((sum, { rows: n }) => sum + n, 0);
  return {
    rows,
    left,
    medianError: median(rows.map(({ error }) => Math.abs(error))),
    correlations,
    meanCorrelation:
      correlations.reduce((sum, { rows: n, correlation }) => sum + n * correlation, 0) / Math.max(1, counted),
    ordered: orderedPairs(groups),
  };
}

function releaseText(release: number | undefined): string {
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
