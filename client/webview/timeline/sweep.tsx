import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import type { SweepRowView, SweepView } from '../../../server/src/protocol/timeline';
import { decimalsOf, fixed, gib, percent, short } from '../kit/format';
import { DataTable } from '../kit/table';
import type { TableColumn } from '../kit/table';
import { ticksOf } from '../kit/ticks';
import type { Extras } from './extras';
import { effectText } from './why';

const WIDTH = 520;
const HEIGHT = 240;
const LEFT = 60;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 34;

function weight(row: SweepRowView): number {
  return row.peakBytes ?? row.peakActivations;
}

interface Scale {
  readonly x: (step: number) => number;
  readonly y: (memory: number) => number;
  readonly steps: readonly [number, number];
  readonly memory: readonly [number, number];
}

/** Rows that cannot run would press the others into a corner: the axes end a little beyond those that can, the rest sits on the edge. */
function scaleOf(view: SweepView): Scale {
  const sorted = (values: number[]): number[] => values.sort((a, b) => a - b);
  const steps = sorted(view.rows.map(({ step }) => step));
  const weights = sorted(view.rows.map(weight));
  const own = view.rows.find((row) => row.own);
  const most = (values: number[], of: number): number => Math.min(values[values.length - 1] ?? 1, of);
  const fitting = view.rows.filter(({ fits }) => fits !== false);
  const slowest = Math.max(own?.step ?? 0, ...fitting.map(({ step }) => step));
  const fullest = Math.max(own === undefined ? 0 : weight(own), ...fitting.map(weight));
  const s0 = (steps[0] ?? 0) * 0.97;
  const s1 = most(steps, Math.min(slowest, 2 * (own?.step ?? Infinity))) * 1.02;
  const m0 = (weights[0] ?? 0) * 0.85;
  const m1 = view.capacityBytes === undefined ? fullest * 1.05 : Math.max(view.capacityBytes * 1.5, fullest * 1.05);
  const clamp = (share: number): number => Math.max(0, Math.min(1, share));
  return {
    x: (step) => LEFT + (WIDTH - LEFT - RIGHT) * clamp((step - s0) / Math.max(1e-9, s1 - s0)),
    y: (memory) => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * clamp((memory - m0) / Math.max(1e-9, m1 - m0)),
    steps: [s0, s1],
    memory: [m0, m1],
  };
}

function memoryText(view: SweepView, value: number): string {
  return view.rows.some(({ peakBytes }) => peakBytes !== undefined) ? `${gib(value)}` : short(value);
}

function Mark({ row, scale }: { readonly row: SweepRowView; readonly scale: Scale }): JSX.Element {
  const x = scale.x(row.step);
  const y = scale.y(weight(row));
  const name = row.own ? 'own' : row.fits === false ? 'full' : row.pareto ? 'best' : 'other';
  const text = `${row.title}, ${row.microbatches} microbatches, ${row.chunks} chunks: ${effectText(row.stepChange, row.bytesChange, row.fits)}`;
  // Shape besides colour: a diamond is the file's own, a square fits and is not beaten, a cross does not fit.
  const shape =
    name === 'own' ? (
      <path d={`M${x} ${y - 7}l7 7-7 7-7-7z`} />
    ) : name === 'full' ? (
      <path d={`M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`} />
    ) : name === 'best' ? (
      <rect x={x - 4.5} y={y - 4.5} width="9" height="9" />
    ) : (
      <circle cx={x} cy={y} r="3.5" />
    );
  return (
    <g class={`mark ${name}`}>
      {shape}
      <title>{text}</title>
    </g>
  );
}

function Axes({ view, scale }: { readonly view: SweepView; readonly scale: Scale }): JSX.Element {
  const steps = ticksOf(...scale.steps, 6);
  const weights = ticksOf(...(scale.memory.map((value) => value / weightUnit(view)) as [number, number]), 5);
  return (
    <g class="axes">
      {steps.values.map((value) => (
        <g key={`x${value}`}>
          <line x1={scale.x(value)} y1={TOP} x2={scale.x(value)} y2={HEIGHT - BOTTOM} />
          <text x={scale.x(value)} y={HEIGHT - BOTTOM + 13} text-anchor="middle">
            {fixed(value, decimalsOf(steps.step))}
          </text>
        </g>
      ))}
      {weights.values.map((value) => (
        <g key={`y${value}`}>
          <line
            x1={LEFT}
            y1={scale.y(value * weightUnit(view))}
            x2={WIDTH - RIGHT}
            y2={scale.y(value * weightUnit(view))}
          />
          <text x={LEFT - 6} y={scale.y(value * weightUnit(view)) + 4} text-anchor="end">
            {fixed(value, decimalsOf(weights.step))}
          </text>
        </g>
      ))}
      <text x={(LEFT + WIDTH - RIGHT) / 2} y={HEIGHT - 4} text-anchor="middle">
        {view.whole ? 'time of a step' : 'pipeline time of a step'}, {view.unit === 'ms' ? 'ms' : 'units'}, same batch
      </text>
      <text transform={`translate(12 ${(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)`} text-anchor="middle">
        {weightUnit(view) > 1 ? 'fullest rank, GiB' : 'activations, microbatches'}
      </text>
    </g>
  );
}

