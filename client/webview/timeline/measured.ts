import { decodeColumn } from '../../../server/src/protocol/columns';
import type { MeasuredView } from '../../../server/src/protocol/timeline';

/** A measured run as arrays; blocks of rank r are `rankStart[r] .. rankStart[r + 1]`, in time order. */
export interface MeasuredModel {
  readonly view: MeasuredView;
  readonly rankStart: Int32Array;
  readonly op: Uint8Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Time of the plan a measured millisecond takes: 1 where the plan is in milliseconds, else what makes both steps as long. */
  readonly scale: number;
}

/** Unpacks a measured run for a plan whose step lasts `makespan`. */
export function decodeMeasured(view: MeasuredView, makespan: number, unit: 'unit' | 'ms'): MeasuredModel {
  const { columns } = view;
  return {
    view,
    rankStart: Int32Array.from(decodeColumn(columns.rankStart)),
    op: Uint8Array.from(decodeColumn(columns.op)),
    start: Float64Array.from(decodeColumn(columns.start)),
    end: Float64Array.from(decodeColumn(columns.end)),
    scale: unit === 'ms' || !(view.makespan > 0) ? 1 : makespan / view.makespan,
  };
}
