import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import type { MemoryView } from '../../../server/src/protocol/memory';
import { Assumptions, EmptyState, ExportMenu, Facts, LiveRegion, PinTool, StaleBar, Tool } from '../kit/chrome';
import type { Fact } from '../kit/chrome';
import { exportName, savePng, saveSvg, saveText } from '../kit/export';
import { bytesText, count, gib, integer } from '../kit/format';
import type { Host } from '../kit/host';
import { KeyHelp } from '../kit/key-help';
import type { KeyRow } from '../kit/key-help';
import { isEmpty, usePanel } from '../kit/panel';
import type { Panel } from '../kit/panel';
import type { Scene } from '../kit/export';
import { withLegend } from '../kit/legend-scene';
import { Legend } from '../kit/swatch';
import type { LegendItem } from '../kit/swatch';
import { DataTable, toCsv } from '../kit/table';
import type { TableColumn } from '../kit/table';
import { useTheme } from '../kit/theme';
import type { Theme } from '../kit/theme';
import { spoken } from '../kit/tooltip';
import { WhatIf } from '../kit/what-if';
import { Bars } from './bars';
import { describeBar } from './describe';
import { Detail, partSample, Summaries } from './detail';
import { memoryScene } from './draw';
import { Fit } from './fit';
import { PART_TITLES, PARTS, partsPresent } from './model';
import type { Selection } from './model';
import { Numerics } from './numerics';

const KEY_ROWS: readonly KeyRow[] = [
  ['↑ ↓', 'group of ranks above, below'],
  ['← →', 'part of the bar to the left, right'],
  ['Home End', 'first, last group of ranks'],
  ['Enter', 'to the list of what the part is made of'],
  ['Esc', 'the whole bar again'],
  ['t', 'table on, off'],
  ['?', 'this list'],
];

/** The memory panel: waits for the host's answer, then shows where the bytes go or why that is not known. */
export function MemoryApp({ host }: { readonly host: Host }): JSX.Element {
  const panel = usePanel<MemoryView>(host, 'memory');
  const { answer } = panel;
  if (answer === undefined) return <main class="panel" aria-busy="true" />;
  if (isEmpty(answer)) {
    return (
      <main class="panel">
        <h1 class="sr-only">Memory</h1>
        <EmptyState reason={answer.reason} />
      </main>
    );
  }
  return <Memory key={answer.uri} host={host} panel={panel} view={answer} />;
}

function facts(view: MemoryView): readonly Fact[] {
  const { model, gpu, peak } = view;
  const list: Fact[] = [
    {
      label: 'Model',
      value: model.name,
      note: `${count(model.parameters)} parameters, ${count(model.activeParameters)} active`,
    },
  ];
  if (view.classes.length === 0) return list;
  list.push({
    label: 'GPUs',
    value: integer(view.worldSize),
    ...(gpu === undefined ? {} : { note: `${gpu.name}, ${gib(gpu.capacityBytes)} GiB` }),
  });
  const over = gpu !== undefined && peak.bytes > gpu.capacityBytes;
  list.push({
    label: 'Fullest rank',
    value: `${gib(peak.bytes)} GiB`,
    note: `rank ${peak.rank}`,
    ...(over ? { tone: 'bad' } : {}),
  });
  if (gpu !== undefined) {
    const short = view.classes
      .filter((entry) => entry.total > gpu.capacityBytes)
      .reduce((sum, entry) => sum + entry.count, 0);
    list.push({
      label: 'Fits',
      value: short === 0 ? 'yes' : 'no',
      ...(short === 0 ? {} : { note: `${integer(short)} of ${integer(view.worldSize)} GPUs too small`, tone: 'bad' }),
    });
  }
  return list;
}

/** The table twin: one row a rank class, one column a part, in bytes for the export and GiB on the screen. */
function memoryColumns(view: MemoryView): readonly TableColumn[] {
  const figure = (title: string, value: (row: number) => number): TableColumn => ({
    title,
    fileTitle: `${title} (bytes)`,
    numeric: true,
    text: (row) => gib(value(row)),
    key: (row) => Math.round(value(row)),
  });
  const present = new Set(partsPresent(view));
  return [
    {
      title: 'Ranks',
      numeric: false,
      text: (row) => view.classes[row]?.label ?? '',
      key: (row) => view.classes[row]?.label ?? '',
    },
    {
      title: 'GPUs',
      numeric: true,
      text: (row) => integer(view.classes[row]?.count ?? 0),
      key: (row) => view.classes[row]?.count ?? 0,
    },
    ...PARTS.filter((part) => present.has(part)).map((part) =>
      figure(PART_TITLES[part], (row) => view.classes[row]?.parts[part] ?? 0),
    ),
    figure('Allocated', (row) => view.classes[row]?.allocated ?? 0),
    figure('Reserved', (row) => view.classes[row]?.reserved ?? 0),
    figure('Total', (row) => view.classes[row]?.total ?? 0),
  ];
}

function legend(view: MemoryView, theme: Theme): readonly LegendItem[] {
  const rest =
    (texture: 'slash' | 'backslash'): LegendItem['draw'] =>
    (pen, width, height) => {
      pen.texture(0, 0, width, height, texture, theme.data.grid);
      pen.frame(0.5, 0.5, width - 1, height - 1, { color: theme.muted, width: 1 });
    };
  return [
    ...partsPresent(view).map((part) => ({ label: PART_TITLES[part], draw: partSample(theme, part) })),
    { label: PART_TITLES.slack, draw: rest('slash') },
    { label: PART_TITLES.outside, draw: rest('backslash') },
  ];
}

