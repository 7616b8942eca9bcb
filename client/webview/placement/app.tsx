import type { JSX, RefObject } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { PlacementView } from '../../../server/src/protocol/placement';
import { Assumptions, EmptyState, LiveRegion, StaleBar } from '../kit/chrome';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import type { KeyRow } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import type { StageHandle } from '../kit/stage';
import { DataTable } from '../kit/table';
import { useTheme } from '../kit/theme';
import type { Theme } from '../kit/theme';
import { useChoices, useDraft, useRequest } from './choices';
import type { Choices, Draft, Request } from './choices';
import { Compare } from './compare';
import { balanceText } from './describe';
import { PlacementFacts, PlacementLegend, PlacementNotes, PolicyPicker } from './head';
import { Heatmap } from './heatmap';
import { LayerMap } from './layer-map';
import { decodePlacement, gpuOf, layerName } from './model';
import type { PlacementModel } from './model';
import { layerColumns } from './table';
import { PlacementTools } from './tools';
import { WhatIf } from './what-if';

const KEY_ROWS: readonly KeyRow[] = [
  ['↑ ↓', 'layers: one up, down; in a layer: slot up, down'],
  ['← →', 'in a layer: previous, next GPU'],
  ['PgUp PgDn', 'ten layers up, down'],
  ['w', 'the worst layer'],
  ['n', 'the next worse layer'],
  ['Enter', 'from the layers to the experts of one'],
  ['r', 'the next replica of the expert'],
  ['m', 'in a layer: pick the expert up; on another slot: swap the two'],
  ['d', 'with an expert picked up: put a copy of it here'],
  ['z', 'undo the last change of a slot'],
  ['Home End', 'first, last'],
  ['Esc', 'put down, clear the selection'],
  ['c', 'compare with other placements'],
  ['t', 'table on, off'],
  ['?', 'this list'],
];

/** The placement panel: waits for the host's answer, then shows where every expert sits or why that is not known. */
export function PlacementApp({ host }: { readonly host: Host }): JSX.Element {
  const panel = usePanel<PlacementView>(host, 'placement');
  const { answer } = panel;
  const model = useMemo(
    () => (answer === undefined || isEmpty(answer) ? undefined : decodePlacement(answer)),
    [answer],
  );
  const request = useRequest(host, panel, model !== undefined);
  const last = useRef<PlacementModel | undefined>(undefined);
  if (model !== undefined) last.current = model;
  if (answer === undefined) return <main class="panel" aria-busy="true" />;
  if (model === undefined) {
    const { asked } = request;
    // Sizes that cannot be are mostly half of a change: the picture and the fields stay.
    if (isEmpty(answer) && answer.uri === last.current?.view.uri && Object.keys(asked).some((key) => key !== 'compare'))
      return (
        <Placement
          key={answer.uri}
          host={host}
          panel={panel}
          given={last.current}
          request={request}
          refused={answer.reason}
        />
      );
    return (
      <main class="panel">
        <h1 class="sr-only">Expert placement</h1>
        <EmptyState reason={isEmpty(answer) ? answer.reason : ''}>
          {Object.keys(asked).length === 0 ? null : (
            <button type="button" class="plain" onClick={request.reset}>
              Back to the placement in the file
            </button>
          )}
        </EmptyState>
      </main>
    );
  }
  return <Placement key={model.view.uri} host={host} panel={panel} given={model} request={request} />;
}

interface LayerSectionProps {
  readonly draft: Draft;
  readonly theme: Theme;
  readonly choices: Choices;
  readonly stage: RefObject<StageHandle | null>;
  readonly held: number;
  readonly onKey: (key: string) => boolean;
}

/** The chosen layer with its balance as a heading. */
function LayerSection({ draft, theme, choices, stage, held, onKey }: LayerSectionProps): JSX.Element {
  const { layer, slot, chooseSlot } = choices;
  const { model } = draft;
  const { meanOverMax, lowerBound } = model.view;
  const note = `balance ${balanceText(meanOverMax[layer])} mean/max, best possible ${balanceText(lowerBound[layer])}`;
  return (
    <section class="layer">
      <h2>
        Layer {layerName(model, layer)} <span class="note">{note}</span>
      </h2>
      <LayerMap
        model={model}
        theme={theme}
        layer={layer}
        slot={slot}
        stage={stage}
        held={held}
        effect={(from, to, copy) => draft.effect(layer, from, to, copy)}
        onDrop={(from, to, copy) => draft.drop(layer, from, to, copy)}
        onSlot={chooseSlot}
        onKey={onKey}
      />
    </section>
  );
}

