import type { Column } from './columns';
import type { NoView, SourceLink, ViewFrame, ViewParams } from './common';

/** What the timeline panel draws. Times in `unit`; block columns are parallel, blocks of rank r are `rankStart[r] .. rankStart[r + 1]`. */
export interface TimelineView extends ViewFrame {
  readonly kind: string;
  /** Kinds the panel may ask for; absent: the panel offers the common ones. */
  readonly kinds?: readonly string[];
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks: number;
  readonly stages: number;
  readonly bidirectional: boolean;
  /** `unit` when durations are relative (F = 1), else `ms`. */
  readonly unit: 'unit' | 'ms';
  readonly durations: {
    readonly F: number;
    readonly B: number;
    readonly I: number;
    readonly W: number;
    readonly FB: number;
    readonly comm: number;
  };
  /** Whether durations were typed in, computed for the plan's model and GPU (`basis` names both), or are units. */
  readonly timing?: { readonly origin: 'stated' | 'model' | 'unit'; readonly basis?: string };
  readonly makespan: number;
  readonly idle: readonly number[];
  readonly peakActivations: readonly number[];
  /** Idle share of the makespan, mean over ranks. */
  readonly bubble: number;
  readonly formula?: { readonly text: string; readonly value: number; readonly exact: boolean };
  readonly columns: {
    readonly rankStart: Column; // i32, ranks + 1
    readonly op: Column; // u8: 0 F, 1 B, 2 I, 3 W, 4 FB
    readonly stage: Column; // i32
    readonly microbatch: Column; // i32
    readonly direction: Column; // u8: 0 from rank 0, 1 from the last rank
    readonly stage2: Column; // i32, -1 unless FB
    readonly microbatch2: Column; // i32, -1 unless FB
    readonly direction2: Column; // u8
    readonly start: Column; // f64
    readonly end: Column; // f64
  };
  /** Activation memory over time, a rank: step curves, `memoryStart[r] .. memoryStart[r + 1]`, in chunks of one stage. */
  readonly memory: {
    readonly start: Column; // i32, ranks + 1
    readonly time: Column; // f64
    readonly value: Column; // f64
    /** Bytes of one chunk, where the model is known. */
    readonly bytesPerUnit?: number;
    /** Static bytes a rank (weights, gradients, optimizer), where known. */
    readonly staticBytes?: readonly number[];
    readonly capacityBytes?: number;
  };
  /** Config lines behind pipeline size, microbatches, chunks and kind. */
  readonly links: readonly SourceLink[];
}

export interface TimelineParams extends ViewParams {
  /** Overrides of what the file says, from the panel's controls. */
  readonly kind?: string;
}

export type TimelineAnswer = TimelineView | NoView;
