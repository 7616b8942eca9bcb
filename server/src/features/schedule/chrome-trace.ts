import { actionRanks } from '../../engine/schedule/dependencies';
import { transferLinks } from '../../engine/schedule/links';
import { memoryCurve } from '../../engine/schedule/memory-curve';
import type { ScheduleOrder, Timeline } from '../../engine/schedule/order';
import { OP } from '../../engine/schedule/order';
import { actionToken } from './tokens';

/** One event of the Chrome trace format (Trace Event Format; Perfetto reads it). Times in microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 's' | 'f' | 'C' | 'M';
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: number;
  readonly bp?: 'e';
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
}

export interface TraceOptions {
  /** Microseconds of one unit of the durations; 1000 when they are milliseconds. */
  readonly microsecondsPerUnit?: number;
  /** Bytes of one chunk activation: memory counters then count bytes. */
  readonly bytesPerActivation?: number;
}

const CATEGORY = ['forward', 'backward', 'backward-input', 'backward-weight', 'forward-backward'] as const;
const PID = 0;

function names(order: ScheduleOrder): TraceEvent[] {
  const out: TraceEvent[] = [
    { name: 'process_name', ph: 'M', pid: PID, args: { name: `${order.kind} ${order.ranks}×${order.microbatches}` } },
  ];
  for (let r = 0; r < order.ranks; r += 1) {
    out.push({ name: 'thread_name', ph: 'M', pid: PID, tid: r, args: { name: `rank ${r}` } });
    out.push({ name: 'thread_sort_index', ph: 'M', pid: PID, tid: r, args: { sort_index: r } });
  }
  return out;
}

function blockEvent(timeline: Timeline, i: number, rank: number, scale: number): TraceEvent {
  const { order } = timeline;
  const block = order.op[i] === OP.FB;
  const start = timeline.start[i] ?? 0;
  return {
    name: actionToken(order, i),
    cat: CATEGORY[order.op[i] ?? 0] ?? 'forward',
    ph: 'X',
    pid: PID,
    tid: rank,
    ts: start * scale,
    dur: ((timeline.end[i] ?? 0) - start) * scale,
    args: {
      stage: order.stage[i] ?? 0,
      microbatch: order.microbatch[i] ?? 0,
      ...(order.bidirectional ? { direction: order.direction[i] ?? 0 } : {}),
      ...(block ? { backwardStage: order.stage2[i] ?? 0, backwardMicrobatch: order.microbatch2[i] ?? 0 } : {}),
    },
  };
}

/** Viewers bind an arrow's tail to the slice around it, which a slice's very end no longer is: tails stand just inside. */
function flows(timeline: Timeline, ranks: Int32Array, scale: number): TraceEvent[] {
  const links = transferLinks(timeline.order);
  const out: TraceEvent[] = [];
  for (let n = 0; n < links.from.length; n += 1) {
    const from = links.from[n] ?? 0;
    const to = links.to[n] ?? 0;
    const name = links.gradient[n] === 1 ? 'gradient' : 'activation';
    const started = timeline.start[from] ?? 0;
    const leave = started + 0.999 * ((timeline.end[from] ?? 0) - started);
    out.push({ name, cat: 'p2p', ph: 's', id: n, pid: PID, tid: ranks[from] ?? 0, ts: leave * scale });
    out.push({
      name,
      cat: 'p2p',
      ph: 'f',
      bp: 'e',
      id: n,
      pid: PID,
      tid: ranks[to] ?? 0,
      ts: (timeline.start[to] ?? 0) * scale,
    });
  }
  return out;
}

function counters(timeline: Timeline, scale: number, bytes: number | undefined): TraceEvent[] {
  const curve = memoryCurve(timeline, { holdUntil: 'W' });
  const series = bytes === undefined ? 'chunks' : 'bytes';
  const out: TraceEvent[] = [];
  for (let r = 0; r < timeline.order.ranks; r += 1) {
    const end = curve.start[r + 1] ?? 0;
    for (let at = curve.start[r] ?? 0; at < end; at += 1) {
      const value = (curve.value[at] ?? 0) * (bytes ?? 1);
      out.push({
        name: `activations rank ${r}`,
        ph: 'C',
        pid: PID,
        ts: (curve.time[at] ?? 0) * scale,
        args: { [series]: value },
      });
    }
  }
  return out;
}

/**
 * A timeline as a Chrome trace: a slice a pass with its real duration, an arrow a transfer between ranks, and a
 * counter of live activations a rank.
 * Format: Google "Trace Event Format" (phases X, s/f with `bp: "e"`, C, M).
 */
export function chromeTrace(timeline: Timeline, options: TraceOptions = {}): ChromeTrace {
  const scale = options.microsecondsPerUnit ?? 1000;
  const ranks = actionRanks(timeline.order);
  const slices = Array.from(ranks, (rank, i) => blockEvent(timeline, i, rank, scale));
  return {
    displayTimeUnit: 'ms',
    traceEvents: [
      ...names(timeline.order),
      ...slices,
      ...flows(timeline, ranks, scale),
      ...counters(timeline, scale, options.bytesPerActivation),
    ],
  };
}
