import type { ScheduleOrder } from './order';
import { OP } from './order';

/** Microbatches of one direction: DualPipe counts them for each direction from 0. */
export function microbatchesPerDirection(order: ScheduleOrder): number {
  return order.bidirectional ? order.microbatches / 2 : order.microbatches;
}

/** Rank that hosts each stage, indexed direction · stages + stage; -1 where no action names the stage. */
export function stageRanks(order: ScheduleOrder): Int32Array {
  const { stages, rankStart, op, stage, direction, stage2, direction2 } = order;
  const out = new Int32Array(stages * (order.bidirectional ? 2 : 1)).fill(-1);
  for (let r = 0; r < order.ranks; r += 1) {
    const end = rankStart[r + 1] ?? 0;
    for (let i = rankStart[r] ?? 0; i < end; i += 1) {
      out[(direction[i] ?? 0) * stages + (stage[i] ?? 0)] = r;
      if (op[i] === OP.FB) out[(direction2[i] ?? 0) * stages + (stage2[i] ?? 0)] = r;
    }
  }
  return out;
}
