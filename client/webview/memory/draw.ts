import { inkOn } from '../kit/color';
import type { Scene } from '../kit/export';
import { fixed, gib, short } from '../kit/format';
import type { Pen } from '../kit/pen';
import type { Size } from '../kit/surface';
import type { Theme } from '../kit/theme';
import { ticksOf } from '../kit/ticks';
import type { MemoryClassView, MemoryView } from '../../../server/src/protocol/memory';
import { PART_TEXTURES, scaleOf, segmentsOf } from './model';
import type { Segment, Selection } from './model';

const GIB = 2 ** 30;
export const TOP = 26;
export const ROW = 27;
const BAR = 18;
const TOTAL_COLUMN = 112;
const LABEL_MIN = 70;
const LABEL_MAX = 330;

export interface BarLayout {
  readonly left: number;
  readonly width: number;
  readonly height: number;
  readonly scroll: number;
  /** Bytes at the right edge. */
  readonly scale: number;
}

/** Labels get what they need up to two fifths of the window; the bars get the rest. */
export function barLayout(pen: Pick<Pen, 'textWidth'>, view: MemoryView, size: Size, scroll: number): BarLayout {
  const widest = view.classes.reduce((most, entry) => Math.max(most, pen.textWidth(entry.label, 11, true)), 0);
  const left = Math.round(Math.max(LABEL_MIN, Math.min(widest + 16, LABEL_MAX, size.width * 0.4)));
  return {
    left,
    width: Math.max(1, size.width - left - TOTAL_COLUMN),
    height: size.height,
    scroll,
    scale: scaleOf(view),
  };
}

/** Height of all bars with their head. */
export function barsHeight(view: MemoryView): number {
  return TOP + view.classes.length * ROW + 6;
}

export function barTop(layout: BarLayout, index: number): number {
  return TOP + index * ROW - layout.scroll + (ROW - BAR) / 2;
}

function toX(layout: BarLayout, bytes: number): number {
  return layout.left + (bytes / layout.scale) * layout.width;
}

/** The longest name of a bar that fits: stages with their ranks, with their number, or alone; whoever selects it sees all. */
function nameOf(pen: Pen, entry: MemoryClassView, width: number, bold: boolean): string {
  const [stages = '', ranks] = entry.label.split(' · ');
  const names = ranks === undefined ? [entry.label] : [entry.label, `${stages} · ${entry.count} ranks`, stages];
  return names.find((name) => pen.textWidth(name, 11, bold) <= width) ?? cut(pen, names.at(-1) ?? '', width, bold);
}

/** Cuts a text to a width, with an ellipsis. */
function cut(pen: Pen, text: string, width: number, bold: boolean): string {
  if (pen.textWidth(text, 11, bold) <= width) return text;
  let keep = text.length;
  while (keep > 1 && pen.textWidth(`${text.slice(0, keep)}…`, 11, bold) > width) keep -= 1;
  return `${text.slice(0, keep)}…`;
}

function drawSegment(pen: Pen, layout: BarLayout, theme: Theme, y: number, segment: Segment): void {
  const x = Math.round(toX(layout, segment.from));
  const width = Math.max(1, Math.round(toX(layout, segment.to)) - x);
  const gap = width > 3 ? 1 : 0;
  if (segment.part === 'slack' || segment.part === 'outside') {
    pen.texture(x, y, width - gap, BAR, segment.part === 'slack' ? 'slash' : 'backslash', theme.data.grid);
    pen.frame(x + 0.5, y + 0.5, Math.max(0.5, width - gap - 1), BAR - 1, { color: theme.muted, width: 1 });
    return;
  }
  const fill = theme.data.parts[segment.part];
  const ink = inkOn(fill);
  pen.rect(x, y, width - gap, BAR, fill);
  pen.texture(
    x,
    y,
    width - gap,
    BAR,
    PART_TEXTURES[segment.part],
    ink === '#000000' ? theme.data.hatchOnLight : theme.data.hatchOnDark,
  );
  const text = gib(segment.to - segment.from);
  const plate = pen.textWidth(text, 11) + 6;
  if (width < plate + 4) return;
  // The figure stands on plain ground: a hatch under small digits makes them hard to read.
  if (PART_TEXTURES[segment.part] !== 'none') pen.rect(x + (width - plate) / 2, y + 2, plate, BAR - 4, fill);
  pen.text(text, x + width / 2, y + BAR / 2, { fill: ink, size: 11, align: 'center' });
}

function drawRow(pen: Pen, view: MemoryView, layout: BarLayout, theme: Theme, index: number, selected: boolean): void {
  const entry = view.classes[index];
  if (entry === undefined) return;
  const y = barTop(layout, index);
  const middle = y + BAR / 2;
  pen.rect(layout.left, y, layout.width, BAR, theme.data.lane);
  const label = nameOf(pen, entry, layout.left - 14, selected);
  pen.text(label, layout.left - 10, middle, {
    fill: selected ? theme.foreground : theme.muted,
    size: 11,
    align: 'right',
    bold: selected,
  });
  for (const segment of segmentsOf(entry)) drawSegment(pen, layout, theme, y, segment);
  const right = layout.left + layout.width;
  pen.text(gib(entry.total), right + 50, middle, { fill: theme.foreground, size: 11, align: 'right', bold: true });
  const capacity = view.gpu?.capacityBytes;
  if (capacity === undefined) return;
  const left = capacity - entry.total;
  const text = `${left < 0 ? '−' : ''}${gib(Math.abs(left))}`;
  pen.text(text, right + TOTAL_COLUMN - 6, middle, {
    fill: left < 0 ? theme.data.limit : theme.muted,
    size: 11,
    align: 'right',
    bold: left < 0,
  });
}

