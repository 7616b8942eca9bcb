import type { Finding } from '../plan/finding';
import type { Plan, Place } from '../plan/plan';
import type { ConfigTree } from '../syntax/tree';

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
  readonly kind: 'model-config' | 'quantization' | 'placement' | 'config';
}

export interface DialectReading {
  readonly plan: Plan;
  /** Findings only this dialect can give (spelling, unknown keys, its own checks). */
  readonly findings: readonly Finding[];
  readonly references: readonly Reference[];
}

/** One framework's file format: how to recognise it and how to read it. */
export interface Dialect {
  readonly id: string;
  readonly title: string;
  readonly detect: (tree: ConfigTree, fileName: string) => Detection | undefined;
  readonly read: (tree: ConfigTree, companion: ReadCompanion) => DialectReading;
}
