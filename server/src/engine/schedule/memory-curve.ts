import type { Timeline } from './order';
import { OP } from './order';

/** Activation memory over time as step curves, one a rank: points of rank r are `start[r] .. start[r + 1]`. */
export interface MemoryCurve {
  readonly start: Int32Array;
  readonly time: Float64Array;
  /** Value from `time` on, in chunks of one stage. */
  readonly value: Float64Array;
  readonly peak: Float64Array;
}

export interface MemoryCurveOptions {
  /** When a split backward gives its activations back: after the weight half (what frameworks do) or the input half. */
  readonly holdUntil: 'W' | 'I';
  /** Part of an activation that the input half already frees while `holdUntil` is `W`; 0 to 1. */
  readonly freedByInput?: number;
}

/**
 * Chunk activations alive on each rank over time: +1 when a forward starts (also inside an overlapped block), -1 when
 * its backward ends, or its weight half where the backward is split.
 */
export function memoryCurve(timeline: Timeline, options: MemoryCurveOptions): MemoryCurve {
  const { order } = timeline;
  const { op, rankStart } = order;
  const byInput = options.holdUntil === 'I' ? 1 : Math.min(1, Math.max(0, options.freedByInput ?? 0));
  // What each kind of pass gives back at its end, by op code: F, B, I, W, FB.
  const frees = [0, 1, byInput, 1 - byInput, 1];
  let points = 0;
  for (let i = 0; i < op.length; i += 1)
    points += op[i] === OP.FB ? 2 : op[i] === OP.F || (frees[op[i] ?? 0] ?? 0) > 0 ? 1 : 0;
  const start = new Int32Array(order.ranks + 1);
  const time = new Float64Array(points);
  const value = new Float64Array(points);
  const peak = new Float64Array(order.ranks);
  let at = 0;
  for (let r = 0; r < order.ranks; r += 1) {
    const end = rankStart[r + 1] ?? 0;
    let alive = 0;
    let most = 0;
    for (let i = rankStart[r] ?? 0; i < end; i += 1) {
      const code = op[i] ?? 0;
      if (code === OP.F || code === OP.FB) {
        alive += 1;
        if (alive > most) most = alive;
        time[at] = timeline.start[i] ?? 0;
        value[at] = alive;
        at += 1;
      }
      const freed = frees[code] ?? 0;
      if (freed > 0) {
        alive -= freed;
        time[at] = timeline.end[i] ?? 0;
        value[at] = alive;
        at += 1;
      }
    }
    peak[r] = most;
    start[r + 1] = at;
  }
  return { start, time, value, peak };
}
