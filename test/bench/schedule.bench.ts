import { buildOrder } from '../../server/src/engine/schedule/build';
import { memoryCurve } from '../../server/src/engine/schedule/memory-curve';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { ScheduleKind } from '../../server/src/engine/spec/training';

export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: number;
  /** The peer's figure for the same size and where it was measured. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** Peer over ours. */
  readonly ratio?: number;
}

const SIZES = [
  { ranks: 16, microbatches: 128, goal: 5 },
  { ranks: 64, microbatches: 512, goal: 30 },
  { ranks: 128, microbatches: 2048, goal: 200 },
] as const;

const KINDS: readonly ScheduleKind[] = ['1f1b', 'interleaved', 'dualpipe', 'dualpipev', 'zbv-torch', '1f1b-ep-overlap'];
/** sail's kinds search for their order; the goals are for kinds whose order is written down. */
const SEARCHED: readonly ScheduleKind[] = ['zb-h1', 'zb-h2', 'zb-v', 'v-half', 'v-min'];

/**
 * Milliseconds of the originals for generate and execute, on two shared EPYC cores with Python 3.11.7:
 * PP-Schedule-Visualization 1dd92bf, torch 2.14.1 `get_schedule_ops` (generation alone), sail 39f2c18 `create_schedule`.
 */
const PEERS: Readonly<Record<string, { readonly name: string; readonly value: number }>> = {
  '1f1b 16x128': { name: 'PP-Schedule-Visualization', value: 13 },
  '1f1b 64x512': { name: 'PP-Schedule-Visualization', value: 1140 },
  '1f1b 128x2048': { name: 'PP-Schedule-Visualization', value: 67_000 },
  'dualpipe 16x128': { name: 'PP-Schedule-Visualization', value: 15 },
  'dualpipe 64x512': { name: 'PP-Schedule-Visualization', value: 460 },
  'dualpipe 128x2048': { name: 'PP-Schedule-Visualization', value: 24_000 },
  'interleaved 64x512': { name: 'PP-Schedule-Visualization', value: 5500 },
  'dualpipev 16x128': { name: 'torch get_schedule_ops', value: 140 },
  'dualpipev 64x512': { name: 'torch get_schedule_ops', value: 12_000 },
  'zb-h2 16x128': { name: 'sail zb', value: 110 },
  'zb-h2 64x512': { name: 'sail zb', value: 3300 },
  'zb-h2 128x2048': { name: 'sail zb', value: 29_900 },
  'zb-v 16x128': { name: 'sail zbv', value: 200 },
  'zb-v 64x512': { name: 'sail zbv', value: 6400 },
  'v-half 16x128': { name: 'sail zbv_greedy', value: 4000 },
};

const UNIT = { F: 1, B: 2, I: 1, W: 1, FB: 2.5, comm: 0.1 };

function once(kind: ScheduleKind, ranks: number, microbatches: number): number {
  const began = performance.now();
  const order = buildOrder({ kind, ranks, microbatches, durations: UNIT });
  if (isRefusal(order)) throw new Error(order.message);
  const timeline = simulate(order, UNIT);
  const curve = memoryCurve(timeline, { holdUntil: 'W' });
  const took = performance.now() - began;
  if (!(timeline.makespan > 0) || curve.time.length === 0) throw new Error(`${kind} gave no timeline`);
  return took;
}

/** Median of several runs: the first of a process pays for compilation and is shown on its own. */
function median(kind: ScheduleKind, ranks: number, microbatches: number, runs: number): number {
  for (let warm = 0; warm < 3; warm += 1) once(kind, 16, 128);
  const times = Array.from({ length: runs }, () => once(kind, ranks, microbatches)).sort((a, b) => a - b);
  return times[times.length >> 1] ?? 0;
}

function row(name: string, value: number, goal?: number): Row {
  const peer = PEERS[name.replace('generate + simulate + memory ', '')];
  return {
    name,
    value: Number(value.toFixed(2)),
    unit: 'ms',
    ...(goal === undefined ? {} : { goal }),
    ...(peer === undefined ? {} : { peer, ratio: Number((peer.value / value).toFixed(1)) }),
  };
}

/** Generate, simulate and memory curve of every kind that has goals or peers. */
export function run(): Promise<Row[]> {
  const rows: Row[] = [row('generate + simulate + memory 1f1b 16x128, first of a process', once('1f1b', 16, 128), 5)];
  for (const { ranks, microbatches, goal } of SIZES) {
    const size = `${ranks}x${microbatches}`;
    for (const kind of KINDS) {
      rows.push(row(`generate + simulate + memory ${kind} ${size}`, median(kind, ranks, microbatches, 7), goal));
    }
    for (const kind of SEARCHED) {
      rows.push(row(`generate + simulate + memory ${kind} ${size}`, median(kind, ranks, microbatches, 3)));
    }
  }
  return Promise.resolve(rows);
}
