import type { DurationTable } from './durations';
import { blockDuration } from './durations';
import type { ScheduleOrder } from './order';
import { OP } from './order';

/** Duration of every action of an order. */
export function actionDurations(order: ScheduleOrder, table: DurationTable): Float64Array {
  const { op, stage, stage2 } = order;
  const out = new Float64Array(op.length);
  const byOp = [table.F, table.B, table.I, table.W];
  for (let i = 0; i < op.length; i += 1) {
    const code = op[i] ?? 0;
    const s = stage[i] ?? 0;
    out[i] = code === OP.FB ? blockDuration(table, s, stage2[i] ?? 0) : (byOp[code]?.[s] ?? 0);
  }
  return out;
}

/**
 * Most chunk activations alive at once on each rank: one more at the start of a forward (also inside an overlapped
 * block, which allocates before it frees), one less at the end of the backward, or of its weight half when split.
 * Ranks run one pass at a time, so the peak follows from the order alone.
 */
export function peakActivations(order: ScheduleOrder, holdUntil: 'W' | 'I' = 'W'): Float64Array {
  const { op, rankStart } = order;
  const out = new Float64Array(order.ranks);
  const releasing = holdUntil === 'W' ? OP.W : OP.I;
  for (let r = 0; r < order.ranks; r += 1) {
    const end = rankStart[r + 1] ?? 0;
    let alive = 0;
    let peak = 0;
    for (let i = rankStart[r] ?? 0; i < end; i += 1) {
      const code = op[i];
      if (code === OP.F || code === OP.FB) {
        alive += 1;
        if (alive > peak) peak = alive;
        if (code === OP.FB) alive -= 1;
      } else if (code === OP.B || code === releasing) alive -= 1;
    }
    out[r] = peak;
  }
  return out;
}
