import type { MemoryRefusal } from './input';

/** Parts of one rank's device memory, in bytes. `workspace` is library scratch, `buffers` communication and pipeline buffers. */
export interface MemoryParts {
  readonly weights: number;
  readonly gradients: number;
  readonly optimizer: number;
  readonly activations: number;
  readonly kvCache: number;
  readonly buffers: number;
  readonly workspace: number;
}

export type MemoryPart = keyof MemoryParts;

/** One line of the explanation of a part: a group of tensors, its bytes and how they were computed. */
export interface MemoryItem {
  readonly part: MemoryPart;
  /** Tensor group in the field's words, such as `routed experts`. */
  readonly group: string;
  readonly bytes: number;
  /** The formula with its numbers put in, such as `58 layers × 4 experts × 3·7168·2048 × 2 B`. */
  readonly formula: string;
  /** Plan fields that the number depends on (dotted), most important first. */
  readonly fields: readonly string[];
}

export interface RankCoordinates {
  readonly pp: number;
  readonly tp: number;
  readonly ep: number;
  readonly dp: number;
  readonly cp: number;
}

/** Ranks whose memory is equal. */
export interface RankClass {
  /** Inclusive ranges of global ranks, such as `0-127` or `0-7,16-23`. */
  readonly ranks: string;
  readonly count: number;
  /** Lowest rank of the class. */
  readonly example: number;
  readonly coordinates: RankCoordinates;
  /** Pipeline stages (global stage indices) this rank holds. */
  readonly stages: readonly number[];
  readonly parts: MemoryParts;
  readonly items: readonly MemoryItem[];
  /** What the framework's caching allocator reports as peak allocated. */
  readonly allocated: number;
  /** Allocated between two training steps: states and buffers without activations. */
  readonly resting?: number;
  /** `allocated` with allocator slack. */
  readonly reserved: number;
  /** Of `reserved`: held apart from what is in use at the fullest moment, such as flat buffers of the optimizer's step. */
  readonly apart?: number;
  /** The most that the allocator was measured to reserve for as much in use; training only. */
  readonly reservedMost?: number;
  /** `reserved` with context and communication buffers outside the allocator. */
  readonly total: number;
  readonly capacity?: number;
  readonly fits?: boolean;
}

export interface MemoryReport {
  /** Sizes that no estimate can be made for; `classes` is then empty. */
  readonly refusals?: readonly MemoryRefusal[];
  readonly classes: readonly RankClass[];
  /** The fullest rank. */
  readonly peak: { readonly rank: number; readonly bytes: number; readonly classIndex: number };
  readonly kvCache?: {
    /** Bytes of one token over all layers on one rank. */
    readonly bytesPerToken: number;
    /** Token capacity of one attention rank; of the whole replica: times the attention-data degree. */
    readonly tokens?: number;
    readonly maxConcurrency?: number;
  };
}

/** What a checkpoint of the model holds. */
export interface CheckpointReport {
  readonly elements: number;
  readonly bytes: number;
  readonly elementsByDtype: Readonly<Record<string, number>>;
}
