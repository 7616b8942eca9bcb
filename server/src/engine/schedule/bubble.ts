import type { DurationsInput } from './durations';
import { durationTable } from './durations';
import type { Timeline } from './order';
import { OP } from './order';

/**
 * Three things that are all called bubble. They differ as soon as ranks start and stop at different times or blocks
 * overlap, so no number is shown without its name.
 */
export interface Bubbles {
  /** Idle time over makespan, mean over ranks: what is shown unless said otherwise. */
  readonly idleShare: number;
  readonly idleShareOfRank: Float64Array;
  /** Most idle time a rank has between its own first start and last end: the zero-bubble papers' bubble (no barrier at the end). */
  readonly spanIdle: number;
  readonly spanIdleOfRank: Float64Array;
  /**
   * (makespan - work) / work, with work counted as if nothing overlapped: PP-Schedule-Visualization's bubble rate,
   * negative when overlapped blocks save more than the pipeline wastes.
   */
  readonly overWork: number;
}

function mean(values: Float64Array): number {
  return values.length === 0 ? 0 : values.reduce((a, b) => a + b, 0) / values.length;
}

/** Work of a rank, mean over ranks, with every forward and backward run one after the other. */
function serialWork(timeline: Timeline, durations: DurationsInput): number {
  const { order } = timeline;
  const table = durationTable(durations, order.stages);
  let work = 0;
  for (let i = 0; i < order.op.length; i += 1) {
    const stage = order.stage[i] ?? 0;
    // Each forward stands for itself and its one backward, whole or split.
    if (order.op[i] === OP.F || order.op[i] === OP.FB) work += (table.F[stage] ?? 0) + (table.B[stage] ?? 0);
  }
  return work / Math.max(1, order.ranks);
}

/** The three bubbles of a timeline made with `durations`. */
export function bubbles(timeline: Timeline, durations: DurationsInput): Bubbles {
  const { order, makespan } = timeline;
  const idleShareOfRank = new Float64Array(order.ranks);
  const spanIdleOfRank = new Float64Array(order.ranks);
  for (let r = 0; r < order.ranks; r += 1) {
    const idle = timeline.idle[r] ?? 0;
    const first = order.rankStart[r] ?? 0;
    const last = (order.rankStart[r + 1] ?? 0) - 1;
    idleShareOfRank[r] = makespan > 0 ? idle / makespan : 0;
    const span = last >= first ? (timeline.end[last] ?? 0) - (timeline.start[first] ?? 0) : 0;
    spanIdleOfRank[r] = Math.max(0, span - (makespan - idle));
  }
  const work = serialWork(timeline, durations);
  return {
    idleShare: mean(idleShareOfRank),
    idleShareOfRank,
    spanIdle: spanIdleOfRank.reduce((a, b) => Math.max(a, b), 0),
    spanIdleOfRank,
    overWork: work > 0 ? (makespan - work) / work : 0,
  };
}

/** The bubble of the schedule interface: idle share of the makespan, mean over ranks. */
export function bubbleShare(timeline: Timeline): number {
  const { idle, makespan } = timeline;
  return makespan > 0 ? mean(idle) / makespan : 0;
}
