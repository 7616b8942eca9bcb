import type { ScheduleOrder } from './order';
import { OP } from './order';
import { microbatchesPerDirection, stageRanks } from './stage-map';

/** What every action waits for on other stages: indices of actions, -1 where there is none. Parallel arrays. */
export interface Dependencies {
  /** Forward of the stage below, for actions with a forward half. */
  readonly activation: Int32Array;
  /** Input gradient of the stage above, for actions with a backward half. */
  readonly gradient: Int32Array;
  /** Rank of every action. */
  readonly rank: Int32Array;
}

/** Action that yields each pass: forwards, then input gradients, each as (direction · stages + stage) · microbatches + microbatch. */
export function passProducers(order: ScheduleOrder, perStage: number, passes: number): Int32Array {
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

/** Rank of every action. */
export function actionRanks(order: ScheduleOrder): Int32Array {
  const out = new Int32Array(order.op.length);
  for (let r = 0; r < order.ranks; r += 1) out.fill(r, order.rankStart[r] ?? 0, order.rankStart[r + 1] ?? 0);
  return out;
}

/** The neighbours whose results each action needs, on its own rank or another. */
export function dependenciesOf(order: ScheduleOrder): Dependencies {
  const { op, stage, microbatch, direction, stage2, microbatch2, direction2, stages } = order;
  const perStage = microbatchesPerDirection(order);
  const passes = stageRanks(order).length * perStage;
  const made = passProducers(order, perStage, passes);
  const activation = new Int32Array(op.length).fill(-1);
  const gradient = new Int32Array(op.length).fill(-1);
  for (let i = 0; i < op.length; i += 1) {
    const code = op[i];
    const block = code === OP.FB;
    if ((code === OP.F || block) && (stage[i] ?? 0) > 0) {
      const pass = ((direction[i] ?? 0) * stages + (stage[i] ?? 0)) * perStage + (microbatch[i] ?? 0);
      activation[i] = made[pass - perStage] ?? -1;
    }
    if (code === OP.F || code === OP.W) continue;
    const at = block ? (stage2[i] ?? 0) : (stage[i] ?? 0);
    if (at >= stages - 1) continue;
    const line = (block ? (direction2[i] ?? 0) : (direction[i] ?? 0)) * stages + at;
    const pass = line * perStage + (block ? (microbatch2[i] ?? 0) : (microbatch[i] ?? 0));
    gradient[i] = made[passes + pass + perStage] ?? -1;
  }
  return { activation, gradient, rank: actionRanks(order) };
}
