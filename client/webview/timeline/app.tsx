import type { JSX, RefObject } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { Assumptions, EmptyState, LiveRegion, StaleBar } from '../kit/chrome';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import { Legend } from '../kit/swatch';
import { DataTable } from '../kit/table';
import { useTheme } from '../kit/theme';
import type { Theme } from '../kit/theme';
import { spoken } from '../kit/tooltip';
import { fitAxis, toValue } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { WhatIf } from '../kit/what-if';
import type { TrialValues } from '../kit/what-if';
import { useChoices } from './choices';
import type { Choices } from './choices';
import { CompareHead, Notices } from './compare';
import { blockName, describeBlock } from './describe';
import { useExtras } from './extras';
import type { Extras } from './extras';
import {
  shadeNote,
  DurationLine,
  FormulaLine,
  KindPicker,
  kindTitle,
  linksByRole,
  TimelineFacts,
  timelineLegend,
} from './head';
import { KEY_ROWS } from './keys';
import type { Command } from './keys';
import { Lanes } from './lanes';
import type { LanesHandle } from './lanes';
import type { KeptView } from './lane-view';
import { decodeMeasured } from './measured';
import type { MeasuredModel } from './measured';
import { Minimap } from './minimap';
import { chainOf, decodeTimeline } from './model';
import type { TimelineModel } from './model';
import { moveFrom } from './navigate';
import { Sweep } from './sweep';
import { timelineColumns } from './table';
import { TimelineTools } from './tools';
import { useTrial } from './trial';
import { Why } from './why';

/** The timeline panel: waits for the host's answer, then shows the schedule or why there is none. */
export function TimelineApp({ host }: { readonly host: Host }): JSX.Element {
  const panel = usePanel<TimelineView>(host, 'timeline');
  const { answer } = panel;
  const drawn = useMemo(() => (answer === undefined || isEmpty(answer) ? undefined : decodeTimeline(answer)), [answer]);
  const { model, notDrawn, trying, tryValues, values } = useTrial(drawn, answer);
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
    host.post({ type: 'request', ...(kind === undefined ? {} : { kind }), ...values() });
  }, []);
  const onValues = (next: TrialValues): void => {
    const kind = panel.kept['kind'];
    tryValues(next);
    host.post({ type: 'request', ...(typeof kind === 'string' ? { kind } : {}), ...values() });
  };
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
  const trial = { onValues, notDrawn, trying };
  return <Timeline key={model.view.uri} host={host} panel={panel} model={model} onKind={askKind} trial={trial} />;
}

export interface TimelineProps {
  readonly host: Host;
  readonly panel: Panel<TimelineView>;
  readonly model: TimelineModel;
}

function keptView(panel: Panel<TimelineView>): KeptView | undefined {
  const { start, zoom, scroll } = panel.kept;
  if (typeof start !== 'number' || typeof zoom !== 'number') return undefined;
  return { start, zoom, scroll: typeof scroll === 'number' ? scroll : 0 };
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
    else if (command.type === 'chain') choices.setCritical(!choices.critical);
    else if (command.type === 'why' || command.type === 'sweep')
      choices.setSide(choices.side === command.type ? '' : command.type);
    else if (command.type === 'rows') {
      const from = choices.row === 0 ? START_ROW : choices.row;
      choices.setRow(Math.max(MIN_ROW, Math.min(MAX_ROW, Math.round(from * command.factor))));
    } else if (command.type === 'reveal') {
      const link = linksByRole(view.links).get('kind') ?? view.links[0];
      if (link !== undefined) host.post({ type: 'reveal', link });
    }
  };
}

/** Two pictures on one axis: moving one moves the other, once. */
function useTwins(
  handles: readonly RefObject<LanesHandle | null>[],
  onAxis: (axis: Axis) => void,
): (from: number) => (axis: Axis) => void {
  const busy = useRef(false);
  return (from) => (axis) => {
    if (busy.current) return;
    busy.current = true;
    handles.forEach((handle, index) => {
      if (index !== from) handle.current?.setAxis(axis);
    });
    busy.current = false;
    onAxis(axis);
  };
}

