import type { ScheduleKind } from '../spec/training';
import type { OpCode, ScheduleOrder } from './order';
import { OP } from './order';

/** Sizes an order is written under. */
export interface OrderShape {
  readonly kind: ScheduleKind | 'custom';
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks: number;
  readonly stages: number;
  readonly bidirectional: boolean;
  readonly groupSize?: number;
}

/**
 * Writes actions rank after rank straight into typed arrays: half a million objects would cost more than the
 * whole schedule. Mutable on purpose and private to one build.
 */
export interface OrderWriter {
  readonly op: Uint8Array;
  readonly stage: Int32Array;
  readonly microbatch: Int32Array;
  readonly direction: Uint8Array;
  readonly stage2: Int32Array;
  readonly microbatch2: Int32Array;
  readonly direction2: Uint8Array;
  readonly rankStart: Int32Array;
  length: number;
  rank: number;
}

/** A writer with room for `capacity` actions over all ranks. */
export function orderWriter(ranks: number, capacity: number): OrderWriter {
  return {
    op: new Uint8Array(capacity),
    stage: new Int32Array(capacity),
    microbatch: new Int32Array(capacity),
    direction: new Uint8Array(capacity),
    stage2: new Int32Array(capacity).fill(-1),
    microbatch2: new Int32Array(capacity).fill(-1),
    direction2: new Uint8Array(capacity),
    rankStart: new Int32Array(ranks + 1),
    length: 0,
    rank: 0,
  };
}

/** Appends one action of the current rank. */
export function put(w: OrderWriter, op: OpCode, stage: number, microbatch: number, direction = 0): void {
  const at = w.length;
  w.op[at] = op;
  w.stage[at] = stage;
  w.microbatch[at] = microbatch;
  w.direction[at] = direction;
  w.length = at + 1;
}

/** Appends one overlapped block: a forward of (stage, microbatch) and a backward of (stage2, microbatch2). */
export function putBlock(
  w: OrderWriter,
  stage: number,
  microbatch: number,
  stage2: number,
  microbatch2: number,
  direction = 0,
  direction2 = 0,
): void {
  const at = w.length;
  put(w, OP.FB, stage, microbatch, direction);
  w.stage2[at] = stage2;
  w.microbatch2[at] = microbatch2;
  w.direction2[at] = direction2;
}

/** Ends the current rank. */
export function endRank(w: OrderWriter): void {
  w.rank += 1;
  w.rankStart[w.rank] = w.length;
}

/** The finished order; the writer must not be used afterwards. */
export function finishOrder(w: OrderWriter, shape: OrderShape): ScheduleOrder {
  const n = w.length;
  const exact = n === w.op.length;
  return {
    ...shape,
    rankStart: w.rankStart,
    op: exact ? w.op : w.op.slice(0, n),
    stage: exact ? w.stage : w.stage.slice(0, n),
    microbatch: exact ? w.microbatch : w.microbatch.slice(0, n),
    direction: exact ? w.direction : w.direction.slice(0, n),
    stage2: exact ? w.stage2 : w.stage2.slice(0, n),
    microbatch2: exact ? w.microbatch2 : w.microbatch2.slice(0, n),
    direction2: exact ? w.direction2 : w.direction2.slice(0, n),
  };
}