function weightUnit(view: SweepView): number {
  return view.rows.some(({ peakBytes }) => peakBytes !== undefined) ? 2 ** 30 : 1;
}

/** Time against memory: what lies left and below is better, the line joins what nothing beats. */
function ParetoChart({ view }: { readonly view: SweepView }): JSX.Element {
  const scale = useMemo(() => scaleOf(view), [view]);
  const best = view.rows.filter(({ pareto }) => pareto).sort((a, b) => a.step - b.step);
  const line = best.map((row) => `${scale.x(row.step).toFixed(1)},${scale.y(weight(row)).toFixed(1)}`).join(' ');
  const device = view.capacityBytes === undefined ? undefined : scale.y(view.capacityBytes);
  const label = `Step time against memory of ${view.rows.length} schedules; not beaten: ${best.map(({ title, microbatches }) => `${title} with ${microbatches} microbatches`).join(', ')}`;
  return (
    <svg class="pareto" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={label}>
      <Axes view={view} scale={scale} />
      {device === undefined ? null : (
        <g class="device">
          <line x1={LEFT} y1={device} x2={WIDTH - RIGHT} y2={device} />
          <text x={WIDTH - RIGHT} y={device - 4} text-anchor="end">
            device
          </text>
        </g>
      )}
      <polyline class="front" points={line} />
      {[...view.rows]
        .sort((a, b) => Number(a.own) - Number(b.own) || Number(a.pareto) - Number(b.pareto))
        .map((row) => (
          <Mark key={`${row.kind} ${row.microbatches} ${row.chunks}`} row={row} scale={scale} />
        ))}
    </svg>
  );
}

function columnsOf(view: SweepView): readonly TableColumn[] {
  const at = (row: number): SweepRowView | undefined => view.rows[row];
  const column = (
    title: string,
    key: (row: SweepRowView) => number | string,
    text: (row: SweepRowView) => string,
  ): TableColumn => ({
    title,
    numeric: title !== 'Schedule' && title !== 'Verdict',
    key: (row) => {
      const found = at(row);
      return found === undefined ? 0 : key(found);
    },
    text: (row) => {
      const found = at(row);
      return found === undefined ? '' : text(found);
    },
  });
  return [
    column(
      'Schedule',
      (row) => row.title,
      (row) => `${row.title}${row.own ? ' (the file)' : ''}`,
    ),
    column(
      'M',
      (row) => row.microbatches,
      (row) => String(row.microbatches),
    ),
    column(
      'V',
      (row) => row.chunks,
      (row) => String(row.chunks),
    ),
    column(
      `Step${view.unit === 'ms' ? ' (ms)' : ''}`,
      (row) => row.step,
      (row) => fixed(row.step, row.step >= 1000 ? 0 : 2),
    ),
    column(
      'Change',
      (row) => row.stepChange,
      (row) => `${row.stepChange < 0 ? '−' : '+'}${percent(Math.abs(row.stepChange))}`,
    ),
    column(
      'Bubble',
      (row) => row.bubble,
      (row) => percent(row.bubble),
    ),
    column(weightUnit(view) > 1 ? 'Fullest rank (GiB)' : 'Peak (microbatches)', weight, (row) =>
      memoryText(view, weight(row)),
    ),
    column(
      'Verdict',
      (row) => (row.fits === false ? 2 : row.pareto ? 0 : 1),
      (row) => (row.fits === false ? 'does not fit' : row.pareto ? 'not beaten' : ''),
    ),
  ];
}

/** Every schedule tried on the plan: chart, table, and what was refused. */
export function Sweep({ extras }: { readonly extras: Extras }): JSX.Element {
  const { sweep, sweeping } = extras;
  if (sweep === undefined)
    return (
      <section class="side" aria-label="Schedules compared">
        <p role="status">
          {sweeping
            ? 'Trying schedules … '
            : 'Every schedule, with several numbers of microbatches and chunks, on this plan. '}
          <button type="button" class="plain" onClick={sweeping ? extras.stopSweep : extras.askSweep}>
            {sweeping ? 'Stop' : 'Try them'}
          </button>
        </p>
      </section>
    );
  if ('empty' in sweep)
    return (
      <section class="side">
        <p>{sweep.reason}</p>
      </section>
    );
  return (
    <section class="side sweep" aria-label="Schedules compared">
      <div>
        <ParetoChart view={sweep} />
        <p class="note">◆ the file · ■ not beaten in time and memory · × does not fit · ○ others</p>
        {sweep.refused.map(({ title, reason }) => (
          <p key={title} class="note">
            {title}: {reason}
          </p>
        ))}
      </div>
      <DataTable
        caption="A row leads to its picture beside the file’s own schedule"
        rows={sweep.rows.length}
        columns={columnsOf(sweep)}
        selected={sweep.rows.findIndex((row) => row.own)}
        onSelect={(index) => {
          const row = sweep.rows[index];
          if (row !== undefined) extras.compare({ kind: row.kind, microbatches: row.microbatches, chunks: row.chunks });
        }}
      />
    </section>
  );
}
