import { dependenciesOf, type Dependencies } from './dependencies';
import type { Timeline } from './order';
import { OP } from './order';

/**
 * What a rank waits for while it is idle.
 * - `activation`: a forward that runs on another rank has not ended yet; `gradient`: the same of a backward.
 * - `transfer`: the result exists and is on its way, or the call that moves it has not come back.
 * - `done`: the rank has nothing left to run and waits for the slowest rank.
 */
export const CAUSE = { activation: 0, gradient: 1, transfer: 2, done: 3 } as const;
export type CauseCode = (typeof CAUSE)[keyof typeof CAUSE];

/** Part of the step in which a rank waits: before its first backward, after its last forward, or between them. */
export const PHASE = { warmup: 0, steady: 1, cooldown: 2 } as const;
export type PhaseCode = (typeof PHASE)[keyof typeof PHASE];

/** Every idle interval of every rank as parallel arrays; gaps of rank r are `rankStart[r] .. rankStart[r + 1]`, in time order. */
export interface Gaps {
  readonly rankStart: Int32Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly cause: Uint8Array;
  readonly phase: Uint8Array;
  /** Action that ends the gap; -1 at the end of the step. */
  readonly next: Int32Array;
  /** Action on another rank whose result is waited for; -1 where there is none. */
  readonly producer: Int32Array;
}

/** The dependency of an action that arrives last: its producer and whether it is a gradient. */
function lastArrival(timeline: Timeline, needs: Dependencies, action: number): { producer: number; gradient: boolean } {
  const forward = needs.activation[action] ?? -1;
  const back = needs.gradient[action] ?? -1;
  if (back < 0) return { producer: forward, gradient: false };
  if (forward < 0) return { producer: back, gradient: true };
  return (timeline.end[back] ?? 0) >= (timeline.end[forward] ?? 0)
    ? { producer: back, gradient: true }
    : { producer: forward, gradient: false };
}

/** Told of every idle interval, in time order within a rank. */
type Tell = (
  from: number,
  to: number,
  cause: CauseCode,
  phase: PhaseCode,
  /** Action that ends it and the one elsewhere that it waits for; -1 where there is none. */
  next: number,
  producer: number,
) => void;

/** First action with a backward half and last one with a forward half of a rank: they bound its steady phase. */
function steadyBounds({ order }: Timeline, rank: number): readonly [number, number] {
  const from = order.rankStart[rank] ?? 0;
  const to = order.rankStart[rank + 1] ?? 0;
  let firstBack = to;
  let lastForward = -1;
  for (let i = from; i < to; i += 1) {
    const code = order.op[i];
    if (code !== OP.F && code !== OP.W && firstBack === to) firstBack = i;
    if (code === OP.F || code === OP.FB) lastForward = i;
  }
  return [firstBack, lastForward];
}

/** Differences below this share of the makespan are rounding, not waiting. */
const ROUNDING = 1e-12;

function rankGaps(timeline: Timeline, needs: Dependencies, rank: number, tell: Tell): void {
  const { order, start, end, makespan } = timeline;
  const [firstBack, lastForward] = steadyBounds(timeline, rank);
  const least = makespan * ROUNDING;
  let free = 0;
  const to = order.rankStart[rank + 1] ?? 0;
  for (let i = order.rankStart[rank] ?? 0; i < to; i += 1) {
    const begins = start[i] ?? 0;
    if (begins - free > least) {
      const phase = i <= firstBack ? PHASE.warmup : i > lastForward ? PHASE.cooldown : PHASE.steady;
      const { producer, gradient } = lastArrival(timeline, needs, i);
      const elsewhere = producer >= 0 && needs.rank[producer] !== rank ? producer : -1;
      const made = elsewhere < 0 ? free : Math.min(begins, Math.max(free, end[elsewhere] ?? 0));
      const split = made - free > least ? (begins - made > least ? made : begins) : free;
      if (split > free) tell(free, split, gradient ? CAUSE.gradient : CAUSE.activation, phase, i, elsewhere);
      if (begins > split) tell(split, begins, CAUSE.transfer, phase, i, elsewhere);
    }
    free = Math.max(free, end[i] ?? 0);
  }
  if (makespan - free > least) tell(free, makespan, CAUSE.done, PHASE.cooldown, -1, -1);
}

/**
 * Every idle interval with what it waits for. A wait whose producer ends inside it is cut in two: waiting for the pass,
 * then for its transfer. The lengths of a rank's gaps sum to its idle time. Undefined for an order that cannot finish.
 */
export function idleGaps(timeline: Timeline): Gaps | undefined {
  if (timeline.deadlock !== undefined) return undefined;
  const { order } = timeline;
  const needs = dependenciesOf(order);
  const times: number[] = [];
  const codes: number[] = [];
  const rankStart = new Int32Array(order.ranks + 1);
  for (let rank = 0; rank < order.ranks; rank += 1) {
    rankGaps(timeline, needs, rank, (from, to, cause, phase, next, producer) => {
      times.push(from, to);
      codes.push(cause, phase, next, producer);
    });
    rankStart[rank + 1] = times.length / 2;
  }
  const count = times.length / 2;
  return {
    rankStart,
    start: Float64Array.from({ length: count }, (_, g) => times[2 * g] ?? 0),
    end: Float64Array.from({ length: count }, (_, g) => times[2 * g + 1] ?? 0),
    cause: Uint8Array.from({ length: count }, (_, g) => codes[4 * g] ?? 0),
    phase: Uint8Array.from({ length: count }, (_, g) => codes[4 * g + 1] ?? 0),
    next: Int32Array.from({ length: count }, (_, g) => codes[4 * g + 2] ?? -1),
    producer: Int32Array.from({ length: count }, (_, g) => codes[4 * g + 3] ?? -1),
  };
}

/** Idle time summed over ranks, by cause and by phase, in the unit of the durations. */
export interface IdleReasons {
  /** Indexed by `CAUSE`. */
  readonly byCause: readonly number[];
  /** Indexed by `PHASE`; waiting for the slowest rank at the end counts as cooldown. */
  readonly byPhase: readonly number[];
}

/** What the idle time of a schedule is made of, without a list of its intervals; undefined for an order that cannot finish. */
export function idleReasons(
  timeline: Timeline,
  needs: Dependencies = dependenciesOf(timeline.order),
): IdleReasons | undefined {
  if (timeline.deadlock !== undefined) return undefined;
  const byCause = [0, 0, 0, 0];
  const byPhase = [0, 0, 0];
  for (let rank = 0; rank < timeline.order.ranks; rank += 1) {
    rankGaps(timeline, needs, rank, (from, to, cause, phase) => {
      byCause[cause] = (byCause[cause] ?? 0) + to - from;
      byPhase[phase] = (byPhase[phase] ?? 0) + to - from;
    });
  }
  return { byCause, byPhase };
}
