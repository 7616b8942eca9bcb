/** The horizontal axis of a picture: which part of `0 .. extent` lies under `width` pixels. All functions are pure. */
export interface Axis {
  readonly extent: number;
  readonly width: number;
  /** Value at the left edge. */
  readonly start: number;
  /** Pixels a unit. */
  readonly scale: number;
}

/** Deepest zoom: the whole extent magnified this often. Beyond, doubles and screens have nothing more to show. */
const MAX_ZOOM = 1e6;

function clamp(value: number, low: number, high: number): number {
  return Math.max(low, Math.min(high, value));
}

function bounded(extent: number, width: number, start: number, scale: number): Axis {
  const fit = width / extent;
  const kept = clamp(scale, fit, fit * MAX_ZOOM);
  return { extent, width, scale: kept, start: clamp(start, 0, Math.max(0, extent - width / kept)) };
}

/** The whole extent. Empty or broken sizes give an axis of one unit, so that nothing downstream divides by zero. */
export function fitAxis(extent: number, width: number): Axis {
  const safeExtent = Number.isFinite(extent) && extent > 0 ? extent : 1;
  const safeWidth = Number.isFinite(width) && width > 0 ? width : 1;
  return { extent: safeExtent, width: safeWidth, start: 0, scale: safeWidth / safeExtent };
}

export function toPixel(axis: Axis, value: number): number {
  return (value - axis.start) * axis.scale;
}

export function toValue(axis: Axis, pixel: number): number {
  return axis.start + pixel / axis.scale;
}

export function endOf(axis: Axis): number {
  return axis.start + axis.width / axis.scale;
}

/** 1 when everything is shown. */
export function zoomOf(axis: Axis): number {
  return (axis.scale * axis.extent) / axis.width;
}

/** Magnifies by `factor`; the value under `pixel` stays where it is. */
export function zoomAt(axis: Axis, factor: number, pixel: number): Axis {
  const anchor = toValue(axis, pixel);
  const fit = axis.width / axis.extent;
  const scale = clamp(axis.scale * factor, fit, fit * MAX_ZOOM);
  return bounded(axis.extent, axis.width, anchor - pixel / scale, scale);
}

export function panBy(axis: Axis, pixels: number): Axis {
  return bounded(axis.extent, axis.width, axis.start + pixels / axis.scale, axis.scale);
}

/** The same left edge and magnification under another width; the whole stays the whole. */
export function resized(axis: Axis, width: number): Axis {
  const safe = Number.isFinite(width) && width > 0 ? width : 1;
  return bounded(axis.extent, safe, axis.start, (axis.scale * safe) / axis.width);
}

/** An axis with its left edge and zoom given, as kept in the panel's state. */
export function axisFrom(extent: number, width: number, start: number, zoom: number): Axis {
  const fit = fitAxis(extent, width);
  if (!Number.isFinite(start) || !Number.isFinite(zoom)) return fit;
  return bounded(fit.extent, fit.width, start, fit.scale * zoom);
}

/** Moves just enough that `from .. to` is seen, with a little air; zooms out only if it cannot fit. */
export function reveal(axis: Axis, from: number, to: number): Axis {
  const air = Math.min(24, axis.width / 8) / axis.scale;
  const span = axis.width / axis.scale;
  if (to - from + 2 * air > span) return zoomTo(axis, from, to);
  if (from - air < axis.start) return bounded(axis.extent, axis.width, from - air, axis.scale);
  if (to + air > axis.start + span) return bounded(axis.extent, axis.width, to + air - span, axis.scale);
  return axis;
}

/** Fills the width with `from .. to` and a tenth of air on both sides. */
export function zoomTo(axis: Axis, from: number, to: number): Axis {
  const length = Math.max(to - from, axis.extent / MAX_ZOOM) * 1.2;
  return bounded(axis.extent, axis.width, from - length / 12, axis.width / length);
}
