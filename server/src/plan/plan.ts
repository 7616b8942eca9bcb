import type { Calibration } from '../engine/cost/rates';
import type { TrainingDetails } from '../engine/memory/input';
import type { ModelSpec } from '../engine/model/spec';
import type { ClusterSpec } from '../engine/spec/cluster';
import type { LayoutSpec } from '../engine/spec/layout';
import type { QuantizationSpec } from '../engine/spec/numbers';
import type { ExpertsSpec, ServingSpec } from '../engine/spec/serving';
import type { BatchSpec, OptimizerSpec, PipelineSpec, PrecisionSpec, RecomputeSpec } from '../engine/spec/training';
import type { Span } from '../syntax/tree';

/**
 * Where a value came from: written in the file, read from a companion file or comment, the framework's default,
 * computed from other values, or assumed by us because nothing says it.
 */
export type Origin = 'file' | 'companion' | 'default' | 'derived' | 'assumed';

/** Lines and UTF-16 characters, from 0. */
export interface PlaceRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

/** A place in a document; `uri` is absent for the document the plan was read from. */
export interface Place {
  readonly uri?: string;
  readonly span: Span;
  /** The key, where the value has one. */
  readonly keySpan?: Span;
  /** The span in lines and UTF-16 characters, for places of other documents, whose text nobody downstream has. */
  readonly range?: PlaceRange;
}

/** One value and where it came from. */
export interface Sourced<T> {
  readonly value: T;
  readonly origin: Origin;
  readonly at?: Place;
  /** The field's name as the file spells it, such as `--tensor-model-parallel-size`. */
  readonly label?: string;
  /** One short clause for people: `GPU name in the shardlens comment`, `the framework's default`. */
  readonly note?: string;
}

/** The same fields as `T`, each with provenance; a missing field is unknown. */
export type Planned<T> = { readonly [K in keyof T]?: Sourced<Exclude<T[K], undefined>> };

/** A key whose value exists but cannot be known here (an interpolation): rules that need it stay silent. */
export interface Unresolved {
  readonly path: string;
  readonly at: Place;
  /** Why it is not known, as the end of a sentence, where it is no value that another tool fills in. */
  readonly why?: string;
}

/** What one file says, in the field's own terms. The one vocabulary between dialects and engine. */
export interface Plan {
  readonly dialect: string;
  readonly task: 'training' | 'serving' | 'model';
  readonly frameworkVersion?: Sourced<string>;
  /** The program is a fork of the framework or adds to it: what the framework itself refuses is likely to fail there, not certain. */
  readonly adapted?: true;
  readonly model: Planned<ModelSpec>;
  readonly quantization: Planned<QuantizationSpec>;
  readonly cluster: Planned<ClusterSpec>;
  readonly layout: Planned<LayoutSpec>;
  readonly precision: Planned<PrecisionSpec>;
  readonly optimizer: Planned<OptimizerSpec>;
  readonly recompute: Planned<RecomputeSpec>;
  readonly batch: Planned<BatchSpec>;
  readonly pipeline: Planned<PipelineSpec>;
  readonly serving: Planned<ServingSpec>;
  readonly experts: Planned<ExpertsSpec>;
  readonly unresolved: readonly Unresolved[];
  /** Facts that only one framework's memory depends on, as far as the file decides them. */
  readonly details?: TrainingDetails;
}

/** A plan with every field filled that can be: what the engine computes on, and what was taken for granted. */
export interface ResolvedPlan {
  readonly plan: Plan;
  readonly model?: ModelSpec;
  readonly quantization: QuantizationSpec;
  readonly cluster?: ClusterSpec;
  readonly layout?: LayoutSpec;
  readonly precision: PrecisionSpec;
  readonly optimizer: OptimizerSpec;
  readonly recompute: RecomputeSpec;
  readonly batch?: BatchSpec;
  readonly pipeline: PipelineSpec;
  readonly serving?: ServingSpec;
  readonly experts: ExpertsSpec;
  /** Rates that the user's own measurements set, where there are any: worked out when first asked for. */
  readonly calibration?: () => Calibration | undefined;
  /** Values that no file states, in the order of their effect. */
  readonly assumptions: readonly Assumption[];
  /** Plan fields (dotted, such as `cluster.gpu`) without which an answer cannot be given. */
  readonly missing: readonly string[];
}

export interface Assumption {
  /** Dotted plan field, such as `cluster.gpusPerNode`. */
  readonly field: string;
  readonly value: string | number | boolean;
  readonly origin: Origin;
  readonly note?: string;
}
