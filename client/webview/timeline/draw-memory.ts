import { gib, short } from '../kit/format';
import type { Pen } from '../kit/pen';
import type { Theme } from '../kit/theme';
import { ticksOf } from '../kit/ticks';
import { endOf, toPixel } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import type { LaneLayout } from './layout';
import { firstAbove } from './model';
import type { TimelineModel } from './model';

/** What one rank's curve is measured in: bytes where the model is known, else chunks of one stage. */
export interface MemoryScale {
  readonly unit: 'GiB' | 'chunks';
  /** Static bytes under the curve; 0 in chunks. */
  readonly base: number;
  readonly perChunk: number;
  readonly top: number;
  readonly capacity?: number;
}

export function memoryScale(model: TimelineModel, rank: number): MemoryScale {
  const { bytesPerUnit: mean, bytesPerUnitOfRank, staticBytes, capacityBytes } = model.view.memory;
  const bytesPerUnit = bytesPerUnitOfRank?.[rank] ?? mean;
  const peak = model.view.peakActivations[rank] ?? 0;
  if (bytesPerUnit === undefined || !(bytesPerUnit > 0)) {
    return { unit: 'chunks', base: 0, perChunk: 1, top: Math.max(1, ...model.view.peakActivations) * 1.08 };
  }
  const base = staticBytes?.[rank] ?? 0;
  const highest = base + peak * bytesPerUnit;
  const top = Math.max(highest, capacityBytes ?? 0) * 1.08;
  return {
    unit: 'GiB',
    base,
    perChunk: bytesPerUnit,
    top,
    ...(capacityBytes === undefined ? {} : { capacity: capacityBytes }),
  };
}

/** `9 chunks`, `52.3 GiB`. */
export function memoryLabel(scale: MemoryScale, chunks: number): string {
  return scale.unit === 'GiB' ? `${gib(scale.base + chunks * scale.perChunk)} GiB` : `${short(chunks)} chunks`;
}

/** Corner points of the step curve inside the window, at most a few a pixel. */
function stepPoints(
  model: TimelineModel,
  rank: number,
  axis: Axis,
  layout: LaneLayout,
  y: (value: number) => number,
): number[] {
  const { start, time, value } = model.memory;
  const from = start[rank] ?? 0;
  const to = start[rank + 1] ?? 0;
  const end = Math.min(endOf(axis), model.view.makespan);
  let at = firstAbove(time, from, to, axis.start);
  let current = at > from ? (value[at - 1] ?? 0) : 0;
  const points = [layout.left, y(current)];
  while (at < to && (time[at] ?? 0) <= end) {
    const x = layout.left + toPixel(axis, time[at] ?? 0);
    points.push(x, y(current));
    // Steps within one pixel are drawn as their extremes: a peak may get thinner than a pixel but never vanishes.
    let low = Infinity;
    let high = -Infinity;
    const limit = axis.start + (Math.floor(x - layout.left) + 1) / axis.scale;
    // The first step always counts: rounding may put it on its own pixel's end.
    do {
      const now = time[at] ?? 0;
      // One pass ends and the next begins at the same moment: what lies between never lasted.
      while (at + 1 < to && time[at + 1] === now) at += 1;
      current = value[at] ?? 0;
      low = Math.min(low, current);
      high = Math.max(high, current);
      at += 1;
    } while (at < to && (time[at] ?? 0) < limit && (time[at] ?? 0) <= end);
    points.push(x, y(high), x, y(low), x, y(current));
  }
  points.push(layout.left + toPixel(axis, end), y(current));
  return points;
}

/** The memory curve of one rank under the lanes, on the same time axis, with the device's line. */
export function drawMemory(
  pen: Pen,
  model: TimelineModel,
  rank: number,
  axis: Axis,
  layout: LaneLayout,
  theme: Theme,
): void {
  if (layout.memoryHeight <= 0) return;
  const scale = memoryScale(model, rank);
  const { left, width, memoryTop: top, memoryHeight: height } = layout;
  const toY = (bytes: number): number => top + height - (bytes / scale.top) * height;
  const divisor = scale.unit === 'GiB' ? 2 ** 30 : 1;
  pen.rect(left, top, width, height, theme.data.lane);
  for (const value of ticksOf(0, scale.top / divisor, Math.max(1, height / 34)).values) {
    const y = Math.round(toY(value * divisor));
    pen.rect(left, y, width, layout.snap, theme.data.grid);
    pen.text(short(value), left - 10, y, { fill: theme.muted, size: 11, align: 'right' });
  }
  pen.clipped(left, top - 2, width, height + 4, () => {
    const points = stepPoints(model, rank, axis, layout, (chunks) => toY(scale.base + chunks * scale.perChunk));
    const last = points[points.length - 2] ?? left;
    pen.area([left, top + height, ...points, last, top + height], theme.data.curveFill);
    if (scale.base > 0)
      pen.line([left, toY(scale.base), left + width, toY(scale.base)], {
        color: theme.data.curve,
        width: 1,
        dash: [2, 3],
      });
    pen.line(points, { color: theme.data.curve, width: 1.5 });
  });
  drawCaption(pen, model, rank, layout, theme, scale, toY);
}

function drawCaption(
  pen: Pen,
  model: TimelineModel,
  rank: number,
  layout: LaneLayout,
  theme: Theme,
  scale: MemoryScale,
  toY: (bytes: number) => number,
): void {
  const { left, width, memoryTop: top } = layout;
  const what = scale.unit === 'GiB' ? 'Memory (static + activations)' : 'Activations in flight';
  const peak = memoryLabel(scale, model.view.peakActivations[rank] ?? 0);
  pen.text(`${what}, rank ${rank}, peak ${peak}`, left, top - 9, { fill: theme.muted, size: 11 });
  const x = left + width + layout.right - 6;
  pen.text(scale.unit, left - 10, top - 9, { fill: theme.muted, size: 11, align: 'right' });
  if (scale.capacity === undefined) return;
  const y = Math.round(toY(scale.capacity));
  pen.line([left, y, left + width, y], { color: theme.data.limit, width: 1.5, dash: [6, 3] });
  pen.text(gib(scale.capacity), x, y - 1, { fill: theme.data.limit, size: 11, align: 'right', bold: true });
  pen.text('device', x, y + 12, { fill: theme.data.limit, size: 11, align: 'right' });
}
