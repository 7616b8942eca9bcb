import type { JSX } from 'preact';
import type { SourceLink } from '../../../server/src/protocol/common';
import type { TimelineView } from '../../../server/src/protocol/timeline';
import { Facts, OtherLinks } from '../kit/chrome';
import type { Fact } from '../kit/chrome';
import { fixed, gib, percent, short } from '../kit/format';
import type { Pen } from '../kit/pen';
import type { LegendItem } from '../kit/swatch';
import type { Theme } from '../kit/theme';
import { opWord, timeText } from './describe';
import { shadeMeaning } from './model';
import type { TimelineModel } from './model';
import { blockStyles } from './style';

export type LinkRole = 'ranks' | 'microbatches' | 'chunks' | 'kind';

// Spellings of the frameworks, most telling first: `virtual_pipeline_model_parallel_size` is about chunks, not about ranks.
const SPELLINGS: readonly (readonly [LinkRole, RegExp])[] = [
  ['chunks', /virtual|chunk|interleav|vpp|stages_per_rank|layers_per_stage/i],
  ['kind', /schedule|pipeline.*(engine|kind|algorithm)|^kind$/i],
  ['microbatches', /micro.?batch|grad.*accum|num_chunks|global_batch/i],
  ['ranks', /pipeline|\bpp\b|pp_size|stages/i],
];

/** Which of the panel's figures a config line decides; undefined when its spelling does not say. */
export function linkRole(link: SourceLink): LinkRole | undefined {
  return SPELLINGS.find(([, pattern]) => pattern.test(link.label))?.[0];
}

/** The config line behind each figure, where the file has one. */
export function linksByRole(links: readonly SourceLink[]): ReadonlyMap<LinkRole, SourceLink> {
  const found = new Map<LinkRole, SourceLink>();
  for (const link of links) {
    const role = linkRole(link);
    if (role !== undefined && !found.has(role)) found.set(role, link);
  }
  return found;
}

const KIND_TITLES: Readonly<Record<string, string>> = {
  gpipe: 'GPipe',
  '1f1b': '1F1B',
  interleaved: 'Interleaved 1F1B',
  'interleaved-torch': 'Interleaved 1F1B (torch)',
  'looped-bfs': 'Looped BFS',
  'zb-h1': 'ZB-H1',
  'zb-h2': 'ZB-H2',
  'zb-v': 'ZB-V',
  'v-half': 'V-Half',
  'v-min': 'V-Min',
  dualpipe: 'DualPipe',
  dualpipev: 'DualPipeV',
  '1f1b-ep-overlap': '1F1B with EP overlap',
  'interleaved-zb-torch': 'Interleaved zero bubble (torch)',
  'zbv-torch': 'ZBV (torch)',
  custom: 'From a file',
};

export function kindTitle(kind: string): string {
  return KIND_TITLES[kind] ?? kind;
}

const DEFAULT_KINDS: readonly string[] = ['1f1b', 'interleaved', 'dualpipe', 'dualpipev'];

export interface KindPickerProps {
  readonly view: TimelineView;
  readonly onKind: (kind: string) => void;
}

