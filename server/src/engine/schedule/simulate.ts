import { findDeadlock } from './deadlock';
import type { DurationsInput } from './durations';
import { durationTable } from './durations';
import type { ScheduleOrder, Timeline } from './order';
import { OP } from './order';
import { actionDurations, peakActivations } from './passes';
import type { P2pMode } from './p2p-mode';
import { commProgram, runCoded } from './rendezvous';
import { microbatchesPerDirection, stageRanks } from './stage-map';

export interface SimulateOptions {
  /** Absent: `ideal`. */
  readonly p2p?: P2pMode;
  /** Time before which a rank starts nothing; absent: 0. For ideal transfers, between the steps of a run. */
  readonly release?: ArrayLike<number>;
}

/** What is known while the clock runs. A line is direction · stages + stage; passes are line · microbatches + microbatch. */
interface Clock {
  readonly order: ScheduleOrder;
  readonly perStage: number;
  readonly passes: number;
  /** End of each pass, forwards then backwards; -1 until it ran. */
  readonly ends: Float64Array;
  /** Rank above and below each line that waits for its results; -1 where there is none. */
  readonly above: Int32Array;
  readonly below: Int32Array;
  /** What a line's activation from below and its gradient from above take to arrive. */
  readonly lagForward: Float64Array;
  readonly lagBackward: Float64Array;
  readonly duration: Float64Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Next action of each rank, its free time, and the pass it waits for (-1: none). */
  readonly next: Int32Array;
  readonly free: Float64Array;
  readonly waiting: Int32Array;
}

function newClock(order: ScheduleOrder, durations: DurationsInput, release?: ArrayLike<number>): Clock {
  const rankOf = stageRanks(order);
  const lines = rankOf.length;
  const perStage = microbatchesPerDirection(order);
  const table = durationTable(durations, order.stages);
  const above = new Int32Array(lines).fill(-1);
  const below = new Int32Array(lines).fill(-1);
  const lagForward = new Float64Array(lines);
  const lagBackward = new Float64Array(lines);
  for (let line = 0; line < lines; line += 1) {
    // The last stage of one direction is no neighbour of the first stage of the other.
    if (line % order.stages === order.stages - 1) continue;
    above[line] = rankOf[line + 1] ?? -1;
    below[line + 1] = rankOf[line] ?? -1;
    const lag = rankOf[line] === rankOf[line + 1] ? 0 : table.comm;
    lagForward[line + 1] = lag;
    lagBackward[line] = lag;
  }
  const n = order.op.length;
  return {
    order,
    perStage,
    passes: lines * perStage,
    ends: new Float64Array(2 * lines * perStage).fill(-1),
    above,
    below,
    lagForward,
    lagBackward,
    duration: actionDurations(order, table),
    start: new Float64Array(n),
    end: new Float64Array(n),
    next: order.rankStart.slice(0, order.ranks),
    free: Float64Array.from({ length: order.ranks }, (_, rank) => Math.max(0, release?.[rank] ?? 0)),
    waiting: new Int32Array(order.ranks).fill(-1),
  };
}

/**
 * Runs every rank as far as it gets, waking a rank when the one pass it waits for is done: each pass has one consumer
 * on another rank, so no queue of waiters is needed and the whole run is linear in the actions.
 * Everything the loop touches is a local on purpose: this is where a million actions spend their time.
 */
