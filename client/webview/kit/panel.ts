import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { NoView, ViewFrame } from '../../../server/src/protocol/common';
import type { PanelKind, PanelState, ToWebview } from '../../../server/src/protocol/panels';
import type { Host } from './host';

export type ViewState = Readonly<Record<string, string | number | boolean>>;

export interface Panel<V extends ViewFrame> {
  /** The last answer: a view, or why there is none; undefined until the host has spoken. */
  readonly answer: V | NoView | undefined;
  readonly pinned: boolean;
  readonly setPinned: (pinned: boolean) => void;
  /** What was kept of the view of this file, for the first picture after a reload; empty for another file. */
  readonly kept: ViewState;
  /** Keeps small view settings; many calls in a row are written once. */
  readonly keep: (changes: Readonly<Record<string, string | number | boolean | undefined>>) => void;
}

export function isEmpty(answer: ViewFrame | NoView): answer is NoView {
  return 'empty' in answer;
}

/** How long state may wait before it is written: shorter than any reload, longer than a frame. */
const WRITE_DELAY_MS = 150;

function merged(view: ViewState, changes: Readonly<Record<string, string | number | boolean | undefined>>): ViewState {
  const entries = Object.entries({ ...view, ...changes }).filter(
    (entry): entry is [string, string | number | boolean] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}

/** Where the state lives between renders, with one pending write at most. */
function usePanelState(host: Host): {
  readonly state: () => PanelState;
  readonly write: (next: PanelState, now: boolean) => void;
} {
  const current = useRef<PanelState | undefined>(undefined);
  const timer = useRef(0);
  if (current.current === undefined) current.current = host.getState() ?? { uri: '', pinned: false };
  const write = useCallback(
    (next: PanelState, now: boolean) => {
      current.current = next;
      clearTimeout(timer.current);
      const flush = (): void => host.setState(current.current ?? next);
      if (now) flush();
      else timer.current = window.setTimeout(flush, WRITE_DELAY_MS);
    },
    [host],
  );
  return { state: () => current.current ?? { uri: '', pinned: false }, write };
}

/** Connects a panel to its host: asks for data, keeps the last answer, the pin and the small view state. */
export function usePanel<V extends ViewFrame>(host: Host, kind: PanelKind): Panel<V> {
  const { state, write } = usePanelState(host);
  const [answer, setAnswer] = useState<V | NoView | undefined>(undefined);
  const [pinned, setPinnedState] = useState(() => state().pinned);
  useEffect(() => {
    const stop = host.listen((message: ToWebview) => {
      if (message.type !== kind) return;
      // The type of the message names the view, which the compiler cannot follow through `kind`.
      const next = message.answer as unknown as V | NoView;
      const last = state();
      // The state must be written once even when nobody touches the panel: VS Code restores only panels that did so.
      write(last.uri === next.uri ? last : { uri: next.uri, pinned: last.pinned }, true);
      setAnswer(next);
    });
    host.post({ type: 'ready' });
    return stop;
  }, [host, kind]);
  const setPinned = useCallback(
    (next: boolean) => {
      setPinnedState(next);
      write({ ...state(), pinned: next }, true);
      host.post({ type: 'pin', pinned: next });
    },
    [host],
  );
  const keep = useCallback<Panel<V>['keep']>((changes) => {
    const last = state();
    write({ ...last, view: merged(last.view ?? {}, changes) }, false);
  }, []);
  return { answer, pinned, setPinned, kept: state().view ?? {}, keep };
}
