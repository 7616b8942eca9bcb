import type { ScheduleKind } from '../spec/training';
import type { P2pMode } from './p2p-mode';

/** Kinds of one action. `FB` is one overlapped forward-and-backward block. */
export const OP = { F: 0, B: 1, I: 2, W: 3, FB: 4 } as const;
export type OpCode = (typeof OP)[keyof typeof OP];

/**
 * What every rank does, in order, without times: a structure of arrays, because 128 ranks x 2,048 microbatches
 * are half a million actions. Actions of rank r are `rankStart[r] .. rankStart[r + 1]`.
 */
export interface ScheduleOrder {
  /** `custom` for an order read from a file; every other kind is built here. */
  readonly kind: ScheduleKind | 'custom';
  readonly ranks: number;
  readonly microbatches: number;
  /** Stages on each rank. */
  readonly chunks: number;
  /** Global stages; for DualPipe stages are counted along each direction. */
  readonly stages: number;
  /** True when microbatches enter at both ends (DualPipe): `direction` then tells them apart. */
  readonly bidirectional: boolean;
  /** Megatron `microbatch_group_size_per_vp_stage` the order was built with. */
  readonly groupSize?: number;
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
  /** Set when transfers were timed as the framework codes them; absent for ideal transfers. */
  readonly p2p?: P2pMode;
  /** Set when the order cannot finish: actions that never ran then start and end at `makespan`. */
  readonly deadlock?: Deadlock;
}

/** One pass by its names: F is a forward, B the backward that yields the input gradient (B or I), W a weight gradient. */
export interface PassName {
  readonly pass: 'F' | 'B' | 'W';
  readonly stage: number;
  readonly microbatch: number;
  readonly direction: number;
}

/** Why an order cannot finish, as data. */
export interface Deadlock {
  /** `cycle`: ranks wait for each other; `missing`: no action yields what is waited for. */
  readonly reason: 'cycle' | 'missing';
  /** Each link's action waits for the pass `needs`, which stands behind the next link's action on `onRank`; the last leads back to the first. */
  readonly cycle: readonly {
    readonly rank: number;
    /** Index of the blocked action in the order's columns. */
    readonly action: number;
    readonly needs: PassName;
    /** Rank whose list holds the needed pass; -1 when none does. */
    readonly onRank: number;
  }[];
  /** Actions that never ran. */
  readonly unfinished: number;
}

/** A schedule that cannot be built: which rule, and the nearest legal values. */
export interface ScheduleRefusal {
  readonly rule: string;
  readonly message: string;
  readonly field: 'ranks' | 'microbatches' | 'chunks' | 'groupSize' | 'durations';
  readonly value: number;
  readonly nearest: readonly number[];
}
