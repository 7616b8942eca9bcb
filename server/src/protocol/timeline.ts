import type { Column } from './columns';
import type { NoView, SourceLink, ViewFrame, ViewParams } from './common';
import type { WhatIfValue } from './what-if';

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
  readonly timing?: {
    readonly origin: 'stated' | 'model' | 'unit';
    readonly basis?: string;
    /** Seconds of the file's own step by the cost model, where durations are typed in. */
    readonly modelled?: number;
  };
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
    /** The same for every rank: stages differ in layers. */
    readonly bytesPerUnitOfRank?: readonly number[];
    /** Static bytes a rank (weights, gradients, optimizer), where known. */
    readonly staticBytes?: readonly number[];
    readonly capacityBytes?: number;
  };
  /** Why the step takes as long as it does; absent where the schedule cannot finish. */
  readonly explanation?: TimelineExplanation;
  /** The overlapped block of an inner stage as two lanes; only for kinds that overlap, timed by the cost model or a profile. */
  readonly overlap?: OverlapView;
  /** Config lines behind pipeline size, microbatches, chunks and kind. */
  readonly links: readonly SourceLink[];
}

/** What idle time waits for, summed over ranks, and the chain of passes that decides the step. In the view's unit. */
export interface TimelineExplanation {
  readonly idle: {
    readonly activation: number;
    readonly gradient: number;
    readonly transfer: number;
    /** Waiting for the slowest rank after the last pass. */
    readonly done: number;
    readonly warmup: number;
    readonly steady: number;
    readonly cooldown: number;
  };
  /** The three things that are called bubble. */
  readonly bubbles: { readonly idleShare: number; readonly spanIdle: number; readonly overWork: number };
  readonly critical: {
    /** Blocks of the chain in the order they run (i32). */
    readonly blocks: Column;
    /** Time by op code: F, B, I, W, FB. */
    readonly byOp: readonly number[];
    readonly transfers: number;
    readonly hops: number;
    readonly waits: number;
    /** Rank with the most of it, and its share. */
    readonly rank: number;
    readonly rankShare: number;
  };
  /** Time of one step once steps follow each other, reduction and optimizer included where they are timed; absent where too large to try. */
  readonly steps?: { readonly barrier: number; readonly postValidation: number; readonly timed: boolean };
}

/** One phase inside an overlapped block. */
export interface OverlapPhase {
  readonly label: string;
  readonly lane: 'compute' | 'communication';
  readonly half: 'forward' | 'backward';
  readonly start: number;
  readonly end: number;
}

export interface OverlapView {
  readonly stage: number;
  readonly makespan: number;
  readonly phases: readonly OverlapPhase[];
  /** Communication that no compute hides, and compute that waits, in the view's unit. */
  readonly exposed: number;
  /** Where the durations come from. */
  readonly basis: string;
}

/** Overrides of what the file says, from the panel's controls. */
export interface TimelineParams extends ViewParams {
  readonly kind?: string;
  readonly microbatches?: number;
  readonly chunks?: number;
  readonly groupSize?: number;
  /** Cut the file's own work into this schedule's passes even where durations are units, so that both stand on one axis. */
  readonly sameWork?: boolean;
  /** Values in place of the file's, by dotted plan field: a trial that is drawn and not written. */
  readonly values?: Readonly<Record<string, WhatIfValue>>;
}

export type TimelineAnswer = TimelineView | NoView;

/** One schedule tried on the plan; times in `unit`, of the file's own global batch. */
export interface SweepRowView {
  readonly kind: string;
  readonly title: string;
  readonly microbatches: number;
  readonly chunks: number;
  readonly step: number;
  /** Against the file's own schedule, as a share. */
  readonly stepChange: number;
  readonly bubble: number;
  /** In whole microbatches of the file's size. */
  readonly peakActivations: number;
  readonly peakBytes?: number;
  readonly bytesChange?: number;
  readonly fits?: boolean;
  readonly pareto: boolean;
  readonly own: boolean;
}

/** One change of one knob, fastest first. */
export interface KnobView {
  readonly knob: string;
  readonly text: string;
  readonly stepChange: number;
  /** The change is that of one sample's time: a larger batch takes a longer step. */
  readonly perSample?: boolean;
  readonly bytesChange?: number;
  /** In whole microbatches of the file's size. */
  readonly activationsChange: number;
  readonly fits?: boolean;
  readonly ask: Omit<TimelineParams, 'uri'>;
}

export interface SweepView {
  readonly uri: string;
  readonly version: number;
  readonly unit: 'unit' | 'ms';
  /** Whether `step` is the whole optimizer step or the pipeline alone. */
  readonly whole: boolean;
  readonly capacityBytes?: number;
  readonly rows: readonly SweepRowView[];
  readonly knobs: readonly KnobView[];
  /** Schedules that were not drawn, with why; each reason once. */
  readonly refused: readonly { readonly title: string; readonly reason: string }[];
}

export type SweepAnswer = SweepView | NoView;

/** A Chrome trace of the schedule, for Perfetto. */
export interface TraceFileAnswer {
  readonly text?: string;
  readonly reason?: string;
}

/** Text of a measured run, to be laid over the plan. */
export interface MeasuredParams extends TimelineParams {
  readonly fileName: string;
  readonly text: string;
}

/** A measured run on the plan's ranks: blocks as the view counts them, times in milliseconds from the first one. */
export interface MeasuredView {
  readonly fileName: string;
  /** `chrome-trace`, `megatron-timers` or `torch-timers`. */
  readonly format: string;
  readonly ranks: number;
  readonly makespan: number;
  readonly columns: {
    readonly rankStart: Column;
    readonly op: Column;
    readonly microbatch: Column;
    readonly start: Column;
    readonly end: Column;
  };
  /** Sentences: measured against planned, what could not be read. */
  readonly notes: readonly string[];
}

export type MeasuredAnswer = MeasuredView | NoView;