function runClock(c: Clock): void {
  const { perStage, passes, ends, above, below, lagForward, lagBackward, duration, start, end, next, free, waiting } =
    c;
  const { op, stage, microbatch, direction, stage2, microbatch2, direction2, stages, rankStart, ranks } = c.order;
  const ready = Int32Array.from({ length: ranks }, (_, r) => ranks - 1 - r);
  let count = ranks;
  while (count > 0) {
    count -= 1;
    const rank = ready[count] ?? 0;
    const last = rankStart[rank + 1] ?? 0;
    let now = free[rank] ?? 0;
    let i = next[rank] ?? 0;
    for (; i < last; i += 1) {
      const code = op[i] ?? 0;
      const line = (direction[i] ?? 0) * stages + (stage[i] ?? 0);
      const pass = line * perStage + (microbatch[i] ?? 0);
      const forward = code === OP.F || code === OP.FB;
      let t = now;
      if (forward && (stage[i] ?? 0) > 0) {
        const made = ends[pass - perStage] ?? 0;
        if (made < 0) {
          waiting[rank] = pass - perStage;
          break;
        }
        t = Math.max(t, made + (lagForward[line] ?? 0));
      }
      const block = code === OP.FB;
      const line2 = block ? (direction2[i] ?? 0) * stages + (stage2[i] ?? 0) : line;
      const pass2 = block ? line2 * perStage + (microbatch2[i] ?? 0) : pass;
      if (code === OP.W) {
        if ((ends[passes + pass] ?? 0) < 0) {
          waiting[rank] = passes + pass;
          break;
        }
      } else if (code !== OP.F) {
        const own = ends[pass2] ?? 0;
        const top = (above[line2] ?? -1) < 0;
        const made = top ? own : (ends[passes + pass2 + perStage] ?? 0);
        if (own < 0 || made < 0) {
          waiting[rank] = own < 0 ? pass2 : passes + pass2 + perStage;
          break;
        }
        if (!top) t = Math.max(t, made + (lagBackward[line2] ?? 0));
      }
      start[i] = t;
      now = t + (duration[i] ?? 0);
      end[i] = now;
      if (forward) {
        ends[pass] = now;
        const to = above[line] ?? -1;
        if (to >= 0 && waiting[to] === pass) {
          waiting[to] = -1;
          ready[count] = to;
          count += 1;
        }
      }
      if (code !== OP.F && code !== OP.W) {
        ends[passes + pass2] = now;
        const to = below[line2] ?? -1;
        if (to >= 0 && waiting[to] === passes + pass2) {
          waiting[to] = -1;
          ready[count] = to;
          count += 1;
        }
      }
    }
    next[rank] = i;
    free[rank] = now;
  }
}

function idleTimes(order: ScheduleOrder, start: Float64Array, end: Float64Array, makespan: number): Float64Array {
  const idle = new Float64Array(order.ranks);
  for (let r = 0; r < order.ranks; r += 1) {
    const last = order.rankStart[r + 1] ?? 0;
    let busy = 0;
    for (let i = order.rankStart[r] ?? 0; i < last; i += 1) busy += (end[i] ?? 0) - (start[i] ?? 0);
    idle[r] = Math.max(0, makespan - busy);
  }
  return idle;
}

/** Puts what never ran at the end of what did and says why. */
function stopped(c: Clock, makespan: number): Timeline['deadlock'] {
  for (let r = 0; r < c.order.ranks; r += 1) {
    const last = c.order.rankStart[r + 1] ?? 0;
    const first = c.next[r] ?? 0;
    if (first < last) {
      c.start.fill(makespan, first, last);
      c.end.fill(makespan, first, last);
    }
  }
  return findDeadlock(c.order, { next: c.next, waiting: c.waiting, passes: c.passes, perStage: c.perStage });
}

function simulateIdeal(order: ScheduleOrder, durations: DurationsInput, release?: ArrayLike<number>): Timeline {
  const c = newClock(order, durations, release);
  runClock(c);
  const makespan = c.free.reduce((a, b) => Math.max(a, b), 0);
  const finished = c.next.every((at, r) => at === order.rankStart[r + 1]);
  const deadlock = finished ? undefined : stopped(c, makespan);
  return {
    order,
    start: c.start,
    end: c.end,
    makespan,
    idle: idleTimes(order, c.start, c.end, makespan),
    peakActivations: peakActivations(order),
    ...(deadlock === undefined ? {} : { deadlock }),
  };
}

function simulateCoded(order: ScheduleOrder, durations: DurationsInput, mode: P2pMode): Timeline | undefined {
  const program = order.ranks > 1 ? commProgram(order, mode) : undefined;
  if (program === undefined) return undefined;
  const table = durationTable(durations, order.stages);
  const { start, end, makespan, finished } = runCoded(order, program, actionDurations(order, table), table.comm);
  if (!finished) return undefined;
  const idle = idleTimes(order, start, end, makespan);
  return { order, start, end, makespan, idle, peakActivations: peakActivations(order), p2p: mode };
}

/**
 * Times for an order: one linear discrete-event simulation for every kind. F(s,m) waits for F(s-1,m); a backward for
 * its own forward and the gradient of stage s+1; W for its I; an overlapped block for both and yields both at its end.
 * A transfer between ranks takes `durations.comm`. Times are in the unit of the durations.
 * With `p2p` the transfers are timed as the kind's framework codes them where that is modelled (`codedModes`);
 * `Timeline.p2p` says whether they were.
 */
export function simulate(order: ScheduleOrder, durations: DurationsInput, options: SimulateOptions = {}): Timeline {
  const mode = options.p2p ?? 'ideal';
  const coded = mode === 'ideal' ? undefined : simulateCoded(order, durations, mode);
  return coded ?? simulateIdeal(order, durations, options.release);
}
