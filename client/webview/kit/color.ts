/** Red, green and blue in 0..1 as sRGB stores them, and opacity. */
export interface Rgba {
  readonly r: number;
  readonly g: number;
  readonly b: number;
  readonly a: number;
}

function hexChannel(text: string, at: number, digits: number): number {
  const value = Number.parseInt(text.slice(at, at + digits), 16);
  return digits === 1 ? (value * 17) / 255 : value / 255;
}

/** Reads `#rgb`, `#rgba`, `#rrggbb`, `#rrggbbaa`, `rgb(…)` and `rgba(…)`; undefined for anything else. */
export function parseColor(text: string): Rgba | undefined {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(text.trim())?.[1];
  if (hex !== undefined) {
    const digits = hex.length <= 4 ? 1 : 2;
    const [r, g, b] = [0, 1, 2].map((index) => hexChannel(hex, index * digits, digits));
    const a = hex.length === 4 || hex.length === 8 ? hexChannel(hex, 3 * digits, digits) : 1;
    return r === undefined || g === undefined || b === undefined ? undefined : { r, g, b, a };
  }
  const parts = /^rgba?\(([^)]*)\)$/i
    .exec(text.trim())?.[1]
    ?.split(/[\s,/]+/)
    .filter((part) => part !== '');
  if (parts === undefined || parts.length < 3) return undefined;
  const [r = NaN, g = NaN, b = NaN, a = 1] = parts.map((part, index) => {
    const number = Number.parseFloat(part);
    if (index === 3) return part.endsWith('%') ? number / 100 : number;
    return number / 255;
  });
  return Number.isNaN(r + g + b + a) ? undefined : { r, g, b, a };
}

function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}

/** Relative luminance as WCAG 2.2 defines it; opacity is ignored. */
export function luminance(color: Rgba): number {
  return 0.2126 * linear(color.r) + 0.7152 * linear(color.g) + 0.0722 * linear(color.b);
}

/** Contrast ratio of two opaque colours as WCAG 2.2 defines it, 1..21. */
export function contrast(one: Rgba, other: Rgba): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** `front` laid over an opaque `back`. */
export function over(front: Rgba, back: Rgba): Rgba {
  const mix = (f: number, b: number): number => f * front.a + b * (1 - front.a);
  return { r: mix(front.r, back.r), g: mix(front.g, back.g), b: mix(front.b, back.b), a: 1 };
}

/** The colour a share `t` of the way from `from` to `to`. */
export function mix(from: Rgba, to: Rgba, t: number): Rgba {
  const at = (a: number, b: number): number => a + (b - a) * t;
  return { r: at(from.r, to.r), g: at(from.g, to.g), b: at(from.b, to.b), a: at(from.a, to.a) };
}

export function toHex(color: Rgba): string {
  const part = (channel: number): string =>
    Math.round(Math.max(0, Math.min(1, channel)) * 255)
      .toString(16)
      .padStart(2, '0');
  return `#${part(color.r)}${part(color.g)}${part(color.b)}`;
}

const BLACK: Rgba = { r: 0, g: 0, b: 0, a: 1 };
const WHITE: Rgba = { r: 1, g: 1, b: 1, a: 1 };

/** Black or white, whichever is easier to read on `fill`: always at least 4.5 : 1. */
export function inkOn(fill: string): '#000000' | '#ffffff' {
  const color = parseColor(fill) ?? WHITE;
  return contrast(color, BLACK) >= contrast(color, WHITE) ? '#000000' : '#ffffff';
}

/** A colour scale through `stops` as `steps` ready strings, so that drawing a cell costs one look-up. */
export function rampOf(stops: readonly string[], steps: number): readonly string[] {
  const colors = stops.map((stop) => parseColor(stop) ?? BLACK);
  return Array.from({ length: steps }, (_, step) => {
    const at = (step / Math.max(1, steps - 1)) * (colors.length - 1);
    const low = Math.min(Math.floor(at), Math.max(0, colors.length - 2));
    return toHex(mix(colors[low] ?? BLACK, colors[low + 1] ?? colors[low] ?? BLACK, at - low));
  });
}
