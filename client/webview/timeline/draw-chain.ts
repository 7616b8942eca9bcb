import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { endOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { blockBox } from './draw-overlay';
import type { LaneLayout } from './layout';
import type { TimelineModel } from './model';

/** More blocks than this in sight are joined by the line alone: their frames would cover each other. */
const MOST_FRAMES = 1_500;

/** Narrower blocks are crossed by the line instead of framed. */
const MIN_FRAME = 9;

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
  const framed = boxes.length <= MOST_FRAMES && boxes.every((box) => box.width >= MIN_FRAME);
  pen.clipped(left, top, width, bottom - top, () => {
    // Where blocks are wide enough for labels the line only leads from one block to the next, so that it crosses none.
    for (const style of [
      { color: theme.background, width: 4.5 },
      { color: theme.foreground, width: 2 },
    ]) {
      if (!framed && points.length >= 4) pen.line(points, style);
      for (let at = 0; framed && at < boxes.length; at += 1) {
        const box = boxes[at];
        const next = boxes[at + 1];
        if (box === undefined) continue;
        pen.frame(box.x + 1, box.y + 1, box.width - 2, box.height - 2, style);
        if (next !== undefined && next.y !== box.y)
          pen.line([box.x + box.width, box.y + box.height / 2, next.x, next.y + next.height / 2], style);
      }
    }
  });
}
