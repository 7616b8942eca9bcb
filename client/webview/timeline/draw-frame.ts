import { decimalsOf, fixed, percent } from '../kit/format';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { ticksOf } from '../kit/ticks';
import { endOf, toPixel } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { rowTop, visibleRanks } from './layout';
import type { LaneLayout } from './layout';
import type { TimelineModel } from './model';

const SMALL = 11;

/** The time scale above the lanes, with fine lines down to the bottom of the picture. */
export function drawAxis(pen: Pen, model: TimelineModel, axis: Axis, layout: LaneLayout, theme: Theme): void {
  const { step, values } = ticksOf(axis.start, endOf(axis), Math.max(2, layout.width / 90));
  const decimals = decimalsOf(step);
  pen.text(model.view.unit === 'ms' ? 'ms' : 'F = 1', layout.left - 10, 12, {
    fill: theme.muted,
    size: SMALL,
    align: 'right',
  });
  for (const value of values) {
    const x = layout.left + toPixel(axis, value);
    const text = fixed(value, decimals);
    // The last figure may not run into the idle column's head.
    const align = x > layout.left + layout.width - 20 ? 'right' : x < layout.left + 10 ? 'left' : 'center';
    pen.text(text, x, 12, { fill: theme.muted, size: SMALL, align });
    const edge = Math.round(x / layout.snap) * layout.snap;
    pen.rect(edge, 19, layout.snap, layout.bottom - 19, theme.data.grid);
  }
}

/** Lanes: what shows through between blocks is idle time. */
export function drawTracks(pen: Pen, layout: LaneLayout, theme: Theme): void {
  const [first, last] = visibleRanks(layout);
  for (let rank = first; rank <= last; rank += 1) {
    pen.rect(layout.left, rowTop(layout, rank), layout.width, layout.barHeight, theme.data.lane);
  }
}

/** Rank numbers on the left, each rank's idle share on the right; every n-th where rows are thin. */
export function drawGutters(pen: Pen, model: TimelineModel, layout: LaneLayout, theme: Theme, selected: number): void {
  const [first, last] = visibleRanks(layout);
  const every = layout.rowHeight >= 13 ? 1 : Math.ceil(13 / layout.rowHeight);
  const x = layout.left + layout.width + layout.right - 6;
  for (let rank = first; rank <= last; rank += 1) {
    if (rank % every !== 0 && rank !== selected) continue;
    const y = rowTop(layout, rank) + layout.barHeight / 2;
    const bold = rank === selected;
    const fill = bold ? theme.foreground : theme.muted;
    pen.text(String(rank), layout.left - 10, y, { fill, size: SMALL, align: 'right', bold });
    const idle = (model.view.idle[rank] ?? 0) / model.view.makespan;
    pen.text(percent(Number.isFinite(idle) ? idle : 0), x, y, { fill, size: SMALL, align: 'right', bold });
  }
}

export function drawHeads(pen: Pen, layout: LaneLayout, theme: Theme): void {
  const style = { fill: theme.muted, size: SMALL, align: 'right' } as const;
  pen.text('idle', layout.left + layout.width + layout.right - 6, 12, style);
}
