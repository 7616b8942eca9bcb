import { passProducers } from './dependencies';
import type { ScheduleOrder } from './order';
import { microbatchesPerDirection, stageRanks } from './stage-map';

/** Transfers between ranks: result of action `from` is what action `to` waits for. Parallel arrays. */
export interface Links {
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** 1 for a gradient, 0 for an activation. */
  readonly gradient: Uint8Array;
}

/** Every transfer between two ranks that an order implies; stages that share a rank exchange nothing. */
export function transferLinks(order: ScheduleOrder): Links {
  const perStage = microbatchesPerDirection(order);
  const rankOf = stageRanks(order);
  const passes = rankOf.length * perStage;
  const made = passProducers(order, perStage, passes);
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
