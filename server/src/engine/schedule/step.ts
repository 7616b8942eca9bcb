import type { DurationsInput } from './durations';
import type { ScheduleOrder, Timeline } from './order';
import { simulate } from './simulate';

/**
 * How ranks get from one step to the next.
 * - `barrier`: the gradient norm is reduced over all ranks before any optimizer runs, so every rank waits for the slowest.
 * - `post-validation`: each rank updates as soon as its own gradients are reduced and checks the norm afterwards
 *   (arXiv 2401.10241, section 4).
 */
export type StepSync = 'barrier' | 'post-validation';

/** What ranks do after their last pass; a list has one number a rank, in the unit of the durations, and what is absent takes no time. */
export interface StepOptions {
  readonly sync: StepSync;
  /** Reducing gradients over data-parallel ranks that no pass hides. */
  readonly reduce?: ArrayLike<number>;
  /** DualPipe keeps every stage twice, on ranks r and P − 1 − r, which add up their gradients first and so wait for each other. */
  readonly mirror?: ArrayLike<number>;
  readonly optimizer?: ArrayLike<number>;
  /** Steps to run; at least 2 for a steady step. */
  readonly iterations?: number;
}

export interface StepTimes {
  /** Time of one step once steps follow each other: from the end of the first to the end of the last, over their number. */
  readonly steady: number;
  /** End of every step: when its last rank has updated. */
  readonly ends: readonly number[];
  /** Time that each rank of the first step waits between its own reduction and its update. */
  readonly waits: Float64Array;
  /** The last step's passes, on the clock of the whole run. */
  readonly last: Timeline;
}

const MOST_STEPS = 8;

function lastEnds({ order, end }: Timeline): Float64Array {
  return Float64Array.from({ length: order.ranks }, (_, rank) => {
    const last = (order.rankStart[rank + 1] ?? 0) - 1;
    return last >= (order.rankStart[rank] ?? 0) ? (end[last] ?? 0) : 0;
  });
}

/**
 * Steps that follow each other: passes, reduction, update, and the next step as soon as each rank may start it. Undefined for an
 * order that cannot finish.
 */
export function runSteps(order: ScheduleOrder, durations: DurationsInput, options: StepOptions): StepTimes | undefined {
  const { sync, reduce, mirror, optimizer } = options;
  const steps = Math.max(2, Math.min(MOST_STEPS, Math.round(options.iterations ?? 3)));
  const ends: number[] = [];
  let waits = new Float64Array(order.ranks);
  let release = new Float64Array(order.ranks);
  let last: Timeline | undefined;
  for (let step = 0; step < steps; step += 1) {
    last = simulate(order, durations, { release });
    if (last.deadlock !== undefined) return undefined;
    const done = lastEnds(last);
    const reduced = done.map((own, rank) => {
      const other = mirror === undefined ? own : (done[order.ranks - 1 - rank] ?? own);
      return Math.max(own, other) + (mirror?.[rank] ?? 0) + (reduce?.[rank] ?? 0);
    });
    const slowest = reduced.reduce((most, value) => Math.max(most, value), 0);
    const start = sync === 'barrier' ? reduced.map(() => slowest) : reduced;
    if (step === 0) waits = start.map((value, rank) => value - (reduced[rank] ?? 0));
    release = start.map((value, rank) => value + (optimizer?.[rank] ?? 0));
    ends.push(release.reduce((most, value) => Math.max(most, value), 0));
  }
  if (last === undefined) return undefined;
  const steady = ((ends[steps - 1] ?? 0) - (ends[0] ?? 0)) / (steps - 1);
  return { steady, ends, waits, last };
}
