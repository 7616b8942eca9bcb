import type { SourceLink } from './common';
import type { MemoryAnswer } from './memory';
import type { PlacementAnswer } from './placement';
import type { TimelineAnswer } from './timeline';

export type PanelKind = 'timeline' | 'placement' | 'memory';

/** Host -> webview. */
export type ToWebview =
  | { readonly type: 'timeline'; readonly answer: TimelineAnswer }
  | { readonly type: 'placement'; readonly answer: PlacementAnswer }
  | { readonly type: 'memory'; readonly answer: MemoryAnswer };

/** Webview -> host. */
export type FromWebview =
  /** First paint is possible; the host answers with data. */
  | { readonly type: 'ready' }
  /** Show the config line behind a value. */
  | { readonly type: 'reveal'; readonly link: SourceLink }
  /** Ask again with other parameters (schedule kind, placement policy). */
  | { readonly type: 'request'; readonly kind?: string; readonly policy?: string }
  /** Stay on the current file, or follow the active editor again. */
  | { readonly type: 'pin'; readonly pinned: boolean }
  /** Save an export; the host asks where. Text, or base64 for binary. */
  | { readonly type: 'save'; readonly fileName: string; readonly text?: string; readonly base64?: string };

/** What a webview keeps over a reload: small, and never data. */
export interface PanelState {
  readonly uri: string;
  readonly pinned: boolean;
  readonly view?: Readonly<Record<string, string | number | boolean>>;
}