function drawHead(pen: Pen, view: MemoryView, layout: BarLayout, theme: Theme, bottom: number): void {
  const style = { fill: theme.muted, size: 11 } as const;
  const capacity = view.gpu?.capacityBytes;
  const line = capacity === undefined ? -Infinity : toX(layout, capacity);
  const right = layout.left + layout.width;
  const device = `device ${short((capacity ?? 0) / GIB, 1)}`;
  const align = line > right - 30 ? 'right' : 'center';
  const wide = pen.textWidth(device, 11, true);
  const from = align === 'right' ? line - wide : line - wide / 2;
  const { step, values } = ticksOf(0, layout.scale / GIB, Math.max(2, layout.width / 80));
  pen.text('GiB', layout.left - 10, 13, { ...style, align: 'right' });
  for (const value of values) {
    const x = Math.round(toX(layout, value * GIB));
    pen.rect(x, 21, 1, bottom - 21, theme.data.grid);
    // The device's own figure stands at its line; a tick beside it would run into it.
    if (x < from - 14 || x > from + wide + 14)
      pen.text(fixed(value, step < 1 ? 1 : 0), x, 13, { ...style, align: 'center' });
  }
  pen.text('total', right + 50, 13, { ...style, align: 'right' });
  if (capacity === undefined) return;
  pen.text('left', right + TOTAL_COLUMN - 6, 13, { ...style, align: 'right' });
  pen.text(device, line, 13, {
    fill: theme.data.limit,
    size: 11,
    align,
    bold: true,
  });
}

/** The device's line over all bars. */
function drawLimit(pen: Pen, view: MemoryView, layout: BarLayout, theme: Theme, bottom: number): void {
  const capacity = view.gpu?.capacityBytes;
  if (capacity === undefined) return;
  const x = Math.round(toX(layout, capacity));
  pen.line([x, 21, x, bottom], { color: theme.background, width: 4 });
  pen.line([x, 21, x, bottom], { color: theme.data.limit, width: 2 });
}

/** All bars in view, the device's line and the columns of figures. */
export function drawBars(pen: Pen, view: MemoryView, layout: BarLayout, theme: Theme, selected: number): void {
  const bottom = Math.min(layout.height, TOP + view.classes.length * ROW - layout.scroll);
  drawHead(pen, view, layout, theme, bottom);
  pen.clipped(0, TOP, layout.left + layout.width + TOTAL_COLUMN, layout.height - TOP, () => {
    const first = Math.max(0, Math.floor(layout.scroll / ROW));
    const last = Math.min(view.classes.length - 1, Math.ceil((layout.scroll + layout.height) / ROW));
    for (let index = first; index <= last; index += 1) drawRow(pen, view, layout, theme, index, index === selected);
  });
  drawLimit(pen, view, layout, theme, bottom);
}

/** The selected and the pointed-at bar or part. */
export function drawMarks(pen: Pen, view: MemoryView, layout: BarLayout, theme: Theme, marks: readonly Mark[]): void {
  pen.clipped(0, TOP - 3, layout.left + layout.width + TOTAL_COLUMN, layout.height - TOP + 3, () => {
    for (const { selection, color, width } of marks) {
      const entry = view.classes[selection.index];
      if (entry === undefined) continue;
      const segment = segmentsOf(entry).find((candidate) => candidate.part === selection.part);
      const from = Math.round(toX(layout, segment?.from ?? 0));
      const to = Math.round(toX(layout, segment?.to ?? entry.total));
      const y = barTop(layout, selection.index);
      pen.frame(from - 2, y - 2, to - from + 3, BAR + 4, { color: theme.background, width: width + 2 });
      pen.frame(from - 2, y - 2, to - from + 3, BAR + 4, { color, width });
    }
  });
}

export interface Mark {
  readonly selection: Selection;
  readonly color: string;
  readonly width: number;
}

/** The bar, and the stretch of it, under a point; index -1 outside. */
export function barAt(view: MemoryView, layout: BarLayout, x: number, y: number): Selection {
  const index = Math.floor((y - TOP + layout.scroll) / ROW);
  const entry = y < TOP ? undefined : view.classes[index];
  if (entry === undefined) return { index: -1 };
  const bytes = ((x - layout.left) / layout.width) * layout.scale;
  const segment = x < layout.left ? undefined : segmentsOf(entry).find(({ from, to }) => bytes >= from && bytes < to);
  return segment === undefined ? { index } : { index, part: segment.part };
}

/** The picture for a file: all bars. */
export function memoryScene(view: MemoryView, theme: Theme, selected: number): Scene {
  const width = 1100;
  const height = barsHeight(view);
  return {
    title: view.title,
    width,
    height,
    draw: (pen) => drawBars(pen, view, barLayout(pen, view, { width, height }, 0), theme, selected),
  };
}
