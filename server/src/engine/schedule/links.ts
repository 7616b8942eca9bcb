import type { ScheduleOrder } from './order';
import { OP } from './order';
import { microbatchesPerDirection, stageRanks } from './stage-map';

/** Transfers between ranks: result of action `from` is what action `to` waits for. Parallel arrays. */
export interface Links {
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** 1 for a gradient, 0 for an activation. */
  readonly gradient: Uint8Array;
}

/** Action that yields each pass, forwards then backwards, as (direction · stages + stage) · microbatches + microbatch. */
function producers(order: ScheduleOrder, perStage: number, passes: number): Int32Array {
  const { op, stage, microbatch, direction, stage2, microbatch2, direction2, stages } = order;
  const out = new Int32Array(2 * passes).fill(-1);
  for (let i = 0; i < op.length; i += 1) {
    const code = op[i];
    const own = ((direction[i] ?? 0) * stages + (stage[i] ?? 0)) * perStage + (microbatch[i] ?? 0);
    if (code === OP.F || code === OP.FB) out[own] = i;
    else if (code !== OP.W) out[passes + own] = i;
    if (code !== OP.FB) continue;
    const back = ((direction2[i] ?? 0) * stages + (stage2[i] ?? 0)) * perStage + (microbatch2[i] ?? 0);
    out[passes + back] = i;
  }
  return out;
}

/** Every transfer between two ranks that an order implies; stages that share a rank exchange nothing. */
export function transferLinks(order: ScheduleOrder): Links {
  const perStage = microbatchesPerDirection(order);
  const rankOf = stageRanks(order);
  const passes = rankOf.length * perStage;
  const made = producers(order, perStage, passes);
  const from: number[] = [];
  const to: number[] = [];
  const gradient: number[] = [];
  for (let line = 0; line < rankOf.length; line += 1) {
    // The last stage of a direction hands nothing on.
    if (line % order.stages === order.stages - 1 || rankOf[line] === rankOf[line + 1]) continue;
    for (let m = 0; m < perStage; m += 1) {
      const below = line * perStage + m;
      const above = below + perStage;
      for (const [a, b, g] of [
        [made[below] ?? -1, made[above] ?? -1, 0],
        [made[passes + above] ?? -1, made[passes + below] ?? -1, 1],
      ] as const) {
        if (a < 0 || b < 0) continue;
        from.push(a);
        to.push(b);
        gradient.push(g);
      }
    }
  }
  return { from: Int32Array.from(from), to: Int32Array.from(to), gradient: Uint8Array.from(gradient) };
}

/** Rank of every action. */
export function actionRanks(order: ScheduleOrder): Int32Array {
  const out = new Int32Array(order.op.length);
  for (let r = 0; r < order.ranks; r += 1) out.fill(r, order.rankStart[r] ?? 0, order.rankStart[r + 1] ?? 0);
  return out;
}
