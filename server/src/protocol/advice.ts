import type { NoView, ViewParams, ViewRange } from './common';

export interface AdviceParams extends ViewParams {
  /** What to look for; default: the time of a step. */
  readonly objective?: 'time' | 'memory' | 'cost';
}

/** One better layout, as a pick list shows it, and the edits that write it. */
export interface AdviceItem {
  readonly title: string;
  readonly detail: string;
  readonly reasons: readonly string[];
  /** `tensor: 8 -> 2`, one a changed value. */
  readonly changes: readonly string[];
  /** Absent where the file has no place for one of the changes. */
  readonly edits?: readonly { readonly range: ViewRange; readonly newText: string }[];
}

export interface AdviceView {
  readonly uri: string;
  /** Version of the document that the edits are for. */
  readonly version: number;
  /** What the file says now. */
  readonly now: string;
  readonly items: readonly AdviceItem[];
  /** True when nothing keeps to the device: the items then hold what comes nearest. */
  readonly unmet: boolean;
  /** `54,372 legal layouts, 290 simulated`. */
  readonly searched: string;
  readonly notes: readonly string[];
}

/** `needs` names plan fields that have to be known first, such as `cluster.gpu`. */
export type AdviceAnswer = AdviceView | (NoView & { readonly needs?: readonly string[] });

/** Server -> client, while a search runs. */
export const ADVICE_PROGRESS = 'shardlens/adviceProgress';

export interface AdviceProgress {
  readonly uri: string;
  /** 0..1. */
  readonly share: number;
}

/** Server -> client request: the text of a file as it was last committed. */
export const READ_HEAD_REQUEST = 'shardlens/readHead';

export interface ReadHeadParams {
  readonly uri: string;
}

export interface ReadHeadAnswer {
  /** Absent: no repository, not committed yet, or too large. */
  readonly text?: string;
}
