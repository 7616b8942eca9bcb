import { dualComm } from './comm-dual';
import type { CommProgram } from './comm-program';
import { STEP } from './comm-program';
import { megatronInterleavedComm } from './comm-megatron';
import { oneFOneBComm } from './comm-one-f-one-b';
import { torchComm } from './comm-torch';
import type { ScheduleOrder } from './order';
import type { P2pMode } from './p2p-mode';

/** Modes in which a kind's transfers are modelled as its framework codes them, besides `ideal`. */
export function codedModes(order: Pick<ScheduleOrder, 'kind' | 'bidirectional'>): readonly P2pMode[] {
  switch (order.kind) {
    case 'dualpipe':
      return ['batched'];
    case 'dualpipev':
      return ['batched', 'torch', 'torch-deferred'];
    case '1f1b':
      return ['batched', 'torch', 'torch-deferred'];
    case 'interleaved':
    case '1f1b-ep-overlap':
      return ['batched', 'overlap', 'overlap-flush', 'torch', 'torch-deferred'];
    default:
      return order.bidirectional ? [] : ['torch', 'torch-deferred'];
  }
}

/** The program of an order under a mode; undefined where no framework codes that pair. */
export function commProgram(order: ScheduleOrder, mode: P2pMode): CommProgram | undefined {
  if (!codedModes(order).includes(mode)) return undefined;
  if (mode === 'torch' || mode === 'torch-deferred') return torchComm(order, mode === 'torch-deferred');
  if (order.kind === 'dualpipe' || order.kind === 'dualpipev') return dualComm(order);
  if (order.kind === '1f1b') return oneFOneBComm(order);
  return megatronInterleavedComm(order, mode);
}

export interface CodedTimes {
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly makespan: number;
  /** False when ranks wait for each other for ever. */
  readonly finished: boolean;
}

/** State of the clock: a transfer starts when both sides have posted it and lasts one latency. */
interface Coded {
  readonly program: CommProgram;
  readonly duration: Float64Array;
  readonly comm: number;
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Time each transfer was first posted, and when it is done; -1 until then. */
  readonly posted: Float64Array;
  readonly done: Float64Array;
  /** Rank that waits for a transfer from either side; -1 for none. */
  readonly waiterSend: Int32Array;
  readonly waiterReceive: Int32Array;
  readonly next: Int32Array;
  readonly action: Int32Array;
  readonly free: Float64Array;
  readonly ready: number[];
}

function post(c: Coded, transfer: number, now: number): void {
  const other = c.posted[transfer] ?? -1;
  if (other < 0) {
    c.posted[transfer] = now;
    return;
  }
  c.done[transfer] = Math.max(other, now) + c.comm;
  for (const waiters of [c.waiterSend, c.waiterReceive]) {
    const rank = waiters[transfer] ?? -1;
    if (rank < 0) continue;
    waiters[transfer] = -1;
    c.ready.push(rank);
  }
}

function runRank(c: Coded, rank: number): void {
  const { step, transfer, rankStart } = c.program;
  const last = rankStart[rank + 1] ?? 0;
  let now = c.free[rank] ?? 0;
  let at = c.next[rank] ?? 0;
  for (; at < last; at += 1) {
    const what = step[at];
    const id = transfer[at] ?? 0;
    if (what === STEP.compute) {
      const i = c.action[rank] ?? 0;
      c.action[rank] = i + 1;
      c.start[i] = now;
      now += c.duration[i] ?? 0;
      c.end[i] = now;
    } else if (what === STEP.postSend || what === STEP.postReceive) post(c, id, now);
    else {
      const done = c.done[id] ?? -1;
      if (done < 0) {
        (what === STEP.waitSend ? c.waiterSend : c.waiterReceive)[id] = rank;
        break;
      }
      if (done > now) now = done;
    }
  }
  c.next[rank] = at;
  c.free[rank] = now;
}

/**
 * Logical clock of real transfer code: a transfer starts when both sides posted it, lasts `comm`, and a rank goes on
 * when everything it waits for is done (the semantics of an NCCL group; streams are not serialised).
 */
export function runCoded(order: ScheduleOrder, program: CommProgram, duration: Float64Array, comm: number): CodedTimes {
  const n = order.op.length;
  const c: Coded = {
    program,
    duration,
    comm,
    start: new Float64Array(n),
    end: new Float64Array(n),
    posted: new Float64Array(2 * program.passes).fill(-1),
    done: new Float64Array(2 * program.passes).fill(-1),
    waiterSend: new Int32Array(2 * program.passes).fill(-1),
    waiterReceive: new Int32Array(2 * program.passes).fill(-1),
    next: program.rankStart.slice(0, order.ranks),
    action: order.rankStart.slice(0, order.ranks),
    free: new Float64Array(order.ranks),
    ready: Array.from({ length: order.ranks }, (_, r) => order.ranks - 1 - r),
  };
  for (let rank = c.ready.pop(); rank !== undefined; rank = c.ready.pop()) runRank(c, rank);
  const makespan = c.free.reduce((a, b) => Math.max(a, b), 0);
  const finished = c.next.every((at, r) => at === program.rankStart[r + 1]);
  return { start: c.start, end: c.end, makespan, finished };
}
