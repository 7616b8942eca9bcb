import type { SourceLink } from './common';
import type { MemoryAnswer } from './memory';
import type { PlacementAnswer, PlacementRequest, SlotChange } from './placement';
import type { MeasuredAnswer, SweepAnswer, TimelineAnswer, TimelineParams } from './timeline';
import type { WhatIfAnswer, WhatIfValue, WhatIfView } from './what-if';

export type PanelKind = 'timeline' | 'placement' | 'memory';

/** Host -> webview. */
export type ToWebview =
  | { readonly type: 'timeline'; readonly answer: TimelineAnswer }
  | { readonly type: 'placement'; readonly answer: PlacementAnswer }
  | { readonly type: 'memory'; readonly answer: MemoryAnswer }
  /** A second schedule for the axis of the first; `label` says whose it is. */
  | { readonly type: 'compare'; readonly answer: TimelineAnswer; readonly label: string }
  | { readonly type: 'sweep'; readonly answer: SweepAnswer }
  | { readonly type: 'whatIf'; readonly answer: WhatIfAnswer }
  | { readonly type: 'measured'; readonly answer: MeasuredAnswer };

/** What a panel may ask of a schedule in place of the file's. */
export type ScheduleRequest = Omit<TimelineParams, 'uri'>;

/** Webview -> host. */
export type FromWebview =
  /** First paint is possible; the host answers with data. */
  | { readonly type: 'ready' }
  /** Show the config line behind a value. */
  | { readonly type: 'reveal'; readonly link: SourceLink }
  /** Ask again with other parameters (schedule kind, placement policy). */
  | ({ readonly type: 'request' } & PlacementRequest & ScheduleRequest)
  /** Put other experts into slots, in the text of the file that holds the placement. */
  | { readonly type: 'edit'; readonly changes: readonly SlotChange[] }
  /** A second schedule of this file, or of another one that the host asks for; without both the comparison ends. */
  | { readonly type: 'compare'; readonly ask?: ScheduleRequest; readonly file?: true }
  /** Try many schedules; `stop` when nobody waits for the answer any more. */
  | { readonly type: 'sweep'; readonly stop?: true }
  /** Try other values; nothing is written. */
  | { readonly type: 'whatIf'; readonly values: Readonly<Record<string, WhatIfValue>> }
  /** Write what was tried into the file, as one step that can be undone. */
  | { readonly type: 'apply'; readonly view: Pick<WhatIfView, 'version' | 'edits'> }
  /** Save the schedule in view as a Chrome trace. */
  | { readonly type: 'trace' }
  /** Pick a measured run to lay over the plan. */
  | { readonly type: 'measure' }
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
