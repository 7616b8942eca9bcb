import { dependenciesOf } from './dependencies';
import type { Timeline } from './order';
import { OP } from './order';

/** Most of each at once on every rank, counted in activations of one chunk's border (a received tensor) or in passes. */
export interface BufferPeaks {
  /** Tensors that have arrived from another rank and that their pass has not taken yet. */
  readonly received: Float64Array;
  /** Input halves that are done and whose weight half is not: what keeps inputs and output gradients alive. */
  readonly pendingWeights: Float64Array;
}

/** Peak of a rank's +1 and -1 events; at one moment what leaves goes before what comes. */
function peakOf(events: { readonly at: number; readonly change: number }[]): number {
  events.sort((a, b) => a.at - b.at || a.change - b.change);
  let alive = 0;
  let peak = 0;
  for (const { change } of events) {
    alive += change;
    if (alive > peak) peak = alive;
  }
  return peak;
}

/**
 * Receive buffers and pending weight halves of a timeline. A tensor occupies its buffer from its arrival, `comm` after its
 * producer's end, to the end of the pass that takes it, which reads it throughout.
 */
export function bufferPeaks(timeline: Timeline, comm: number): BufferPeaks {
  const { order, start, end } = timeline;
  const needs = dependenciesOf(order);
  const received = new Float64Array(order.ranks);
  const pendingWeights = new Float64Array(order.ranks);
  for (let rank = 0; rank < order.ranks; rank += 1) {
    const events: { at: number; change: number }[] = [];
    let waiting = 0;
    let most = 0;
    for (let i = order.rankStart[rank] ?? 0; i < (order.rankStart[rank + 1] ?? 0); i += 1) {
      for (const from of [needs.activation[i] ?? -1, needs.gradient[i] ?? -1]) {
        if (from < 0 || needs.rank[from] === rank) continue;
        events.push({ at: Math.min(start[i] ?? 0, (end[from] ?? 0) + comm), change: 1 });
        events.push({ at: end[i] ?? 0, change: -1 });
      }
      if (order.op[i] === OP.I) waiting += 1;
      else if (order.op[i] === OP.W) waiting -= 1;
      if (waiting > most) most = waiting;
    }
    received[rank] = peakOf(events);
    pendingWeights[rank] = most;
  }
  return { received, pendingWeights };
}
