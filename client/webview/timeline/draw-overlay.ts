import { arrowHead } from '../kit/pen';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { toPixel } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { rowTop } from './layout';
import type { LaneLayout } from './layout';
import { rankOf } from './model';
import type { TimelineModel } from './model';

/** What lies over the blocks: it changes with the pointer, so it has a canvas of its own and the blocks are not drawn again. */
export interface OverlayState {
  readonly hovered: number;
  readonly selected: number;
  /** Pointer time for the hair line; undefined when the pointer is elsewhere. */
  readonly time: number | undefined;
  readonly focused: boolean;
  /** Where playback stands; later blocks are pushed back. */
  readonly play: number | undefined;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export function blockBox(model: TimelineModel, axis: Axis, layout: LaneLayout, index: number): Box {
  const x = layout.left + toPixel(axis, model.blocks.start[index] ?? 0);
  const end = layout.left + toPixel(axis, model.blocks.end[index] ?? 0);
  return { x, y: rowTop(layout, rankOf(model.blocks, index)), width: Math.max(2, end - x), height: layout.barHeight };
}

function outline(pen: Pen, box: Box, theme: Theme, color: string, width: number): void {
  // A halo in the background's colour keeps the outline visible on any fill.
  pen.frame(box.x - 2, box.y - 2, box.width + 4, box.height + 4, { color: theme.background, width: width + 2 });
  pen.frame(box.x - 2, box.y - 2, box.width + 4, box.height + 4, { color, width });
}

function arrow(pen: Pen, from: Box, to: Box, theme: Theme, color: string): void {
  const x1 = from.x + from.width;
  const y1 = from.y + from.height / 2;
  const x2 = to.x;
  const y2 = to.y + to.height / 2;
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const tip = 7;
  const end = [x2 - tip * 0.8 * Math.cos(angle), y2 - tip * 0.8 * Math.sin(angle)] as const;
  if (Math.hypot(x2 - x1, y2 - y1) < 3) return;
  pen.line([x1, y1, ...end], { color: theme.background, width: 4 });
  arrowHead(pen, x2 + 1, y2, angle, tip + 3, theme.background);
  pen.line([x1, y1, ...end], { color, width: 1.75 });
  arrowHead(pen, x2, y2, angle, tip, color);
}

function drawLinks(pen: Pen, model: TimelineModel, axis: Axis, layout: LaneLayout, theme: Theme, index: number): void {
  const box = blockBox(model, axis, layout, index);
  for (const other of model.links.producers(index)) {
    arrow(pen, blockBox(model, axis, layout, other), box, theme, theme.data.producer);
  }
  for (const other of model.links.consumers(index)) {
    arrow(pen, box, blockBox(model, axis, layout, other), theme, theme.data.consumer);
  }
}

/** What has not happened yet lies under a veil; a line and a figure stand at the moment. */
function drawPlayed(pen: Pen, axis: Axis, layout: LaneLayout, theme: Theme, moment: number): void {
  const { left, width, top, bottom, snap } = layout;
  const at = left + Math.max(0, Math.min(width, toPixel(axis, moment)));
  const x = Math.round(at / snap) * snap;
  const low = layout.memoryHeight > 0 ? layout.memoryTop + layout.memoryHeight : bottom;
  pen.rect(x, top, left + width - x, low - top, theme.dim);
  pen.rect(x - 1, top - 6, 2, low - top + 6, theme.focus);
}

export function drawOverlay(
  pen: Pen,
  model: TimelineModel,
  axis: Axis,
  layout: LaneLayout,
  theme: Theme,
  state: OverlayState,
): void {
  const { left, width, top, bottom } = layout;
  if (state.play !== undefined) drawPlayed(pen, axis, layout, theme, state.play);
  if (state.time !== undefined) {
    const x = Math.round((left + toPixel(axis, state.time)) / layout.snap) * layout.snap;
    const low = layout.memoryHeight > 0 ? layout.memoryTop + layout.memoryHeight : bottom;
    if (x >= left && x <= left + width) pen.rect(x, top - 4, layout.snap, low - top + 4, theme.foreground);
  }
  pen.clipped(left - 3, top - 2, width + 6, bottom - top + 4, () => {
    const shown = state.hovered >= 0 ? state.hovered : state.selected;
    if (shown >= 0) drawLinks(pen, model, axis, layout, theme, shown);
    if (state.selected >= 0) {
      outline(
        pen,
        blockBox(model, axis, layout, state.selected),
        theme,
        state.focused ? theme.focus : theme.foreground,
        2,
      );
    }
    if (state.hovered >= 0 && state.hovered !== state.selected) {
      outline(pen, blockBox(model, axis, layout, state.hovered), theme, theme.foreground, 1);
    }
  });
}
