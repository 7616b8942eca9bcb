import type { NoView, ViewParams, ViewRange } from './common';

export type WhatIfValue = number | string;

export interface WhatIfParams extends ViewParams {
  /** Values in place of the file's, by dotted plan field. */
  readonly values: Readonly<Record<string, WhatIfValue>>;
}

/** One value that can be tried, with what it may become. */
export interface WhatIfField {
  readonly field: string;
  readonly label: string;
  readonly own: WhatIfValue;
  readonly value: WhatIfValue;
  /** In the order of a slider; holds the file's own. */
  readonly choices: readonly WhatIfValue[];
}

/** One number as the file has it and as the values would make it. */
export interface WhatIfRow {
  readonly label: string;
  readonly before: string;
  readonly after: string;
  readonly change: string;
  readonly tone?: 'good' | 'bad';
}

export interface WhatIfView {
  readonly uri: string;
  /** Version of the document that the edits are for. */
  readonly version: number;
  readonly fields: readonly WhatIfField[];
  readonly rows: readonly WhatIfRow[];
  /** Why the framework would refuse these values. */
  readonly refusal?: string;
  /** Edits that write the values into the file; absent without a change, or where the file has no place for one. */
  readonly edits?: readonly { readonly range: ViewRange; readonly newText: string }[];
}

export type WhatIfAnswer = WhatIfView | NoView;
