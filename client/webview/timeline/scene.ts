import type { Scene } from '../kit/export';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { resized, zoomOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { drawAxis, drawGutters, drawHeads, drawTracks } from './draw-frame';
import { createLaneScratch, drawBlocks } from './draw-lanes';
import type { LaneScratch } from './draw-lanes';
import { drawMemory } from './draw-memory';
import { AXIS_HEIGHT, GUTTER, IDLE_COLUMN, layoutOf } from './layout';
import type { LaneLayout } from './layout';
import type { TimelineModel } from './model';
import { blockStyles } from './style';

/** The whole picture at rest; the screen and the exports draw exactly this. */
export function drawTimeline(
  pen: Pen,
  model: TimelineModel,
  axis: Axis,
  layout: LaneLayout,
  theme: Theme,
  rank: number,
  scratch: LaneScratch,
): void {
  drawAxis(pen, model, axis, layout, theme);
  drawHeads(pen, layout, theme);
  const height = layout.bottom - layout.top;
  pen.clipped(0, layout.top, layout.left + layout.width + layout.right, height, () => {
    drawTracks(pen, layout, theme);
    drawGutters(pen, model, layout, theme, rank);
    pen.clipped(layout.left, layout.top, layout.width, height, () => {
      drawBlocks(pen, { model, axis, layout, styles: blockStyles(theme.data), frame: theme.muted }, scratch);
    });
  });
  drawMemory(pen, model, rank, axis, layout, theme);
}

/** Widths between which an exported picture of the whole schedule is chosen, so that its numbers can be read on paper. */
const MIN_EXPORT = 900;
const MAX_EXPORT = 4_000;
const READABLE_BLOCK = 18;
const EXPORT_ROW = 24;
const EXPORT_MEMORY = 150;

/** The picture for a file: all ranks; the whole time when nothing is zoomed, else the window that is seen. */
export function timelineScene(model: TimelineModel, axis: Axis, rank: number, memory: boolean, theme: Theme): Scene {
  const readable = (model.view.makespan / model.shortest) * READABLE_BLOCK;
  const whole = zoomOf(axis) <= 1.001;
  const plot = whole ? Math.max(MIN_EXPORT, Math.min(MAX_EXPORT, readable)) : Math.max(MIN_EXPORT, axis.width);
  const row = model.view.ranks > 64 ? 12 : EXPORT_ROW;
  const width = Math.round(GUTTER + plot + IDLE_COLUMN);
  const height = AXIS_HEIGHT + model.view.ranks * row + (memory ? EXPORT_MEMORY : 12);
  const layout = layoutOf({ width, height }, model.view.ranks, { row, scroll: 0, memory, snap: 0.5 });
  return {
    title: model.view.title,
    width,
    height,
    draw: (pen) => drawTimeline(pen, model, resized(axis, plot), layout, theme, rank, createLaneScratch()),
  };
}
