import type { RefObject } from 'preact';
import { useRef } from 'preact/hooks';
import type { StageHandle } from '../kit/stage';
import type { Size } from '../kit/surface';
import { axisFrom, fitAxis, resized, toPixel, toValue, zoomOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import type { TooltipText } from '../kit/tooltip';
import { awaitedBlock, describeBlock, describeIdle, memoryRows } from './describe';
import type { Point } from './lane-input';
import { GUTTER, IDLE_COLUMN, layoutOf, rankAtY } from './layout';
import type { LaneLayout } from './layout';
import { blockAt, nearestBlock } from './model';
import type { TimelineModel } from './model';

/** Window and pointer live outside the component's state: they change every frame, and only canvases follow them. */
export interface LaneView {
  axis: Axis;
  hovered: number;
  /** Time under the pointer. */
  time: number | undefined;
  /** Where playback stands; undefined when it does not run. */
  play: number | undefined;
}

export interface KeptView {
  readonly start: number;
  readonly zoom: number;
  readonly scroll: number;
}

/** The view of one schedule; an edited config keeps the same share of the step in sight. */
export function useLaneView(makespan: number, kept: KeptView | undefined): LaneView {
  const ref = useRef<LaneView | undefined>(undefined);
  const view = (ref.current ??= {
    // The width is not known yet: start and zoom hold for any width.
    axis: kept === undefined ? fitAxis(makespan, 1) : axisFrom(makespan, 1, kept.start, kept.zoom),
    hovered: -1,
    time: undefined,
    play: undefined,
  });
  if (view.axis.extent !== makespan && makespan > 0) {
    view.axis = axisFrom(makespan, view.axis.width, (view.axis.start / view.axis.extent) * makespan, zoomOf(view.axis));
    view.hovered = -1;
  }
  return view;
}

/** Gives the axis the width that the window leaves to it. */
export function fitView(view: LaneView, size: Size): void {
  const width = size.width - GUTTER - IDLE_COLUMN;
  if (Math.abs(view.axis.width - width) > 0.5) view.axis = resized(view.axis, width);
}

export interface LaneShape {
  readonly ranks: number;
  readonly row: number;
  readonly memory: boolean;
}

/** The layout at this moment; `size` is given while the stage itself is being measured or painted. */
export function layoutNow(shape: LaneShape, stage: RefObject<StageHandle | null>, size?: Size): LaneLayout {
  const { row, memory, ranks } = shape;
  const snap = 1 / (window.devicePixelRatio || 1);
  const scroll = stage.current?.scroll() ?? 0;
  return layoutOf(size ?? stage.current?.size() ?? { width: 1, height: 1 }, ranks, { row, scroll, memory, snap });
}

export interface Pointed {
  readonly hovered: number;
  readonly text: TooltipText | undefined;
}

/** What lies under the pointer: a block, an idle stretch, or the memory curve. */
export function pointedAt(model: TimelineModel, layout: LaneLayout, axis: Axis, rank: number, point: Point): Pointed {
  const lane = rankAtY(layout, point.y);
  const time = toValue(axis, point.x - layout.left);
  const inside =
    point.x >= layout.left && point.x <= layout.left + layout.width && time >= 0 && time <= model.view.makespan;
  if (!inside) return { hovered: -1, text: undefined };
  if (lane >= 0) {
    const hovered = blockAt(model.blocks, lane, time);
    return { hovered, text: hovered >= 0 ? describeBlock(model, hovered) : describeIdle(model, lane, time) };
  }
  const onCurve = layout.memoryHeight > 0 && point.y >= layout.memoryTop;
  return {
    hovered: -1,
    text: onCurve ? { title: `Memory · rank ${rank}`, rows: memoryRows(model, rank, time) } : undefined,
  };
}

/** The block that a click means, or -1; blocks thinner than a pixel can only be met nearly. */
export function clickedBlock(model: TimelineModel, axis: Axis, layout: LaneLayout, point: Point): number {
  const lane = rankAtY(layout, point.y);
  if (lane < 0 || point.x < layout.left || point.x > layout.left + layout.width) return -1;
  const time = toValue(axis, point.x - layout.left);
  const hit = blockAt(model.blocks, lane, time);
  if (hit >= 0) return hit;
  const near = nearestBlock(model.blocks, lane, time);
  return Math.abs(toPixel(axis, middleOf(model, near)) - (point.x - layout.left)) <= 2 ? near : -1;
}

/** The block that idle time under a click waits for, or -1 outside the lanes and the step. */
export function awaitedAt(model: TimelineModel, axis: Axis, layout: LaneLayout, point: Point): number {
  const lane = rankAtY(layout, point.y);
  const time = toValue(axis, point.x - layout.left);
  const inside = point.x >= layout.left && point.x <= layout.left + layout.width;
  return lane >= 0 && inside && time >= 0 && time <= model.view.makespan ? awaitedBlock(model, lane, time) : -1;
}

function middleOf(model: TimelineModel, index: number): number {
  return ((model.blocks.start[index] ?? NaN) + (model.blocks.end[index] ?? NaN)) / 2;
}

/** Keys zoom around the selected block when it is seen, else around the middle. */
export function zoomAnchor(model: TimelineModel, axis: Axis, selected: number): number {
  const pixel = toPixel(axis, middleOf(model, selected));
  return pixel >= 0 && pixel <= axis.width ? pixel : axis.width / 2;
}
