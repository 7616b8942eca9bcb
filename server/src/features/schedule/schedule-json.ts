import type { ClosedForm } from '../../engine/schedule/closed-form';
import { bubbleShare } from '../../engine/schedule/bubble';
import type { Timeline } from '../../engine/schedule/order';
import { orderTokens } from './tokens';

/** The `schedule` document of the command line: a stable interface, so fields are added and never changed. */
export interface ScheduleJson {
  readonly kind: string;
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks: number;
  /** Tokens of every rank. */
  readonly actions: readonly (readonly string[])[];
  /** In the unit of the durations, as are `idle` and the formula. */
  readonly makespan: number;
  readonly idle: readonly number[];
  /** Most chunk activations alive at once, held until the weight gradient is done. */
  readonly peakActivations: readonly number[];
  /** Idle share of the makespan, mean over ranks. */
  readonly bubble: number;
  readonly formula?: { readonly text: string; readonly value: number; readonly exact: boolean };
}

/** Sums of decimals carry errors of 1e-14; twelve digits keep every real one and print 66 as 66. */
function rounded(value: number): number {
  return Number.parseFloat(value.toPrecision(12));
}

/** The document of one simulated schedule. */
export function scheduleJson(timeline: Timeline, formula?: ClosedForm): ScheduleJson {
  const { order } = timeline;
  return {
    kind: order.kind,
    ranks: order.ranks,
    microbatches: order.microbatches,
    chunks: order.chunks,
    actions: orderTokens(order),
    makespan: rounded(timeline.makespan),
    idle: Array.from(timeline.idle, rounded),
    peakActivations: Array.from(timeline.peakActivations),
    bubble: rounded(bubbleShare(timeline)),
    ...(formula === undefined
      ? {}
      : { formula: { text: formula.text, value: rounded(formula.value), exact: formula.exact } }),
  };
}
