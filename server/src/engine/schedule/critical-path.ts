import { dependenciesOf, type Dependencies } from './dependencies';
import type { Timeline } from './order';

/** One longest chain of passes: shortening none of them shortens no step. */
export interface CriticalPath {
  /** Actions in the order they run; each starts when the one before it is done or has arrived. */
  readonly actions: Int32Array;
  /** Time on the chain by op code (F, B, I, W, FB), summed over its passes. */
  readonly byOp: readonly number[];
  /** Time of the chain's passes on each rank. */
  readonly byRank: Float64Array;
  /** Time in which a result travels between ranks. */
  readonly transfers: number;
  /** How often the chain moves from one rank to another. */
  readonly hops: number;
  /** Time in which the next pass of the chain waits for neither: a blocking call of its rank, or the start of the step. */
  readonly waits: number;
}

function lastAction(timeline: Timeline): number {
  let at = -1;
  let latest = -1;
  for (let i = 0; i < timeline.end.length; i += 1) {
    const end = timeline.end[i] ?? 0;
    if (end > latest) {
      latest = end;
      at = i;
    }
  }
  return at;
}

/** What an action waited for last: the pass before it on its rank when that ended as late, else the producer elsewhere. */
function decisive(timeline: Timeline, needs: Dependencies, action: number): number {
  const { order, start, end } = timeline;
  const rank = needs.rank[action] ?? 0;
  const before = action > (order.rankStart[rank] ?? 0) ? action - 1 : -1;
  const begins = start[action] ?? 0;
  if (before >= 0 && (end[before] ?? 0) >= begins) return before;
  let best = -1;
  for (const candidate of [needs.activation[action] ?? -1, needs.gradient[action] ?? -1]) {
    // A producer on the same rank is over before the pass that precedes this one is.
    if (candidate < 0 || needs.rank[candidate] === rank || (end[candidate] ?? 0) > begins) continue;
    if (best < 0 || (end[candidate] ?? 0) > (end[best] ?? 0)) best = candidate;
  }
  return best < 0 ? before : best;
}

/**
 * The chain of passes and transfers that decides the makespan, walked back from the last end. Where a pass could have
 * waited for either, the chain stays on its rank, so that it moves as seldom as it can. `byOp`, `transfers` and `waits`
 * sum to the makespan. Undefined for an order that cannot finish or is empty.
 */
export function criticalPath(timeline: Timeline, known?: Dependencies): CriticalPath | undefined {
  const { order, start, end } = timeline;
  let at = timeline.deadlock === undefined ? lastAction(timeline) : -1;
  if (at < 0) return undefined;
  const needs = known ?? dependenciesOf(order);
  const chain: number[] = [];
  const byOp = [0, 0, 0, 0, 0];
  const byRank = new Float64Array(order.ranks);
  let transfers = 0;
  let hops = 0;
  let waits = 0;
  // Passes of no duration could wait for each other at one moment; a chain never holds a pass twice.
  for (let steps = order.op.length; at >= 0 && steps > 0; steps -= 1) {
    chain.push(at);
    const rank = needs.rank[at] ?? 0;
    const code = order.op[at] ?? 0;
    const lasts = (end[at] ?? 0) - (start[at] ?? 0);
    byOp[code] = (byOp[code] ?? 0) + lasts;
    byRank[rank] = (byRank[rank] ?? 0) + lasts;
    const from = decisive(timeline, needs, at);
    const slack = Math.max(0, (start[at] ?? 0) - (from < 0 ? 0 : (end[from] ?? 0)));
    if (from >= 0 && needs.rank[from] !== rank) {
      hops += 1;
      transfers += slack;
    } else waits += slack;
    at = from;
  }
  return { actions: Int32Array.from(chain.reverse()), byOp, byRank, transfers, hops, waits };
}