interface Keys {
  readonly draft: Draft;
  readonly choices: Choices;
  readonly held: number;
  readonly setHeld: (slot: number) => void;
  readonly openHelp: () => void;
  readonly toggleCompare: () => void;
}

/** Keys of the whole panel; true when the key was one. */
function pressed(key: string, { draft, choices, held, setHeld, openHelp, toggleCompare }: Keys): boolean {
  const { layer, slot, table } = choices;
  switch (key) {
    case 't':
      choices.setTable(!table);
      return true;
    case '?':
      openHelp();
      return true;
    case 'c':
      toggleCompare();
      return true;
    case 'z':
      draft.undo();
      return true;
    case 'Escape':
      setHeld(-1);
      return true;
    case 'm':
    case 'd':
      if (held >= 0 && slot >= 0) draft.drop(layer, held, slot, key === 'd');
      else if (key === 'm' && slot >= 0)
        choices.say('Picked up; m on another slot swaps, d copies, Escape puts it down.');
      setHeld(held < 0 && key === 'm' ? slot : -1);
      return true;
    default:
      return false;
  }
}

interface PlacementProps {
  readonly host: Host;
  readonly panel: Panel<PlacementView>;
  readonly given: PlacementModel;
  readonly request: Request;
  /** Why what is asked for cannot be; the picture is then the last one that could. */
  readonly refused?: string;
}

function Placement({ host, panel, given, request, refused }: PlacementProps): JSX.Element {
  const theme = useTheme();
  const choices = useChoices(given, panel);
  const draft = useDraft(host, given, choices.say);
  const { model } = draft;
  const { view } = model;
  const { layer, slot, chooseLayer, chooseSlot, table, setTable } = choices;
  const [help, setHelp] = useState(false);
  const [held, setHeld] = useState(-1);
  const map = useRef<StageHandle>(null);
  const columns = useMemo(() => layerColumns(model, layer), [model, layer]);
  const compare = request.asked.compare === true;
  const setCompare = (on: boolean): void => request.ask({ compare: on ? true : undefined });
  const keys: Keys = {
    draft,
    choices,
    held,
    setHeld,
    openHelp: () => setHelp(true),
    toggleCompare: () => setCompare(!compare),
  };
  const onKey = (key: string): boolean => pressed(key, keys);
  const onPolicy = (policy: string): void => request.ask({ policy });
  return (
    <main class="panel">
      <header>
        <div class="head-line">
          <h1>{view.title}</h1>
          <PolicyPicker
            view={view}
            asked={refused === undefined ? undefined : request.asked.policy}
            onPolicy={onPolicy}
          />
          <PlacementTools
            host={host}
            panel={panel}
            model={model}
            theme={theme}
            layer={layer}
            table={table}
            compare={compare}
            onTable={setTable}
            onCompare={setCompare}
            onHelp={() => setHelp(true)}
          />
        </div>
        <PlacementFacts model={model} onReveal={(link) => host.post({ type: 'reveal', link })} onLayer={chooseLayer} />
        <WhatIf model={model} asked={request.asked} refused={refused} onAsk={request.ask} />
      </header>
      <StaleBar reason={view.stale} />
      <PlacementNotes view={view} changed={draft.changed} onUndo={draft.undo} />
      <Assumptions items={view.assumptions} />
      <div class="maps">
        <Heatmap
          model={model}
          theme={theme}
          layer={layer}
          gpu={slot < 0 ? -1 : gpuOf(model, slot)}
          onLayer={chooseLayer}
          onGpu={(gpu) => chooseSlot(gpu * model.slotsPerGpu)}
          onOpen={() => {
            map.current?.focus();
            if (slot < 0) chooseSlot(0);
          }}
          onKey={onKey}
        />
        <LayerSection draft={draft} theme={theme} choices={choices} stage={map} held={held} onKey={onKey} />
      </div>
      <PlacementLegend model={model} theme={theme} />
      {compare ? (
        <Compare model={model} theme={theme} rows={view.compare} onPolicy={onPolicy} onLayer={chooseLayer} />
      ) : null}
      {table ? (
        <DataTable
          caption={`Slots of layer ${layerName(model, layer)}`}
          rows={view.slots}
          columns={columns}
          selected={slot < 0 ? undefined : slot}
          onSelect={chooseSlot}
        />
      ) : null}
      {help ? <KeyHelp rows={KEY_ROWS} onClose={() => setHelp(false)} /> : null}
      <LiveRegion text={choices.said} />
    </main>
  );
}
