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

interface GapWriter {
  readonly start: number[];
  readonly end: number[];
  readonly cause: number[];
  readonly phase: number[];
  readonly next: number[];
  readonly producer: number[];
}

function put(w: GapWriter, from: number, to: number, cause: CauseCode, phase: PhaseCode, next: number, of: number) {
  if (to <= from) return;
  w.start.push(from);
  w.end.push(to);
  w.cause.push(cause);
  w.phase.push(phase);
  w.next.push(next);
  w.producer.push(of);
}

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

function rankGaps(timeline: Timeline, needs: Dependencies, rank: number, w: GapWriter): void {
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
      const split = made - free > least ? made : free;
      put(w, free, split, gradient ? CAUSE.gradient : CAUSE.activation, phase, i, elsewhere);
      put(w, begins - split > least ? split : begins, begins, CAUSE.transfer, phase, i, elsewhere);
    }
    free = Math.max(free, end[i] ?? 0);
  }
  if (makespan - free > least) put(w, free, makespan, CAUSE.done, PHASE.cooldown, -1, -1);
}

/**
 * Every idle interval with what it waits for. A wait whose producer ends inside it is cut in two: waiting for the pass,
 * then for its transfer. The lengths of a rank's gaps sum to its idle time. Undefined for an order that cannot finish.
 */
export function idleGaps(timeline: Timeline): Gaps | undefined {
  if (timeline.deadlock !== undefined) return undefined;
  const { order } = timeline;
  const needs = dependenciesOf(order);
  const w: GapWriter = { start: [], end: [], cause: [], phase: [], next: [], producer: [] };
  const rankStart = new Int32Array(order.ranks + 1);
  for (let rank = 0; rank < order.ranks; rank += 1) {
    rankGaps(timeline, needs, rank, w);
    rankStart[rank + 1] = w.start.length;
  }
  return {
    rankStart,
    start: Float64Array.from(w.start),
    end: Float64Array.from(w.end),
    cause: Uint8Array.from(w.cause),
    phase: Uint8Array.from(w.phase),
    next: Int32Array.from(w.next),
    producer: Int32Array.from(w.producer),
  };
}

/** Idle time summed over ranks, by cause and by phase, in the unit of the durations. */
export interface IdleReasons {
  /** Indexed by `CAUSE`. */
  readonly byCause: readonly number[];
  /** Indexed by `PHASE`; waiting for the slowest rank at the end counts as cooldown. */
  readonly byPhase: readonly number[];
}

/** What the idle time of a schedule is made of. */
export function idleReasons(gaps: Gaps): IdleReasons {
  const byCause = [0, 0, 0, 0];
  const byPhase = [0, 0, 0];
  for (let g = 0; g < gaps.start.length; g += 1) {
    const length = (gaps.end[g] ?? 0) - (gaps.start[g] ?? 0);
    byCause[gaps.cause[g] ?? 0] = (byCause[gaps.cause[g] ?? 0] ?? 0) + length;
    byPhase[gaps.phase[g] ?? 0] = (byPhase[gaps.phase[g] ?? 0] ?? 0) + length;
  }
  return { byCause, byPhase };
}
