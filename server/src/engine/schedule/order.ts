import type { ScheduleKind } from '../spec/training';

/** Kinds of one action. `FB` is one overlapped forward-and-backward block. */
export const OP = { F: 0, B: 1, I: 2, W: 3, FB: 4 } as const;
export type OpCode = (typeof OP)[keyof typeof OP];

/**
 * What every rank does, in order, without times: a structure of arrays, because 128 ranks x 2,048 microbatches
 * are half a million actions. Actions of rank r are `rankStart[r] .. rankStart[r + 1]`.
 */
export interface ScheduleOrder {
  readonly kind: ScheduleKind;
  readonly ranks: number;
  readonly microbatches: number;
  /** Stages on each rank. */
  readonly chunks: number;
  /** Global stages; for DualPipe stages are counted along each direction. */
  readonly stages: number;
  /** True when microbatches enter at both ends (DualPipe): `direction` then tells them apart. */
  readonly bidirectional: boolean;
  readonly rankStart: Int32Array;
  readonly op: Uint8Array;
  readonly stage: Int32Array;
  readonly microbatch: Int32Array;
  /** 0 enters at rank 0 (`>`), 1 enters at the last rank (`<`). */
  readonly direction: Uint8Array;
  /** Backward half of an FB block; -1 elsewhere. */
  readonly stage2: Int32Array;
  readonly microbatch2: Int32Array;
  readonly direction2: Uint8Array;
}

/** An order with times: what the simulator answers. Times in the unit of the durations. */
export interface Timeline {
  readonly order: ScheduleOrder;
  readonly start: Float64Array;
  readonly end: Float64Array;
  readonly makespan: number;
  /** Idle time of each rank within the makespan. */
  readonly idle: Float64Array;
  /** Most stage activations alive at once on each rank, in chunks of one stage. */
  readonly peakActivations: Float64Array;
}

/** A schedule that cannot be built: which rule, and the nearest legal values. */
export interface ScheduleRefusal {
  readonly rule: string;
  readonly message: string;
  readonly field: 'ranks' | 'microbatches' | 'chunks' | 'groupSize' | 'durations';
  readonly value: number;
  readonly nearest: readonly number[];
}
