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
}

/** What is known while the clock runs; ends are -1 until known. */
interface Clock {
  readonly order: ScheduleOrder;
  readonly ranksOf: Int32Array;
  readonly perStage: number;
  readonly comm: number;
  readonly duration: Float64Array;
  readonly forwardEnd: Float64Array;
  readonly backwardEnd: Float64Array;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Next action of each rank, its free time, and the pass it waits for (-1: none). */
  readonly next: Int32Array;
  readonly free: Float64Array;
  readonly waiting: Int32Array;
  /** Ranks that may go on. */
  readonly ready: Int32Array;
  readyCount: number;
}

/** Passes are numbered (direction · stages + stage) · microbatches + microbatch; backwards follow after all forwards. */
function newClock(order: ScheduleOrder, durations: DurationsInput): Clock {
  const ranksOf = stageRanks(order);
  const perStage = microbatchesPerDirection(order);
  const passes = ranksOf.length * perStage;
  const table = durationTable(durations, order.stages);
  const n = order.op.length;
  const ready = new Int32Array(order.ranks);
  for (let r = 0; r < order.ranks; r += 1) ready[r] = order.ranks - 1 - r;
  return {
    order,
    ranksOf,
    perStage,
    comm: table.comm,
    duration: actionDurations(order, table),
    forwardEnd: new Float64Array(passes).fill(-1),
    backwardEnd: new Float64Array(passes).fill(-1),
    start: new Float64Array(n),
    end: new Float64Array(n),
    next: order.rankStart.slice(0, order.ranks),
    free: new Float64Array(order.ranks),
    waiting: new Int32Array(order.ranks).fill(-1),
    ready,
    readyCount: order.ranks,
  };
}

/** Earliest start of a forward: when its input arrives; -1 - pass when that pass has not run. */
function forwardReady(c: Clock, rank: number, line: number, stage: number, microbatch: number): number {
  if (stage === 0) return 0;
  const pass = (line - 1) * c.perStage + microbatch;
  const t = c.forwardEnd[pass] ?? 0;
  if (t < 0) return -1 - pass;
  return c.ranksOf[line - 1] === rank ? t : t + c.comm;
}

/** Earliest start of a backward: own forward done and the gradient arrived; -1 - pass when one has not run. */
function backwardReady(c: Clock, rank: number, line: number, stage: number, microbatch: number): number {
  const own = line * c.perStage + microbatch;
  const forward = c.forwardEnd[own] ?? 0;
  if (forward < 0) return -1 - own;
  if (stage === c.order.stages - 1) return forward;
  const above = own + c.perStage;
  const t = c.backwardEnd[above] ?? 0;
  if (t < 0) return -1 - (c.forwardEnd.length + above);
  const arrived = c.ranksOf[line + 1] === rank ? t : t + c.comm;
  return arrived > forward ? arrived : forward;
}

/** Earliest start of action `i`, or the pass it waits for as -1 - pass. */
function actionReady(c: Clock, rank: number, i: number): number {
  const { op, stage, microbatch, direction, stage2, microbatch2, direction2, stages } = c.order;
  const s = stage[i] ?? 0;
  const m = microbatch[i] ?? 0;
  const line = (direction[i] ?? 0) * stages + s;
  const code = op[i];
  if (code === OP.F) return forwardReady(c, rank, line, s, m);
  if (code === OP.B || code === OP.I) return backwardReady(c, rank, line, s, m);
  if (code === OP.W) {
    const pass = line * c.perStage + m;
    const t = c.backwardEnd[pass] ?? 0;
    return t < 0 ? -1 - (c.forwardEnd.length + pass) : t;
  }
  const a = forwardReady(c, rank, line, s, m);
  if (a < 0) return a;
  const s2 = stage2[i] ?? 0;
  const b = backwardReady(c, rank, (direction2[i] ?? 0) * stages + s2, s2, microbatch2[i] ?? 0);
  return b < 0 || b > a ? b : a;
}

/** Wakes the rank that waits for this very pass; each pass has one consumer on another rank. */
function wake(c: Clock, line: number, pass: number): void {
  const rank = c.ranksOf[line] ?? -1;
  if (rank < 0 || c.waiting[rank] !== pass) return;
  c.waiting[rank] = -1;
  c.ready[c.readyCount] = rank;
  c.readyCount += 1;
}

function forwardDone(c: Clock, line: number, stage: number, microbatch: number, t: number): void {
  const pass = line * c.perStage + microbatch;
  c.forwardEnd[pass] = t;
  if (stage < c.order.stages - 1) wake(c, line + 1, pass);
}

function backwardDone(c: Clock, line: number, stage: number, microbatch: number, t: number): void {
  const pass = line * c.perStage + microbatch;
  c.backwardEnd[pass] = t;
  if (stage > 0) wake(c, line - 1, c.forwardEnd.length + pass);
}

function actionDone(c: Clock, i: number, t: number): void {
  const { op, stage, microbatch, direction, stage2, microbatch2, direction2, stages } = c.order;
  const s = stage[i] ?? 0;
  const code = op[i];
  if (code === OP.W) return;
  const line = (direction[i] ?? 0) * stages + s;
  if (code === OP.B || code === OP.I) {
    backwardDone(c, line, s, microbatch[i] ?? 0, t);
    return;
  }
  forwardDone(c, line, s, microbatch[i] ?? 0, t);
  if (code !== OP.FB) return;
  const s2 = stage2[i] ?? 0;
  backwardDone(c, (direction2[i] ?? 0) * stages + s2, s2, microbatch2[i] ?? 0, t);
}

/** Runs one rank until it must wait or is done. */
function runRank(c: Clock, rank: number): void {
  const last = c.order.rankStart[rank + 1] ?? 0;
  let free = c.free[rank] ?? 0;
  let i = c.next[rank] ?? 0;
  for (; i < last; i += 1) {
    const ready = actionReady(c, rank, i);
    if (ready < 0) {
      c.waiting[rank] = -1 - ready;
      break;
    }
    const start = ready > free ? ready : free;
    free = start + (c.duration[i] ?? 0);
    c.start[i] = start;
    c.end[i] = free;
    actionDone(c, i, free);
  }
  c.next[rank] = i;
  c.free[rank] = free;
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
  return findDeadlock(c.order, { next: c.next, waiting: c.waiting, passes: c.forwardEnd.length, perStage: c.perStage });
}

function simulateIdeal(order: ScheduleOrder, durations: DurationsInput): Timeline {
  const c = newClock(order, durations);
  while (c.readyCount > 0) {
    c.readyCount -= 1;
    runRank(c, c.ready[c.readyCount] ?? 0);
  }
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
  return coded ?? simulateIdeal(order, durations);
}
