import type { Deadlock, PassName, ScheduleOrder } from './order';
import { OP } from './order';

/** Where a stopped simulation stands. */
export interface Stuck {
  /** Next action of each rank. */
  readonly next: Int32Array;
  /** Pass each rank waits for; forwards first, backwards after `passes` of them; -1 for none. */
  readonly waiting: Int32Array;
  readonly passes: number;
  readonly perStage: number;
}

function nameOf(order: ScheduleOrder, stuck: Stuck, pass: number): PassName {
  const backward = pass >= stuck.passes;
  const flat = backward ? pass - stuck.passes : pass;
  const line = Math.floor(flat / stuck.perStage);
  return {
    pass: backward ? 'B' : 'F',
    stage: line % order.stages,
    microbatch: flat % stuck.perStage,
    direction: Math.floor(line / order.stages),
  };
}

function yields(order: ScheduleOrder, i: number, name: PassName): boolean {
  const code = order.op[i];
  const first =
    order.stage[i] === name.stage && order.microbatch[i] === name.microbatch && order.direction[i] === name.direction;
  if (name.pass === 'F') return first && (code === OP.F || code === OP.FB);
  if (code === OP.FB) {
    return (
      order.stage2[i] === name.stage &&
      order.microbatch2[i] === name.microbatch &&
      order.direction2[i] === name.direction
    );
  }
  return first && (code === OP.B || code === OP.I);
}

/** Rank whose list holds a pass, or -1. */
function rankYielding(order: ScheduleOrder, name: PassName): number {
  for (let r = 0; r < order.ranks; r += 1) {
    const end = order.rankStart[r + 1] ?? 0;
    for (let i = order.rankStart[r] ?? 0; i < end; i += 1) if (yields(order, i, name)) return r;
  }
  return -1;
}

/**
 * Names why a simulation stopped. Every blocked rank waits for a pass that another blocked rank (or itself) has
 * further down its list, so following those links must either close a cycle or reach a pass that nobody runs.
 */
export function findDeadlock(order: ScheduleOrder, stuck: Stuck): Deadlock {
  let unfinished = 0;
  let rank = -1;
  for (let r = 0; r < order.ranks; r += 1) {
    const left = (order.rankStart[r + 1] ?? 0) - (stuck.next[r] ?? 0);
    unfinished += left;
    if (left > 0 && rank < 0) rank = r;
  }
  const links: Deadlock['cycle'][number][] = [];
  const seen = new Map<number, number>();
  while (rank >= 0 && !seen.has(rank)) {
    seen.set(rank, links.length);
    const needs = nameOf(order, stuck, stuck.waiting[rank] ?? 0);
    const onRank = rankYielding(order, needs);
    links.push({ rank, action: stuck.next[rank] ?? 0, needs, onRank });
    rank = onRank;
  }
  if (rank < 0) return { reason: 'missing', cycle: links.slice(-1), unfinished };
  return { reason: 'cycle', cycle: links.slice(seen.get(rank) ?? 0), unfinished };
}
