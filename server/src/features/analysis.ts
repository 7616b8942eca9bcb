import type { Detection, Dialect, DialectReading, Reference } from '../dialects/dialect';
import type { NoCost, RunTerms, TrainingCost } from '../engine/cost/plan-cost';
import type { ServingCost, ServingLoad } from '../engine/cost/serving-cost';
import type { MemoryReport } from '../engine/memory/report';
import type { Calibrated } from './calibrate/calibrate';
import type { Finding, Severity } from '../plan/finding';
import type { ResolvedPlan } from '../plan/plan';
import type { ConfigTree } from '../syntax/tree';
import type { ParseMemory } from '../syntax/yaml-blocks';
import type { LineIndex } from './lines';

/** What the user set, for one document; every field has a value so that features need no defaults of their own. */
export interface AnalysisSettings {
  /** Model preset name or path of a `config.json`, when nothing nearer says it. */
  readonly model?: string;
  readonly gpu?: string;
  readonly nodes?: number;
  readonly gpus?: number;
  /** Money a GPU-hour, watts a GPU and tokens of the run, for costs. */
  readonly price?: number;
  readonly watts?: number;
  readonly tokens?: number;
  /** Tokens of one request's prompt and answer, for serving. */
  readonly prompt?: number;
  readonly output?: number;
  /** A file of the user's own measurements, beside the document or below the workspace. */
  readonly calibration?: string;
  /** Per rule: another severity, or `off`. */
  readonly rules: Readonly<Record<string, Severity | 'off'>>;
  /** Forces a dialect, or `none` to leave the file alone. */
  readonly dialect?: string;
}

/** Text of a file below the workspace: `undefined` not asked yet, `null` not there or not readable. */
export type FileLookup = (uri: string) => string | null | undefined;

export interface AnalysisInput {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
  readonly languageId?: string;
  readonly settings: AnalysisSettings;
  readonly files: FileLookup;
  /** Text of measurements given beside the document; one that the document names counts otherwise. */
  readonly calibrationText?: string;
  /** Parses a companion file; callers that keep files around pass a remembering one. */
  readonly parseFile?: (uri: string, text: string) => ConfigTree;
  /** What the parser remembers of this document; callers that analyse it again and again keep one. */
  readonly parseMemory?: ParseMemory;
}

/** Everything known about one version of one document. Built once, shared by every feature. */
export interface Analysis {
  readonly uri: string;
  readonly version: number;
  readonly text: string;
  readonly lines: LineIndex;
  readonly tree: ConfigTree;
  readonly settings: AnalysisSettings;
  readonly detection?: Detection;
  readonly dialect?: Dialect;
  readonly reading?: DialectReading;
  readonly resolved?: ResolvedPlan;
  /** Memory of every rank class, where model and layout are known. */
  readonly memory?: MemoryReport;
  /** Time and cost of a training plan, worked out when first asked for; undefined for other tasks or an unknown plan. */
  readonly cost?: () => TrainingCost | NoCost | undefined;
  /** What a server is asked to do, for its latency and throughput. */
  readonly load?: ServingLoad;
  /** Latency and throughput of a server, worked out when first asked for. */
  readonly servingCost?: () => ServingCost | NoCost | undefined;
  /** What the user's own measurements make of the estimates of time; undefined without any. */
  readonly calibrated?: () => Calibrated | undefined;
  /** What a run is to reach and costs an hour, where somebody says it. */
  readonly terms?: RunTerms;
  readonly references: readonly (Reference & { readonly uri: string })[];
  /** All findings, settings and ignore comments applied, most severe first. */
  readonly findings: readonly Finding[];
  /** Files that would be read if the caller had them: fetch, then analyse again. */
  readonly wanted: readonly string[];
  /** The same document with another text: what a change would make of it. */
  readonly again?: (text: string) => Analysis;
}
