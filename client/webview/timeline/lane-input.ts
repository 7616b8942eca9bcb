import { useRef } from 'preact/hooks';
import { panBy, zoomAt } from '../kit/viewport';
import type { Axis } from '../kit/viewport';

/** What the pointer does to the picture. Coordinates are CSS pixels of the canvas. */
export interface InputTarget {
  readonly axis: () => Axis;
  readonly setAxis: (axis: Axis) => void;
  /** Left edge of the time axis on the canvas. */
  readonly left: number;
  /** True when lanes are higher than their window, so that a plain wheel must scroll. */
  readonly scrolls: () => boolean;
  readonly scrollBy: (pixels: number) => void;
  readonly hover: (point: Point | undefined) => void;
  readonly click: (point: Point) => void;
  readonly open: (point: Point) => void;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LaneInput {
  readonly onPointerDown: (event: PointerEvent) => void;
  readonly onPointerMove: (event: PointerEvent) => void;
  readonly onPointerUp: (event: PointerEvent) => void;
  readonly onPointerLeave: (event: PointerEvent) => void;
  readonly onPointerCancel: (event: PointerEvent) => void;
  readonly onDblClick: (event: MouseEvent) => void;
  readonly onWheel: (event: WheelEvent) => void;
}

/** Movement below this is a click with an unsteady hand. */
const CLICK_SLACK = 4;

function pointOf(event: MouseEvent): Point {
  return { x: event.offsetX, y: event.offsetY };
}

/** Pixels of one wheel message, whatever unit the device speaks. */
function wheelPixels(event: WheelEvent, value: number): number {
  return event.deltaMode === 1 ? value * 16 : event.deltaMode === 2 ? value * 400 : value;
}

function onWheel(event: WheelEvent, target: InputTarget): void {
  const dx = wheelPixels(event, event.deltaX);
  const dy = wheelPixels(event, event.deltaY);
  const sideways = event.shiftKey || Math.abs(dx) > Math.abs(dy);
  // A trackpad's pinch arrives as a wheel with the control key held.
  const pinch = event.ctrlKey || event.metaKey;
  if (!pinch && !sideways && target.scrolls()) return;
  event.preventDefault();
  if (!pinch && sideways) {
    target.setAxis(panBy(target.axis(), event.shiftKey && dx === 0 ? dy : dx));
    return;
  }
  const factor = Math.exp(-Math.max(-240, Math.min(240, dy)) * (pinch ? 0.01 : 0.0022));
  target.setAxis(zoomAt(target.axis(), factor, event.offsetX - target.left));
}

interface Drag {
  readonly points: Map<number, Point>;
  moved: number;
  distance: number;
}

/** Two fingers: their distance zooms, their middle pans. */
function pinchTo(drag: Drag, target: InputTarget): void {
  const [one, two] = [...drag.points.values()];
  if (one === undefined || two === undefined) return;
  const distance = Math.max(1, Math.hypot(one.x - two.x, one.y - two.y));
  if (drag.distance > 0)
    target.setAxis(zoomAt(target.axis(), distance / drag.distance, (one.x + two.x) / 2 - target.left));
  drag.distance = distance;
}

function dragTo(drag: Drag, event: PointerEvent, target: InputTarget): void {
  const last = drag.points.get(event.pointerId);
  const point = pointOf(event);
  if (last === undefined) return;
  drag.points.set(event.pointerId, point);
  if (drag.points.size > 1) {
    drag.moved = CLICK_SLACK + 1;
    pinchTo(drag, target);
    return;
  }
  drag.moved += Math.abs(point.x - last.x) + Math.abs(point.y - last.y);
  if (drag.moved <= CLICK_SLACK) return;
  target.setAxis(panBy(target.axis(), last.x - point.x));
  target.scrollBy(last.y - point.y);
}

/** Mouse, pen, fingers and wheel on the lanes. */
export function useLaneInput(target: InputTarget): LaneInput {
  const drag = useRef<Drag>({ points: new Map(), moved: 0, distance: 0 }).current;
  const release = (event: PointerEvent): void => {
    drag.points.delete(event.pointerId);
    drag.distance = 0;
  };
  return {
    onPointerDown: (event) => {
      if (event.button !== 0) return;
      if (drag.points.size === 0) drag.moved = 0;
      drag.points.set(event.pointerId, pointOf(event));
      if (event.currentTarget instanceof Element) event.currentTarget.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event) => {
      dragTo(drag, event, target);
      target.hover(drag.points.size > 0 && drag.moved > CLICK_SLACK ? undefined : pointOf(event));
    },
    onPointerUp: (event) => {
      const clicked = drag.points.size === 1 && drag.points.has(event.pointerId) && drag.moved <= CLICK_SLACK;
      release(event);
      if (clicked) target.click(pointOf(event));
    },
    onPointerLeave: () => target.hover(undefined),
    onPointerCancel: release,
    onDblClick: (event) => target.open(pointOf(event)),
    onWheel: (event) => onWheel(event, target),
  };
}
