/** A range as the Language Server Protocol counts it: lines and UTF-16 characters from 0. */
export interface ViewRange {
  readonly start: { readonly line: number; readonly character: number };
  readonly end: { readonly line: number; readonly character: number };
}

/** A place to jump to from a panel. */
export interface SourceLink {
  readonly uri: string;
  readonly range: ViewRange;
  /** The field as the file spells it. */
  readonly label: string;
}

/** A value that no file states. */
export interface ViewAssumption {
  readonly field: string;
  readonly value: string;
  readonly origin: string;
  readonly note?: string;
  /** What another likely value would change: `+3.2 GiB with 8,192`. */
  readonly effect?: string;
}

/** What every panel shows around its picture. */
export interface ViewFrame {
  readonly uri: string;
  readonly version: number;
  readonly title: string;
  readonly assumptions: readonly ViewAssumption[];
  /** Set when the text is broken and the picture is of the last good text: one sentence with the line. */
  readonly stale?: string;
}

/** The answer when there is nothing to draw: one sentence that says what is missing and how to give it. */
export interface NoView {
  readonly empty: true;
  readonly uri: string;
  readonly reason: string;
}

export interface ViewParams {
  readonly uri: string;
}
