import type { Place } from './plan';

export type Severity = 'error' | 'warning' | 'information' | 'hint';

/** Where a framework decides this, for the reader who wants to look. */
export interface SourceReference {
  readonly framework: string;
  readonly repository: string;
  readonly file: string;
  readonly function?: string;
  readonly commit?: string;
}

export interface Edit {
  readonly at: Place;
  readonly newText: string;
}

/** One change that would settle the finding. `preferred` only when there is a single right answer. */
export interface Fix {
  readonly title: string;
  readonly edits: readonly Edit[];
  readonly preferred?: boolean;
}

/** Something to say about one place of a file. */
export interface Finding {
  /** Stable, readable id; `docs/rules/<rule>.md` explains it. */
  readonly rule: string;
  readonly severity: Severity;
  /** One sentence: the field, the value, the rule, the nearest legal value. */
  readonly message: string;
  /** Absent: the finding is about the file as a whole and stands at its first line. */
  readonly at?: Place;
  readonly related?: readonly { readonly at: Place; readonly message: string }[];
  readonly fixes?: readonly Fix[];
  readonly source?: SourceReference;
  readonly tags?: readonly ('unnecessary' | 'deprecated')[];
}

/** A condition and what to say when it holds. Rules never throw for missing values: they stay silent. */
export interface Rule<Context> {
  readonly id: string;
  /** One line for the rule index. */
  readonly title: string;
  readonly severity: Severity;
  readonly check: (context: Context) => readonly Finding[];
}
