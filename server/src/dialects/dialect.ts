import type { Finding } from '../plan/finding';
import type { ModelSpec } from '../engine/model/spec';
import type { Plan, Place, Planned, ResolvedPlan } from '../plan/plan';
import type { ConfigLanguage, ConfigTree, Span } from '../syntax/tree';
import type { Vocabulary } from './vocabulary';

/** What a file could be, with the evidence. Names alone never suffice. */
export interface Detection {
  readonly dialect: string;
  /** 0..1; below 0.5 nothing is said about the file. */
  readonly confidence: number;
  /** Short clauses: `top-level key MODEL_ARGS`. */
  readonly reasons: readonly string[];
}

/** A file that another file names, as the open document's folder gives it. */
export interface Companion {
  readonly uri: string;
  readonly tree: ConfigTree;
}

/** Reads files that the document names; the only way a dialect sees anything outside its text. Undefined: not there or not allowed. */
export type ReadCompanion = (relativePath: string) => Companion | undefined;

/** A file the text names, for links and for the resolver. */
export interface Reference {
  readonly at: Place;
  readonly target: string;
  readonly kind: 'model-config' | 'quantization' | 'placement' | 'loads' | 'schedule' | 'config';
}

/** What is known once model and cluster are filled in: many defaults of a framework hang on them. */
export interface Known {
  /** Device memory of one GPU, in bytes. */
  readonly memoryBytes?: number;
  /** CUDA compute capability x 10. */
  readonly computeCapability?: number;
  readonly model: Planned<ModelSpec>;
}

/** An argument of a command inside a document, and where its own dialect knows it. */
export interface ArgumentWord {
  readonly keySpan: Span;
  readonly span: Span;
  readonly dialect: string;
  readonly path: readonly string[];
}

export interface DialectReading {
  readonly plan: Plan;
  /** Fills the defaults that the framework takes from the device or the model; never changes a value that the file states. */
  readonly complete?: (plan: Plan, known: Known) => Plan;
  /** Findings only this dialect can give (spelling, unknown keys, its own checks). */
  readonly findings: readonly Finding[];
  /** Findings only this dialect can give and that need the model, the cluster or another file's values. */
  readonly check?: (resolved: ResolvedPlan) => readonly Finding[];
  readonly references: readonly Reference[];
  /** Arguments of the commands that the document starts, for what they mean at their own place. */
  readonly words?: readonly ArgumentWord[];
}

/** One framework's file format: how to recognise it and how to read it. */
export interface Dialect {
  readonly id: string;
  readonly title: string;
  /** Languages that its files are written in; absent: those of configs, and not the language of shells. */
  readonly languages?: readonly ConfigLanguage[];
  readonly detect: (tree: ConfigTree, fileName: string) => Detection | undefined;
  readonly read: (tree: ConfigTree, companion: ReadCompanion) => DialectReading;
  /** Keys for hover and completion; absent where a format has none of its own. */
  readonly vocabulary?: Vocabulary;
}
