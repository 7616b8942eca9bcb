import { throughputReport } from './throughput-report';

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
  readonly left: readonly { readonly id: string; readonly reason: string }[];
  readonly medianError: number;
}

/** Every published training throughput with its prediction. Throws where the shared rows are not there. */
export function throughputRows(): AccuracyRows {
  const { rows, left, medianError } = throughputReport();
  return {
    medianError,
    left: left.map(({ row, reason }) => ({ id: row.id, reason })),
    rows: rows.map(({ row, measured, predicted }) => ({
      id: row.id,
      stack: row.group,
      model: row.model,
      gpu: row.gpu,
      plan: `${row.gpus} GPUs, ${row.precision}, TP${row.tensor} PP${row.pipeline}×${row.virtual} CP${row.context} EP${row.expert}${row.fsdp > 1 ? ` FSDP${row.fsdp}` : ''}, ${row.task}`,
      measured,
      predicted,
    })),
  };
}
