import type { JSX, RefObject } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { Assumptions, EmptyState, ExportMenu, LiveRegion, PinTool, StaleBar, Tool } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import type { Scene } from '../kit/export';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import { Legend } from '../kit/swatch';
import { DataTable, toCsv } from '../kit/table';
import type { TableColumn } from '../kit/table';
import { useTheme } from '../kit/theme';
import type { Theme } from '../kit/theme';
import { spoken } from '../kit/tooltip';
import { fitAxis, toValue } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { blockName, describeBlock } from './describe';
import { shadeNote, DurationLine, FormulaLine, KindPicker, linksByRole, TimelineFacts, timelineLegend } from './head';
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

/** Everything of the panel that the user has chosen. */
interface Choices {
  readonly selected: number;
  readonly choose: (index: number) => void;
  readonly rank: number;
  readonly setRank: (rank: number) => void;
  readonly memory: boolean;
  readonly setMemory: (on: boolean) => void;
  readonly row: number;
  readonly setRow: (row: number) => void;
  readonly table: boolean;
  readonly setTable: (on: boolean) => void;
}

function useChoices(model: TimelineModel, panel: Panel<TimelineView>): Choices {
  const [selected, select] = useSelection(model, panel);
  const [picked, setRank] = useKept<number>(panel, 'rank', -1, asNumber);
  const [memory, setMemory] = useKept<boolean>(panel, 'memory', true, asBoolean);
  const [row, setRow] = useKept<number>(panel, 'row', 0, asNumber);
  const [table, setTable] = useKept<boolean>(panel, 'table', false, asBoolean);
  const rank = picked >= 0 && picked < model.view.ranks ? picked : model.peakRank;
  const choose = (index: number): void => {
    select(index);
    if (index >= 0) setRank(rankOf(model.blocks, index));
  };
  return { selected, choose, rank, setRank, memory, setMemory, row, setRow, table, setTable };
}

const MIN_ROW = 4;
const MAX_ROW = 60;
/** Row height that a first `[` or `]` starts from, when rows were fitted to the window until then. */
const START_ROW = 20;

/** Carries out the commands that are not about the window of the lanes. */
function useCommands(
  { host, model }: TimelineProps,
  choices: Choices,
  handle: RefObject<LanesHandle | null>,
  showHelp: () => void,
): (command: Command) => void {
  const { view } = model;
  return (command) => {
    if (command.type === 'move') {
      const axis = handle.current?.axis() ?? fitAxis(view.makespan, 1);
      const next = moveFrom(model, choices.selected, command.move, toValue(axis, 0));
      choices.choose(next);
      handle.current?.show(next);
    } else if (command.type === 'clear') choices.choose(-1);
    else if (command.type === 'table') choices.setTable(!choices.table);
    else if (command.type === 'memory') choices.setMemory(!choices.memory);
    else if (command.type === 'help') showHelp();
    else if (command.type === 'rows') {
      const from = choices.row === 0 ? START_ROW : choices.row;
      choices.setRow(Math.max(MIN_ROW, Math.min(MAX_ROW, Math.round(from * command.factor))));
    } else if (command.type === 'reveal') {
      const link = linksByRole(view.links).get('kind') ?? view.links[0];
      if (link !== undefined) host.post({ type: 'reveal', link });
    }
  };
}

interface TimelineToolsProps extends TimelineProps {
  readonly theme: Theme;
  readonly choices: Choices;
  readonly columns: readonly TableColumn[];
  readonly handle: RefObject<LanesHandle | null>;
  readonly onHelp: () => void;
}

function TimelineTools(props: TimelineToolsProps): JSX.Element {
  const { host, panel, model, theme, choices, columns, handle } = props;
  const run = (command: Command) => (): void => handle.current?.run(command);
  const name = (extension: string): string => exportName(model.view.uri, `schedule-${model.view.kind}`, extension);
  const scene = (): Scene => {
    const axis = handle.current?.axis() ?? fitAxis(model.view.makespan, 900);
    return timelineScene(model, axis, choices.rank, choices.memory, theme);
  };
  return (
    <div class="tools">
      <Tool icon="minus" label="Zoom out (-)" onClick={run({ type: 'zoom', factor: 1 / 1.5 })} />
      <Tool icon="plus" label="Zoom in (+)" onClick={run({ type: 'zoom', factor: 1.5 })} />
      <Tool icon="fit" label="Fit the whole schedule (f)" onClick={run({ type: 'fit' })} />
      <Tool
        icon="table"
        label="Show as table (t)"
        pressed={choices.table}
        onClick={() => choices.setTable(!choices.table)}
      />
      <ExportMenu
        choices={[
          { label: 'Picture as SVG', run: () => saveSvg(host, name('svg'), scene(), theme) },
          { label: 'Picture as PNG', run: () => savePng(host, name('png'), scene(), theme) },
          { label: 'Blocks as CSV', run: () => saveText(host, name('csv'), toCsv(model.blocks.count, columns)) },
        ]}
      />
      <Tool icon="keys" label="Keys (?)" onClick={props.onHelp} />
      <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
    </div>
  );
}

function Timeline(props: TimelineProps & { readonly onKind: (kind: string) => void }): JSX.Element {
  const { host, panel, model } = props;
  const { view } = model;
  const theme = useTheme();
  const choices = useChoices(model, panel);
  const { selected, choose, rank } = choices;
  const [help, setHelp] = useState(false);
  const handle = useRef<LanesHandle>(null);
  const follow = useRef<((axis: Axis) => void) | null>(null);
  const columns = useMemo(() => timelineColumns(model), [model]);
  const legend = useMemo(() => timelineLegend(model, theme), [model, theme]);
  const onCommand = useCommands(props, choices, handle, () => setHelp(true));
  return (
    <main class="panel">
      <header>
        <div class="head-line">
          <h1>{view.title}</h1>
          <KindPicker view={view} onKind={props.onKind} />
          <TimelineTools
            {...props}
            theme={theme}
            choices={choices}
            columns={columns}
            handle={handle}
            onHelp={() => setHelp(true)}
          />
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
        memory={choices.memory}
        row={choices.row}
        rank={rank}
        selected={selected}
        label={`Schedule of ${view.ranks} ranks. Arrow keys move between blocks, question mark lists all keys.`}
        kept={keptView(panel)}
        handle={handle}
        onSelect={choose}
        onRank={choices.setRank}
        onCommand={onCommand}
        onView={(kept) => panel.keep({ ...kept })}
        onAxis={(axis) => follow.current?.(axis)}
      />
      <footer>
        <Legend theme={theme} items={legend} note={shadeNote(model)} />
      </footer>
      {choices.table ? (
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