/** Draws the same config under another schedule; the file is not touched. */
export function KindPicker({ view, onKind }: KindPickerProps): JSX.Element {
  const offered = view.kinds ?? DEFAULT_KINDS;
  const kinds = offered.includes(view.kind) ? offered : [view.kind, ...offered];
  return (
    <label class="picker">
      <span class="label">Schedule</span>
      <select value={view.kind} onChange={(event) => onKind(event.currentTarget.value)}>
        {kinds.map((kind) => (
          <option key={kind} value={kind} selected={kind === view.kind}>
            {kindTitle(kind)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Peak of the fullest rank, in bytes where they are known. */
function peakFact(model: TimelineModel): Fact {
  const { view, peakRank } = model;
  const chunks = view.peakActivations[peakRank] ?? 0;
  const { bytesPerUnit: mean, bytesPerUnitOfRank, capacityBytes, staticBytes } = view.memory;
  const bytesPerUnit = bytesPerUnitOfRank?.[peakRank] ?? mean;
  const bytes = bytesPerUnit === undefined ? undefined : (staticBytes?.[peakRank] ?? 0) + chunks * bytesPerUnit;
  const full = capacityBytes !== undefined && bytes !== undefined && bytes > capacityBytes;
  return {
    label: 'Peak',
    value: `${short(chunks)} chunks`,
    note: bytes === undefined ? `rank ${peakRank}` : `rank ${peakRank}, ${gib(bytes)} GiB with its static part`,
    ...(full ? { tone: 'bad' } : {}),
  };
}

export interface HeadProps {
  readonly model: TimelineModel;
  readonly onReveal: (link: SourceLink) => void;
}

/** What the file says, as buttons that lead to its lines, and what follows from it. */
export function TimelineFacts({ model, onReveal }: HeadProps): JSX.Element {
  const { view } = model;
  const links = linksByRole(view.links);
  const chip = (role: LinkRole, label: string, value: string): Fact => {
    const link = links.get(role);
    return { label, value, ...(link === undefined ? {} : { onReveal: () => onReveal(link) }) };
  };
  const shown = new Set(links.values());
  const others = view.links.filter((link) => !shown.has(link));
  return (
    <>
      <Facts
        facts={[
          ...(links.has('kind') ? [chip('kind', 'Kind', kindTitle(view.kind))] : []),
          chip('ranks', 'PP', String(view.ranks)),
          chip('microbatches', 'Microbatches', String(view.microbatches)),
          chip('chunks', 'Chunks a rank', String(view.chunks)),
          { label: 'Makespan', value: timeText(model, view.makespan) },
          { label: 'Bubble', value: percent(view.bubble), note: 'idle / T, mean over ranks' },
          peakFact(model),
        ]}
      />
      <OtherLinks links={others} onReveal={onReveal} />
    </>
  );
}

/** The closed form beside the simulated value. */
export function FormulaLine({ model }: { readonly model: TimelineModel }): JSX.Element | null {
  const { formula, makespan } = model.view;
  if (formula === undefined) return null;
  const same = Math.abs(formula.value - makespan) <= 1e-6 * Math.max(1, Math.abs(makespan));
  const verdict = formula.exact ? 'exact' : same ? 'agrees here' : `simulated ${timeText(model, makespan)}`;
  return (
    <p class="formula">
      <span class="label">Closed form</span> <code>{formula.text}</code> = {timeText(model, formula.value)}{' '}
      <span class="badge">{verdict}</span>
    </p>
  );
}

/** `F = 1, B = 2, …`: only what this schedule uses. */
export function DurationLine({
  model,
  tried,
}: {
  readonly model: TimelineModel;
  readonly tried: boolean;
}): JSX.Element {
  const { durations, unit, timing } = model.view;
  const used = new Set(model.styles.map((style) => style >> 1));
  const parts = (
    [
      ['F', 0],
      ['B', 1],
      ['I', 2],
      ['W', 3],
      ['FB', 4],
    ] as const
  )
    .filter(([, op]) => used.has(op))
    .map(([name]) => `${name === 'FB' ? 'F&B' : name} = ${short(durations[name])}`);
  return (
    <p class="formula">
      <span class="label">Durations</span> {parts.join(', ')}, p2p = {short(durations.comm)}
      {unit === 'ms' ? ' ms' : ' (relative)'}
      {timing?.origin === 'model' ? (
        <span class="note"> a stage, mean: cost model of {timing.basis ?? 'this plan'}</span>
      ) : null}
      {timing?.origin === 'stated' ? (
        <span class="note">
          {' as the file says'}
          {tried ? ', scaled to the values tried' : ''}
          {timing.modelled === undefined ? '' : `; the cost model's step takes ${fixed(timing.modelled, 2)}\u00a0s`}
        </span>
      ) : null}
    </p>
  );
}

/** A sample of every kind of block that occurs, with its hatch; where two shades have a meaning, both side by side. */
export function timelineLegend(model: TimelineModel, theme: Theme): readonly LegendItem[] {
  const styles = blockStyles(theme.data);
  const both = shadeMeaning(model.view) !== undefined;
  const sample = (pen: Pen, op: number, direction: number, x: number, width: number, height: number): void => {
    const style = styles[op * 2 + direction];
    if (style === undefined) return;
    pen.rect(x, 0, width, height, style.fill);
    pen.texture(x, 0, width, height, style.texture, style.hatch);
  };
  const kinds = new Set(model.styles.map((style) => style >> 1));
  const items: LegendItem[] = [0, 1, 2, 3]
    .filter((op) => kinds.has(op) || (kinds.has(4) && op < 2))
    .map((op) => ({
      label: `${'FBIW'[op] ?? ''} ${opWord(op)}`,
      draw: (pen, width, height) => {
        sample(pen, op, 0, 0, both ? width / 2 - 1 : width, height);
        if (both) sample(pen, op, 1, width / 2 + 1, width / 2 - 1, height);
      },
    }));
  if (kinds.has(4)) {
    items.push({
      label: 'F&B overlapped',
      draw: (pen, width, height) => {
        sample(pen, 0, 0, 0, width / 2, height);
        sample(pen, 1, both ? 1 : 0, width / 2, width / 2, height);
        pen.frame(0.5, 0.5, width - 1, height - 1, { color: theme.foreground, width: 1 });
      },
    });
  }
  items.push({ label: 'idle', draw: (pen, width, height) => pen.rect(0, 0, width, height, theme.data.lane) });
  return items;
}

/** What the two shades mean, in words. */
export function shadeNote(model: TimelineModel): string | undefined {
  const { view } = model;
  switch (shadeMeaning(view)) {
    case 'direction':
      return `light: › enters at rank 0, deep and denser hatch: ‹ enters at rank ${view.ranks - 1}`;
    case 'chunk':
      return view.stages <= 2 * view.ranks
        ? 'light: first chunk of a rank, deep and denser hatch: second'
        : 'light: chunks 0, 2, … of a rank, deep and denser hatch: 1, 3, …';
    default:
      return undefined;
  }
}