/** The selected bar and part, kept by index and name; the fullest rank to begin with. */
function useSelection(view: MemoryView, panel: Panel<MemoryView>): readonly [Selection, (next: Selection) => void] {
  const [selection, set] = useState<Selection>(() => {
    const { row, part } = panel.kept;
    const index = typeof row === 'number' ? row : view.peak.classIndex;
    const known = typeof part === 'string' && part in PART_TITLES ? (part as Selection['part']) : undefined;
    return { index, part: known };
  });
  const change = (next: Selection): void => {
    set(next);
    panel.keep({ row: next.index, part: next.part });
  };
  const inside = Math.min(selection.index, view.classes.length - 1);
  return [useMemo(() => ({ ...selection, index: inside }), [selection, inside]), change];
}

interface MemoryProps {
  readonly host: Host;
  readonly panel: Panel<MemoryView>;
  readonly view: MemoryView;
}

function Memory({ host, panel, view }: MemoryProps): JSX.Element {
  const theme = useTheme();
  const [selection, select] = useSelection(view, panel);
  const [table, setTableState] = useState(panel.kept['table'] === true);
  const [help, setHelp] = useState(false);
  const region = useRef<HTMLElement>(null);
  const columns = useMemo(() => memoryColumns(view), [view]);
  const samples = useMemo(() => legend(view, theme), [view, theme]);
  const setTable = (on: boolean): void => {
    setTableState(on);
    panel.keep({ table: on });
  };
  const onKey = (key: string): boolean => {
    if (key === 't') setTable(!table);
    else if (key === '?') setHelp(true);
    else return false;
    return true;
  };
  const described = describeBar(view, selection);
  return (
    <main class="panel">
      <header>
        <div class="head-line">
          <h1>{view.title}</h1>
          <MemoryTools
            host={host}
            view={view}
            panel={panel}
            theme={theme}
            selected={selection.index}
            columns={columns}
            table={table}
            onTable={setTable}
            onHelp={() => setHelp(true)}
          />
        </div>
        <Facts facts={facts(view)} />
        <Summaries view={view} />
      </header>
      <StaleBar reason={view.stale} />
      <Assumptions items={view.assumptions} />
      {view.classes.length === 0 ? (
        <EmptyState
          reason={`This file describes a model; its weights take ${bytesText(view.checkpoint.bytes)}. A plan with parallel degrees adds the memory of every rank.`}
        />
      ) : (
        <>
          <Bars
            view={view}
            theme={theme}
            selection={selection}
            scroll={typeof panel.kept['scroll'] === 'number' ? panel.kept['scroll'] : 0}
            onSelect={select}
            onOpen={() => region.current?.focus()}
            onScroll={(scroll) => panel.keep({ scroll })}
            onKey={onKey}
          />
          <Legend theme={theme} items={samples} />
          {table ? (
            <DataTable
              caption="Memory by rank and part, in GiB"
              rows={view.classes.length}
              columns={columns}
              selected={selection.index}
              onSelect={(index) => select({ index })}
            />
          ) : (
            <Detail
              view={view}
              theme={theme}
              selection={selection}
              region={region}
              onReveal={(link) => host.post({ type: 'reveal', link })}
              onAll={() => select({ index: selection.index })}
            />
          )}
          <Fit view={view} options={view.options ?? []} onReveal={(link) => host.post({ type: 'reveal', link })} />
          <WhatIf host={host} version={view.version} />
          {view.numerics === undefined ? null : <Numerics numerics={view.numerics} />}
        </>
      )}
      {help ? <KeyHelp rows={KEY_ROWS} onClose={() => setHelp(false)} /> : null}
      <LiveRegion text={described === undefined ? '' : spoken(described)} />
    </main>
  );
}

interface MemoryToolsProps extends MemoryProps {
  readonly theme: Theme;
  readonly selected: number;
  readonly columns: readonly TableColumn[];
  readonly table: boolean;
  readonly onTable: (on: boolean) => void;
  readonly onHelp: () => void;
}

function MemoryTools({
  host,
  view,
  panel,
  theme,
  selected,
  columns,
  table,
  onTable,
  onHelp,
}: MemoryToolsProps): JSX.Element {
  const name = (extension: string): string => exportName(view.uri, 'memory', extension);
  const scene = (): Scene => withLegend(memoryScene(view, theme, selected), legend(view, theme), theme);
  return (
    <div class="tools">
      <Tool icon="table" label="Show as table (t)" pressed={table} onClick={() => onTable(!table)} />
      <ExportMenu
        choices={[
          { label: 'Picture as SVG', run: () => saveSvg(host, name('svg'), scene(), theme) },
          { label: 'Picture as PNG', run: () => savePng(host, name('png'), scene(), theme) },
          { label: 'Table as CSV', run: () => saveText(host, name('csv'), toCsv(view.classes.length, columns)) },
        ]}
      />
      <Tool icon="keys" label="Keys (?)" onClick={onHelp} />
      <PinTool pinned={panel.pinned} onPin={panel.setPinned} />
    </div>
  );
}
