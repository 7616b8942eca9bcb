import type { AdviceAnswer, AdviceParams } from './advice';
import type { NoView, SourceLink, ViewParams } from './common';
import type { MemoryAnswer } from './memory';
import type { PlacementAnswer, PlacementParams } from './placement';
import type { WhatIfAnswer, WhatIfParams } from './what-if';
import type {
  MeasuredAnswer,
  MeasuredParams,
  SweepAnswer,
  TimelineAnswer,
  TimelineParams,
  TraceFileAnswer,
} from './timeline';

/** Custom requests, client -> server. */
export const REQUEST = {
  memory: 'shardlens/memory',
  schedule: 'shardlens/schedule',
  /** Many schedules tried on one plan: the table, the Pareto chart and what each knob brings. Takes seconds; cancel it. */
  scheduleSweep: 'shardlens/scheduleSweep',
  /** The schedule as a Chrome trace. */
  scheduleTrace: 'shardlens/scheduleTrace',
  /** A measured run, read for the plan's timeline. */
  scheduleMeasured: 'shardlens/scheduleMeasured',
  /** Better layouts for a training file. Takes seconds; tells its progress; cancel it. */
  advice: 'shardlens/advice',
  /** What other values would bring, without writing them. */
  whatIf: 'shardlens/whatIf',
  placement: 'shardlens/placement',
  /** The placement in view with others of the same sizes beside it. Takes a second; cancel it. */
  placementCompare: 'shardlens/placementCompare',
  /** A change of slots as edits of the text that holds the placement. */
  placementEdit: 'shardlens/placementEdit',
  /** A placement as the text of a file. */
  placementText: 'shardlens/placementText',
  /** What the file was taken for and where model and cluster come from: the status item. */
  plan: 'shardlens/plan',
  /** Every value that will be in effect, as one text. */
  effective: 'shardlens/effective',
  /** Formats that the layout can be written in, and the layout in one of them. */
  translate: 'shardlens/translate',
} as const;

/** Server -> client request: reads a file that an open document names. The client answers only below the workspace and under the size cap. */
export const READ_FILE_REQUEST = 'shardlens/readFile';
/** Server -> client: the analysis of a document changed; panels that show it ask again. */
export const ANALYSIS_CHANGED = 'shardlens/analysisChanged';

export interface ReadFileParams {
  readonly uri: string;
}
export interface ReadFileAnswer {
  /** Absent: not there, too large, or not below the workspace. */
  readonly text?: string;
}

export interface AnalysisChangedParams {
  readonly uri: string;
  readonly version: number;
}

/** One fact of the status item, with the line it comes from where there is one. */
export interface PlanFact {
  readonly field: string;
  readonly label: string;
  readonly value: string;
  readonly origin: string;
  readonly link?: SourceLink;
}

export interface PlanView {
  readonly uri: string;
  readonly version: number;
  readonly dialect: string;
  readonly dialectTitle: string;
  readonly confidence: number;
  readonly reasons: readonly string[];
  readonly task: 'training' | 'serving' | 'model';
  /** One line: `DeepSeek-V3 · 2048 × H800 · 71.2 of 80 GiB`. */
  readonly summary: string;
  /** Why this tells of the last text that could be read, and not of the present one. */
  readonly stale?: string;
  readonly facts: readonly PlanFact[];
  readonly missing: readonly string[];
  readonly choices: { readonly models: readonly string[]; readonly gpus: readonly string[] };
}

/** The effective configuration of a document, as YAML with the source of every value behind it. */
export interface EffectiveView {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
}

export interface TranslateParams {
  readonly uri: string;
  /** Absent: only the targets are wanted. */
  readonly target?: string;
}

export interface TranslateAnswer {
  readonly targets: readonly { readonly dialect: string; readonly title: string }[];
  readonly result?: {
    readonly title: string;
    readonly language: 'yaml' | 'json' | 'toml';
    readonly text: string;
    /** What has no counterpart, a sentence each. */
    readonly report: readonly string[];
  };
}

export interface RequestTypes {
  readonly whatIf: { readonly params: WhatIfParams; readonly answer: WhatIfAnswer };
  readonly advice: { readonly params: AdviceParams; readonly answer: AdviceAnswer };
  readonly memory: { readonly params: ViewParams; readonly answer: MemoryAnswer };
  readonly schedule: { readonly params: TimelineParams; readonly answer: TimelineAnswer };
  readonly scheduleSweep: { readonly params: ViewParams; readonly answer: SweepAnswer };
  readonly scheduleTrace: { readonly params: TimelineParams; readonly answer: TraceFileAnswer };
  readonly scheduleMeasured: { readonly params: MeasuredParams; readonly answer: MeasuredAnswer };
  readonly placement: { readonly params: PlacementParams; readonly answer: PlacementAnswer };
  readonly plan: { readonly params: ViewParams; readonly answer: PlanView | NoView };
  readonly effective: { readonly params: ViewParams; readonly answer: EffectiveView | NoView };
  readonly translate: { readonly params: TranslateParams; readonly answer: TranslateAnswer };
}
