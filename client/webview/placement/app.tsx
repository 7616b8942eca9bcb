import type { JSX, RefObject } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { PlacementView } from '../../../server/src/protocol/placement';
import { Assumptions, EmptyState, ExportMenu, LiveRegion, PinTool, StaleBar, Tool } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import type { KeyRow } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import type { StageHandle } from '../kit/stage';
import { DataTable, toCsv } from '../kit/table';
import { useTheme } from '../kit/theme';
import type { Theme } from '../kit/theme';
import { spoken } from '../kit/tooltip';
import { describeLayer, describeSlot, balanceText } from './describe';
import { heatScene } from './draw-heatmap';
import { layerScene } from './draw-layer';
import { PlacementFacts, PlacementLegend, PolicyPicker } from './head';
import { Heatmap } from './heatmap';
import { LayerMap } from './layer-map';
import { decodePlacement, gpuOf, layerName } from './model';
import type { PlacementModel } from './model';
import { allColumns, layerColumns } from './table';

const KEY_ROWS: readonly KeyRow[] = [
  ['↑ ↓', 'layers: one up, down; in a layer: slot up, down'],
  ['← →', 'in a layer: previous, next GPU'],
  ['PgUp PgDn', 'ten layers up, down'],
  ['w', 'the worst layer'],
  ['n', 'the next worse layer'],
  ['Enter', 'from the layers to the experts of one'],
  ['r', 'the next replica of the expert'],
  ['Home End', 'first, last'],
  ['Esc', 'clear the selection'],
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
  const asked = useRef(false);
  useEffect(() => {
    // The policy picked before a reload is asked for again, once; the host begins with the file's own.
    const policy = panel.kept['policy'];
    if (model === undefined || asked.current) return;
    asked.current = true;
    if (typeof policy === 'string' && policy !== model.view.policy) host.post({ type: 'request', policy });
  }, [model]);
  const askPolicy = useCallback((policy: string | undefined) => {
    panel.keep({ policy });
    host.post({ type: 'request', ...(policy === undefined ? {} : { policy }) });
  }, []);
  if (answer === undefined) return <main class="panel" aria-busy="true" />;
  if (model === undefined) {
    return (
      <main class="panel">
        <h1 class="sr-only">Expert placement</h1>
        <EmptyState reason={isEmpty(answer) ? answer.reason : ''}>
          {panel.kept['policy'] === undefined ? null : (
            <button type="button" class="plain" onClick={() => askPolicy(undefined)}>
              Back to the placement in the file
            </button>
          )}
        </EmptyState>
      </main>
    );
  }
  return <Placement key={model.view.uri} host={host} panel={panel} model={model} onPolicy={askPolicy} />;
}

interface PlacementProps {
  readonly host: Host;
  readonly panel: Panel<PlacementView>;
  readonly model: PlacementModel;
}

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
interface Choices {
  readonly layer: number;
  readonly chooseLayer: (layer: number) => void;
  readonly slot: number;
  readonly chooseSlot: (slot: number) => void;
  readonly table: boolean;
  readonly setTable: (on: boolean) => void;
  readonly said: string;
}

function useChoices(model: PlacementModel, panel: Panel<PlacementView>): Choices {
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
  };
}

interface LayerSectionProps {
  readonly model: PlacementModel;
  readonly theme: Theme;
  readonly choices: Choices;
  readonly stage: RefObject<StageHandle | null>;
  readonly onKey: (key: string) => boolean;
}

/** The chosen layer with its balance as a heading. */
function LayerSection({ model, theme, choices, stage, onKey }: LayerSectionProps): JSX.Element {
  const { layer, slot, chooseSlot } = choices;
  const { meanOverMax, lowerBound } = model.view;
  const note = `balance ${balanceText(meanOverMax[layer])} mean/max, best possible ${balanceText(lowerBound[layer])}`;
  return (
    <section class="layer">
      <h2>
        Layer {layerName(model, layer)} <span class="note">{note}</span>
      </h2>
      <LayerMap model={model} theme={theme} layer={layer} slot={slot} stage={stage} onSlot={chooseSlot} onKey={onKey} />
    </section>
  );
}

function Placement({
  host,
  panel,
  model,
  onPolicy,
}: PlacementProps & { readonly onPolicy: (policy: string) => void }): JSX.Element {
  const theme = useTheme();
  const { view } = model;
  const choices = useChoices(model, panel);
  const { layer, slot, chooseLayer, chooseSlot, table, setTable } = choices;
  const [help, setHelp] = useState(false);
  const map = useRef<StageHandle>(null);
  const columns = useMemo(() => layerColumns(model, layer), [model, layer]);
  const onKey = (key: string): boolean => {
    if (key === 't') setTable(!table);
    else if (key === '?') setHelp(true);
    else return false;
    return true;
  };
  return (
    <main class="panel">
      <header>
        <div class="head-line">
          <h1>{view.title}</h1>
          <PolicyPicker view={view} onPolicy={onPolicy} />
          <PlacementTools
            host={host}
            panel={panel}
            model={model}
            theme={theme}
            layer={layer}
            table={table}
            onTable={setTable}
            onHelp={() => setHelp(true)}
          />
        </div>
        <PlacementFacts model={model} onReveal={(link) => host.post({ type: 'reveal', link })} onLayer={chooseLayer} />
      </header>
      <StaleBar reason={view.stale} />
      {view.uniformLoads ? (
        <p class="formula note">No loads are given: every expert is taken as equally busy.</p>
      ) : null}
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
        <LayerSection model={model} theme={theme} choices={choices} stage={map} onKey={onKey} />
      </div>
      <PlacementLegend model={model} theme={theme} />
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

interface PlacementToolsProps extends PlacementProps {
  readonly theme: Theme;
  readonly layer: number;
  readonly table: boolean;
  readonly onTable: (on: boolean) => void;
  readonly onHelp: () => void;
}

function PlacementTools({
  host,
  panel,
  model,
  theme,
  layer,
  table,
  onTable,
  onHelp,
}: PlacementToolsProps): JSX.Element {
  const { uri, policy, layers, slots } = model.view;
  const name = (what: string, extension: string): string => exportName(uri, `placement-${policy}-${what}`, extension);
  const one = `layer-${layerName(model, layer)}`;
  return (
    <div class="tools">
      <Tool icon="table" label="Show as table (t)" pressed={table} onClick={() => onTable(!table)} />
      <ExportMenu
        choices={[
          {
            label: 'All layers as SVG',
            run: () => saveSvg(host, name('layers', 'svg'), heatScene(model, theme, layer), theme),
          },
          {
            label: 'All layers as PNG',
            run: () => savePng(host, name('layers', 'png'), heatScene(model, theme, layer), theme),
          },
          {
            label: 'This layer as SVG',
            run: () => saveSvg(host, name(one, 'svg'), layerScene(model, theme, layer), theme),
          },
          {
            label: 'This layer as PNG',
            run: () => savePng(host, name(one, 'png'), layerScene(model, theme, layer), theme),
          },
          {
            label: 'All slots as CSV',
            run: () => saveText(host, name('slots', 'csv'), toCsv(layers * slots, allColumns(model))),
          },
        ]}
      />
      <Tool icon="keys" label="Keys (?)" onClick={onHelp} />
      <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
    </div>
  );
}
