import type { MeasuredRow } from './throughput-plans';
import { releaseText, throughputReport } from './throughput-report';

/** One published throughput beside the prediction, as the accuracy page lists it. Tokens a second on one GPU. */
export interface AccuracyRow {
  readonly id: string;
  readonly stack: string;
  readonly model: string;
  readonly gpu: string;
  readonly plan: string;
  readonly measured: number;
  readonly predicted: number;
}

/** Rows of the table, and those that cannot be computed, each with its reason. */
export interface AccuracyRows {
  readonly rows: readonly AccuracyRow[];
  readonly left: readonly {
    readonly id: string;
    readonly stack: string;
    readonly model: string;
    readonly reason: string;
  }[];
  readonly medianError: number;
}

function planText(row: MeasuredRow): string {
  const { gpus, precision, tensor, pipeline, virtual, context, expert, fsdp, microBatch, sequence, task, recompute } =
    row;
  return [
    `${gpus} GPUs`,
    precision,
    `TP${tensor} PP${pipeline}×${virtual} CP${context} EP${expert}${fsdp > 1 ? ` FSDP${fsdp}` : ''}`,
    microBatch === undefined ? '' : `batch ${microBatch}`,
    sequence === undefined ? '' : `${sequence} tokens`,
    task === 'Pre-Training' ? '' : task,
    (recompute ?? '').replace(/--checkpoint-activations \(full\)/, 'full'),
    row.setting ?? '',
    releaseText(row.release),
  ]
    .filter((part) => part !== '')
    .join(', ');
}

/** Every published training throughput with its prediction. Throws where the shared rows are not there. */
export function throughputRows(): AccuracyRows {
  const { rows, left, medianError } = throughputReport();
  return {
    medianError,
    left: left.map(({ row, reason }) => ({ id: row.id, stack: row.group, model: row.model, reason })),
    rows: rows.map(({ row, measured, predicted }) => ({
      id: row.id,
      stack: row.group,
      model: row.model,
      gpu: row.gpu,
      plan: planText(row),
      measured,
      predicted,
    })),
  };
}
