import type { JSX } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { Assumptions, EmptyState, ExportMenu, LiveRegion, PinTool, StaleBar, Tool } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import { Legend } from '../kit/swatch';
import { DataTable, toCsv } from '../kit/table';
import { useTheme } from '../kit/theme';
import { spoken } from '../kit/tooltip';
import { fitAxis, toValue } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { blockName, describeBlock } from './describe';
import {
  directionNote,
  DurationLine,
  FormulaLine,
  KindPicker,
  linksByRole,
  TimelineFacts,
  timelineLegend,
} from './head';
import { KEY_ROWS } from './keys';
import type { Command } from './keys';
import { Lanes } from './lanes';
import type { LanesHandle } from './lanes';
import type { KeptView } from './lane-view';
import { Minimap } from './minimap';
import { blockId, decodeTimeline, findBlock, rankOf } from './model';
import type { TimelineModel } from './model';
import { moveFrom } from './navigate';
import { timelineScene } from './scene';
import { timelineColumns } from './table';

/** The timeline panel: waits for the host's answer, then shows the schedule or why there is none. */
export function TimelineApp({ host }: { readonly host: Host }): JSX.Element {
  const panel = usePanel<TimelineView>(host, 'timeline');
  const { answer } = panel;
  const model = useMemo(() => (answer === undefined || isEmpty(answer) ? undefined : decodeTimeline(answer)), [answer]);
  const asked = useRef(false);
  useEffect(() => {
    // After a reload the host draws the file's own schedule; the one the user had picked is asked for again, once.
    const kind = panel.kept['kind'];
    if (model === undefined || asked.current) return;
    asked.current = true;
    if (typeof kind === 'string' && kind !== model.view.kind) host.post({ type: 'request', kind });
  }, [model]);
  const askKind = useCallback((kind: string | undefined) => {
    panel.keep({ kind });
    host.post({ type: 'request', ...(kind === undefined ? {} : { kind }) });
  }, []);
  if (answer === undefined) return <main class="panel" aria-busy="true" />;
  if (model === undefined) {
    return (
      <main class="panel">
        <h1 class="sr-only">Pipeline schedule</h1>
        <EmptyState reason={isEmpty(answer) ? answer.reason : ''}>
          {panel.kept['kind'] === undefined ? null : (
            <button type="button" class="plain" onClick={() => askKind(undefined)}>
              Back to the schedule in the file
            </button>
          )}
        </EmptyState>
      </main>
    );
  }
  return <Timeline key={model.view.uri} host={host} panel={panel} model={model} onKind={askKind} />;
}

interface TimelineProps {
  readonly host: Host;
  readonly panel: Panel<TimelineView>;
  readonly model: TimelineModel;
  readonly onKind: (kind: string) => void;
}

function keptView(panel: Panel<TimelineView>): KeptView | undefined {
  const { start, zoom, scroll } = panel.kept;
  if (typeof start !== 'number' || typeof zoom !== 'number') return undefined;
  return { start, zoom, scroll: typeof scroll === 'number' ? scroll : 0 };
}

/** The selected block by its lasting name, so that it survives edits and reloads. */
function useSelection(model: TimelineModel, panel: Panel<TimelineView>): readonly [number, (index: number) => void] {
  const [id, setId] = useState(() => String(panel.kept['selected'] ?? ''));
  const select = (index: number): void => {
    const next = index < 0 ? '' : blockId(model.blocks, index);
    setId(next);
    panel.keep({ selected: next === '' ? undefined : next });
  };
  return [useMemo(() => findBlock(model.blocks, id), [model, id]), select];
}

function asNumber(kept: unknown): number | undefined {
  return typeof kept === 'number' && Number.isFinite(kept) ? kept : undefined;
}

function asBoolean(kept: unknown): boolean | undefined {
  return typeof kept === 'boolean' ? kept : undefined;
}

/** A small setting that is kept over reloads. */
function useKept<T extends number | boolean>(
  panel: Panel<TimelineView>,
  name: string,
  initial: T,
  read: (kept: unknown) => T | undefined,
): readonly [T, (value: T) => void] {
  const [value, setValue] = useState<T>(read(panel.kept[name]) ?? initial);
  const change = (next: T): void => {
    setValue(next);
    panel.keep({ [name]: next });
  };
  return [value, change];
}

