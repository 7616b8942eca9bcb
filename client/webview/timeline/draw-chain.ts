import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { endOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { blockBox } from './draw-overlay';
import type { LaneLayout } from './layout';
import type { TimelineModel } from './model';

/** More blocks than this in sight are joined by the line alone: their frames would cover each other. */
const MOST_FRAMES = 1_500;

/** First position of the chain, whose blocks stand in time order, that ends after `time`. */
function firstInSight(model: TimelineModel, chain: Int32Array, time: number): number {
  let low = 0;
  let high = chain.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((model.blocks.end[chain[middle] ?? -1] ?? 0) > time) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Marks the chain of blocks that decides the end: a frame around each, and a line from one to the next. */
export function drawChain(
  pen: Pen,
  model: TimelineModel,
  axis: Axis,
  layout: LaneLayout,
  theme: Theme,
  chain: Int32Array,
): void {
  const { left, width, top, bottom } = layout;
  const stop = endOf(axis);
  const points: number[] = [];
  const boxes: ReturnType<typeof blockBox>[] = [];
  for (let at = Math.max(0, firstInSight(model, chain, axis.start) - 1); at < chain.length; at += 1) {
    const block = chain[at] ?? -1;
    const box = blockBox(model, axis, layout, block);
    points.push(box.x, box.y + box.height / 2, box.x + box.width, box.y + box.height / 2);
    boxes.push(box);
    if ((model.blocks.start[block] ?? 0) > stop) break;
  }
  pen.clipped(left, top, width, bottom - top, () => {
    if (points.length >= 4) {
      pen.line(points, { color: theme.background, width: 4 });
      pen.line(points, { color: theme.foreground, width: 1.75 });
    }
    if (boxes.length > MOST_FRAMES) return;
    for (const { x, y, width: w, height } of boxes) {
      if (w >= 4) pen.frame(x + 1, y + 1, w - 2, height - 2, { color: theme.foreground, width: 2 });
    }
  });
}
