import type { NoView, SourceLink, ViewFrame } from './common';

export interface MemoryItemView {
  readonly part: MemoryPartName;
  readonly group: string;
  readonly bytes: number;
  readonly formula: string;
  /** Config lines that decide the number, most important first. */
  readonly links: readonly SourceLink[];
}

export type MemoryPartName =
  'weights' | 'gradients' | 'optimizer' | 'activations' | 'kvCache' | 'buffers' | 'workspace';

/** One bar. */
export interface MemoryClassView {
  readonly label: string;
  readonly ranks: string;
  readonly count: number;
  readonly example: number;
  readonly coordinates: {
    readonly pp: number;
    readonly tp: number;
    readonly ep: number;
    readonly dp: number;
    readonly cp: number;
  };
  readonly stages: readonly number[];
  readonly parts: Readonly<Record<MemoryPartName, number>>;
  readonly items: readonly MemoryItemView[];
  readonly allocated: number;
  readonly reserved: number;
  /** The most that was measured to be reserved for as much in use. */
  readonly reservedMost?: number;
  readonly total: number;
  readonly fits?: boolean;
}

/** One change of one value: what it brings on the fullest rank and what it costs. */
export interface FitOptionView {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Total of the fullest rank afterwards; `saved` is how much less than now that is. */
  readonly bytes: number;
  readonly saved: number;
  readonly fits?: boolean;
  readonly cost: string;
  /** Change of the time of a step over the same batch, as a share. */
  readonly stepChange?: number;
  /** Tokens that the cache of a server holds afterwards, and how many more that is. */
  readonly tokens?: number;
  readonly moreTokens?: number;
  readonly link?: SourceLink;
}

/** What the number formats of the matrix products do to the numbers. Fractions, not percent. */
export interface NumericsView {
  readonly recipe: string;
  readonly formats: readonly {
    readonly label: string;
    readonly own: boolean;
    /** Relative error (root mean square) of normal numbers. */
    readonly relative: number;
    /** Share of numbers that become zero where a few channels are 50 times as large. */
    readonly flushed: number;
  }[];
  /** Bias of sums of `length` positive products. */
  readonly sums?: readonly { readonly length: number; readonly unpromoted: number; readonly promoted: number }[];
  readonly promotion?: string;
}

export interface MemoryView extends ViewFrame {
  readonly task: 'training' | 'serving' | 'model';
  readonly model: { readonly name: string; readonly parameters: number; readonly activeParameters: number };
  readonly gpu?: { readonly name: string; readonly capacityBytes: number };
  readonly worldSize: number;
  readonly classes: readonly MemoryClassView[];
  readonly peak: { readonly rank: number; readonly bytes: number; readonly classIndex: number };
  readonly checkpoint: {
    readonly elements: number;
    readonly bytes: number;
    readonly elementsByDtype: Readonly<Record<string, number>>;
  };
  readonly kvCache?: { readonly bytesPerToken: number; readonly tokens?: number; readonly maxConcurrency?: number };
  /** What lies outside the allocator: `5 communicators hold 2.1 GiB`. */
  readonly outside?: string;
  readonly numerics?: NumericsView;
  /** Single changes that save memory or make room for more tokens, best first. */
  readonly options?: readonly FitOptionView[];
}

export type MemoryAnswer = MemoryView | NoView;