function useMeasured(extras: Extras, model: TimelineModel): MeasuredModel | undefined {
  const { measured } = extras;
  return useMemo(
    () =>
      measured === undefined || 'empty' in measured
        ? undefined
        : decodeMeasured(measured, model.view.makespan, model.view.unit),
    [measured, model],
  );
}

interface PicturesProps extends TimelineProps {
  readonly choices: Choices;
  readonly extras: Extras;
  readonly theme: Theme;
  readonly handle: RefObject<LanesHandle | null>;
  readonly onCommand: (command: Command) => void;
}

/** Overview, lanes, and a second schedule's lanes on the same axis where one is compared. */
function Pictures({ panel, model, choices, extras, theme, handle, onCommand }: PicturesProps): JSX.Element {
  const { view } = model;
  const { compared } = extras;
  const other = useRef<LanesHandle>(null);
  const follow = useRef<((axis: Axis) => void) | null>(null);
  const twins = useTwins([handle, other], (axis) => follow.current?.(axis));
  const measured = useMeasured(extras, model);
  const extent = compared === undefined ? undefined : Math.max(view.makespan, compared.view.makespan);
  const shared = { theme, extent, row: choices.row, onCommand };
  const nothing = (): void => undefined;
  return (
    <>
      <Minimap model={model} theme={theme} follow={follow} onAxis={(axis) => handle.current?.setAxis(axis)} />
      {compared === undefined ? null : <CompareHead model={model} label="" extras={undefined} base={model} />}
      <Lanes
        {...shared}
        model={model}
        memory={choices.memory && compared === undefined}
        rank={choices.rank}
        selected={choices.selected}
        chain={choices.critical ? chainOf(model) : undefined}
        measured={measured}
        label={`Schedule of ${view.ranks} ranks. Arrow keys move between blocks, question mark lists all keys.`}
        kept={keptView(panel)}
        handle={handle}
        twin={other}
        onSelect={choices.choose}
        onRank={choices.setRank}
        onView={(kept) => panel.keep({ ...kept })}
        onAxis={twins(0)}
      />
      {compared === undefined ? null : (
        <>
          <CompareHead model={compared} label={extras.comparedLabel} extras={extras} base={model} />
          <Lanes
            {...shared}
            model={compared}
            memory={false}
            rank={-1}
            selected={-1}
            chain={choices.critical ? chainOf(compared) : undefined}
            label={`${kindTitle(compared.view.kind)} for comparison, on the same axis.`}
            kept={undefined}
            handle={other}
            twin={handle}
            onSelect={nothing}
            onRank={nothing}
            onView={nothing}
            onAxis={twins(1)}
          />
        </>
      )}
    </>
  );
}

interface WholeProps extends TimelineProps {
  readonly onKind: (kind: string) => void;
  readonly trial: {
    readonly onValues: (values: TrialValues) => void;
    readonly notDrawn: string | undefined;
    readonly trying: boolean;
  };
}

function Timeline(props: WholeProps): JSX.Element {
  const { host, panel, model } = props;
  const { view } = model;
  const theme = useTheme();
  const choices = useChoices(model, panel);
  const extras = useExtras(host, view.version);
  const { selected, choose } = choices;
  const [help, setHelp] = useState(false);
  const handle = useRef<LanesHandle>(null);
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
            extras={extras}
            onHelp={() => setHelp(true)}
          />
        </div>
        <TimelineFacts model={model} onReveal={(link) => host.post({ type: 'reveal', link })} />
        <FormulaLine model={model} />
        <DurationLine model={model} tried={props.trial.trying} />
      </header>
      <StaleBar reason={view.stale} />
      <Assumptions items={view.assumptions} />
      <Notices extras={extras} />
      <Pictures {...props} choices={choices} extras={extras} theme={theme} handle={handle} onCommand={onCommand} />
      <footer>
        <Legend theme={theme} items={legend} note={shadeNote(model)} />
      </footer>
      {choices.side === 'why' ? (
        <Why model={model} extras={extras} critical={choices.critical} onCritical={choices.setCritical} />
      ) : null}
      {choices.side === 'sweep' ? <Sweep extras={extras} /> : null}
      <WhatIf host={host} version={view.version} onValues={props.trial.onValues} notDrawn={props.trial.notDrawn} />
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