function Timeline({ host, panel, model, onKind }: TimelineProps): JSX.Element {
  const theme = useTheme();
  const [selected, select] = useSelection(model, panel);
  const [pickedRank, setRank] = useKept<number>(panel, 'rank', -1, asNumber);
  const [memory, setMemory] = useKept<boolean>(panel, 'memory', true, asBoolean);
  const [row, setRow] = useKept<number>(panel, 'row', 0, asNumber);
  const [table, setTable] = useKept<boolean>(panel, 'table', false, asBoolean);
  const [help, setHelp] = useState(false);
  const handle = useRef<LanesHandle>(null);
  const follow = useRef<((axis: Axis) => void) | null>(null);
  const rank = pickedRank >= 0 && pickedRank < model.view.ranks ? pickedRank : model.peakRank;
  const view = model.view;
  const links = linksByRole(view.links);
  const columns = useMemo(() => timelineColumns(model), [model]);
  const legend = useMemo(() => timelineLegend(model, theme), [model, theme]);
  const choose = (index: number): void => {
    select(index);
    if (index >= 0) setRank(rankOf(model.blocks, index));
  };
  const onCommand = (command: Command): void => {
    if (command.type === 'move') {
      const axis = handle.current?.axis() ?? fitAxis(view.makespan, 1);
      const next = moveFrom(model, selected, command.move, toValue(axis, 0));
      choose(next);
      handle.current?.show(next);
    } else if (command.type === 'clear') select(-1);
    else if (command.type === 'table') setTable(!table);
    else if (command.type === 'memory') setMemory(!memory);
    else if (command.type === 'help') setHelp(true);
    else if (command.type === 'rows')
      setRow(Math.max(4, Math.min(60, Math.round((row === 0 ? 20 : row) * command.factor))));
    else if (command.type === 'reveal') {
      const link = links.get('kind') ?? view.links[0];
      if (link !== undefined) host.post({ type: 'reveal', link });
    }
  };
  const scene = () => timelineScene(model, handle.current?.axis() ?? fitAxis(view.makespan, 900), rank, memory, theme);
  const name = (extension: string): string => exportName(view.uri, `schedule-${view.kind}`, extension);
  return (
    <main class="panel">
      <header>
        <div class="head-line">
          <h1>{view.title}</h1>
          <KindPicker view={view} onKind={onKind} />
          <div class="tools">
            <Tool
              icon="minus"
              label="Zoom out (-)"
              onClick={() => handle.current?.run({ type: 'zoom', factor: 1 / 1.5 })}
            />
            <Tool icon="plus" label="Zoom in (+)" onClick={() => handle.current?.run({ type: 'zoom', factor: 1.5 })} />
            <Tool icon="fit" label="Fit the whole schedule (f)" onClick={() => handle.current?.run({ type: 'fit' })} />
            <Tool icon="table" label="Show as table (t)" pressed={table} onClick={() => setTable(!table)} />
            <ExportMenu
              choices={[
                { label: 'Picture as SVG', run: () => saveSvg(host, name('svg'), scene(), theme) },
                { label: 'Picture as PNG', run: () => savePng(host, name('png'), scene(), theme) },
                { label: 'Blocks as CSV', run: () => saveText(host, name('csv'), toCsv(model.blocks.count, columns)) },
              ]}
            />
            <Tool icon="keys" label="Keys (?)" onClick={() => setHelp(true)} />
            <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
          </div>
        </div>
        <TimelineFacts model={model} onReveal={(link) => host.post({ type: 'reveal', link })} />
        <FormulaLine model={model} />
        <DurationLine model={model} />
      </header>
      <StaleBar reason={view.stale} />
      <Assumptions items={view.assumptions} />
      <Minimap model={model} theme={theme} follow={follow} onAxis={(axis) => handle.current?.setAxis(axis)} />
      <Lanes
        model={model}
        theme={theme}
        memory={memory}
        row={row}
        rank={rank}
        selected={selected}
        label={`Schedule of ${view.ranks} ranks. Arrow keys move between blocks, question mark lists all keys.`}
        kept={keptView(panel)}
        handle={handle}
        onSelect={choose}
        onRank={setRank}
        onCommand={onCommand}
        onView={(kept) => panel.keep({ ...kept })}
        onAxis={(axis) => follow.current?.(axis)}
      />
      <footer>
        <Legend theme={theme} items={legend} note={directionNote(model)} />
      </footer>
      {table ? (
        <DataTable
          caption={`Blocks of the schedule${selected >= 0 ? `, ${blockName(model, selected)} selected` : ''}`}
          rows={model.blocks.count}
          columns={columns}
          selected={selected >= 0 ? selected : undefined}
          onSelect={(index) => {
            choose(index);
            handle.current?.show(index);
          }}
        />
      ) : null}
      {help ? <KeyHelp rows={KEY_ROWS} onClose={() => setHelp(false)} /> : null}
      <LiveRegion text={selected >= 0 ? spoken(describeBlock(model, selected)) : ''} />
    </main>
  );
}
