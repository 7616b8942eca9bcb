import type { TextureName } from './texture';

export interface TextStyle {
  readonly fill: string;
  readonly size: number;
  readonly align?: 'left' | 'center' | 'right';
  readonly bold?: boolean;
}

export interface Stroke {
  readonly color: string;
  readonly width: number;
  readonly dash?: readonly number[];
}

/**
 * What a picture is drawn with. A scene is drawn once in code and comes out on a canvas or as an SVG file, so that an export
 * can never differ from the screen. Lengths in CSS pixels; text hangs on its vertical middle.
 */
export interface Pen {
  readonly rect: (x: number, y: number, width: number, height: number, fill: string) => void;
  /** `count` rectangles of one colour from `x, y, width, height` quadruples: the fast way for thousands. */
  readonly rects: (quads: Float64Array, count: number, fill: string) => void;
  readonly texture: (x: number, y: number, width: number, height: number, name: TextureName, color: string) => void;
  /** The same hatch over many rectangles at once. */
  readonly textures: (quads: Float64Array, count: number, name: TextureName, color: string) => void;
  readonly frame: (x: number, y: number, width: number, height: number, stroke: Stroke) => void;
  /** A line through `x, y` pairs. */
  readonly line: (points: readonly number[], stroke: Stroke) => void;
  /** A filled outline through `x, y` pairs. */
  readonly area: (points: readonly number[], fill: string) => void;
  readonly text: (text: string, x: number, y: number, style: TextStyle) => void;
  readonly textWidth: (text: string, size: number, bold?: boolean) => number;
  /** Draws inside a rectangle only. */
  readonly clipped: (x: number, y: number, width: number, height: number, draw: () => void) => void;
}

/** A growing list of rectangles that is emptied and filled again each frame without new memory. */
export interface Quads {
  readonly push: (x: number, y: number, width: number, height: number) => void;
  readonly clear: () => void;
  readonly data: () => Float64Array;
  readonly count: () => number;
}

export function createQuads(): Quads {
  let data = new Float64Array(256);
  let used = 0;
  return {
    push: (x, y, width, height) => {
      if (used + 4 > data.length) {
        const larger = new Float64Array(data.length * 2);
        larger.set(data);
        data = larger;
      }
      data[used] = x;
      data[used + 1] = y;
      data[used + 2] = width;
      data[used + 3] = height;
      used += 4;
    },
    clear: () => {
      used = 0;
    },
    data: () => data,
    count: () => used / 4,
  };
}

/** A small solid triangle with its tip at `x, y`, pointing along `angle` (radians, 0 to the right). */
export function arrowHead(pen: Pen, x: number, y: number, angle: number, size: number, fill: string): void {
  const corner = (turn: number): [number, number] => [
    x - size * Math.cos(angle + turn),
    y - size * Math.sin(angle + turn),
  ];
  pen.area([x, y, ...corner(0.42), ...corner(-0.42)], fill);
}
