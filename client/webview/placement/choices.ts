import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { PlacementRequest, PlacementView, SlotChange } from '../../../server/src/protocol/placement';
import type { Host } from '../kit/host';
import type { Panel } from '../kit/panel';
import { spoken } from '../kit/tooltip';
import { describeLayer, describeSlot } from './describe';
import { copyOf, effectOf, inverseOf, swapOf } from './draft';
import { withSlots } from './model';
import type { PlacementModel } from './model';

/** A whole number that is kept over reloads; one that the view no longer has becomes `initial` again. */
function useKeptIndex(
  panel: Panel<PlacementView>,
  name: string,
  initial: number,
  below: number,
): readonly [number, (value: number) => void] {
  const kept = panel.kept[name];
  const [value, set] = useState(typeof kept === 'number' ? Math.floor(kept) : initial);
  const change = (next: number): void => {
    set(next);
    panel.keep({ [name]: next });
  };
  return [value < below ? value : initial, change];
}

/** Everything of the panel that the user has chosen, and what was said about it last. */
export interface Choices {
  readonly layer: number;
  readonly chooseLayer: (layer: number) => void;
  readonly slot: number;
  readonly chooseSlot: (slot: number) => void;
  readonly table: boolean;
  readonly setTable: (on: boolean) => void;
  readonly said: string;
  readonly say: (text: string) => void;
}

export function useChoices(model: PlacementModel, panel: Panel<PlacementView>): Choices {
  const { view } = model;
  const [layer, setLayer] = useKeptIndex(panel, 'layer', model.worstFirst[0] ?? 0, view.layers);
  const [slot, setSlot] = useKeptIndex(panel, 'slot', -1, view.slots);
  const [table, setTable] = useState(panel.kept['table'] === true);
  const [said, say] = useState('');
  return {
    layer,
    chooseLayer: (next) => {
      setLayer(next);
      say(spoken(describeLayer(model, next)));
    },
    slot,
    chooseSlot: (next) => {
      setSlot(next);
      say(next < 0 ? '' : spoken(describeSlot(model, layer, next)));
    },
    table,
    setTable: (on) => {
      setTable(on);
      panel.keep({ table: on });
    },
    said,
    say,
  };
}

const KEPT = ['policy', 'redundant', 'gpus', 'nodes', 'compare'] as const;

function keptRequest(kept: Panel<PlacementView>['kept']): PlacementRequest {
  return Object.fromEntries(KEPT.flatMap((name) => (kept[name] === undefined ? [] : [[name, kept[name]]])));
}

export interface Request {
  readonly asked: PlacementRequest;
  /** Asks for the same with some values changed; undefined takes one back to the file's. */
  readonly ask: (
    change: Readonly<Partial<Record<keyof PlacementRequest, string | number | boolean | undefined>>>,
  ) => void;
  readonly reset: () => void;
}

/** What the panel asks for in place of the file's own placement; kept over reloads and asked for again once there is a picture. */
export function useRequest(host: Host, panel: Panel<PlacementView>, isDrawn: boolean): Request {
  const [asked, setAsked] = useState<PlacementRequest>(() => keptRequest(panel.kept));
  const first = useRef(true);
  const post = useCallback((request: PlacementRequest) => host.post({ type: 'request', ...request }), [host]);
  useEffect(() => {
    if (!isDrawn || !first.current) return;
    first.current = false;
    const kept = keptRequest(panel.kept);
    if (Object.keys(kept).length > 0) {
      setAsked(kept);
      post(kept);
    }
  }, [isDrawn]);
  const set = (next: PlacementRequest): void => {
    setAsked(next);
    panel.keep(Object.fromEntries(KEPT.map((name) => [name, next[name]])));
    post(next);
  };
  return {
    asked,
    ask: (change) => {
      const merged = Object.entries({ ...asked, ...change }).filter(([, value]) => value !== undefined);
      set(Object.fromEntries(merged) as PlacementRequest);
    },
    reset: () => set({}),
  };
}

/** Changes of slots on top of the placement that the host gave. */
export interface Draft {
  readonly model: PlacementModel;
  /** Changes that are in no file. */
  readonly changed: number;
  readonly drop: (row: number, from: number, to: number, copy: boolean) => void;
  readonly effect: (row: number, from: number, to: number, copy: boolean) => string;
  readonly undo: () => void;
}

/**
 * Drags and drops of experts. Where the placement stands in a text, a change goes there and comes back as a new picture; everything else is kept
 * here until it is saved or the picture changes.
 */
export function useDraft(host: Host, given: PlacementModel, say: (text: string) => void): Draft {
  const [steps, setSteps] = useState<readonly (readonly SlotChange[])[]>([]);
  const last = useRef(given);
  // A new picture holds what was written, and nothing that was only tried.
  const own = last.current === given ? steps : [];
  if (last.current !== given) {
    last.current = given;
    if (steps.length > 0) setSteps([]);
  }
  const model = withSlots(given, own.flat());
  const inText = given.view.mapUri !== undefined;
  const changesOf = (row: number, from: number, to: number, copy: boolean): readonly SlotChange[] =>
    copy ? copyOf(model, row, from, to) : swapOf(model, row, from, to);
  return {
    model,
    changed: inText ? 0 : own.length,
    effect: (row, from, to, copy) => {
      const changes = changesOf(row, from, to, copy);
      if (changes.length > 0) return effectOf(model, changes);
      return copy ? 'Not possible: it is the last copy, or the same expert.' : 'Both slots hold the same expert.';
    },
    drop: (row, from, to, copy) => {
      const changes = changesOf(row, from, to, copy);
      if (changes.length === 0) return;
      say(effectOf(model, changes));
      setSteps([...own, changes]);
      if (inText) host.post({ type: 'edit', changes });
    },
    undo: () => {
      const back = own.at(-1);
      if (back === undefined) return;
      const before = withSlots(given, own.slice(0, -1).flat());
      setSteps(own.slice(0, -1));
      if (inText) host.post({ type: 'edit', changes: inverseOf(before, back) });
      say('Undone.');
    },
  };
}
