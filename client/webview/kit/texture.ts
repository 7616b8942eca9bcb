/** Hatches tell kinds apart without colour. */
export type TextureName =
  'none' | 'slash' | 'backslash' | 'cross' | 'dots' | 'rings' | 'rows' | 'columns' | 'grid' | 'dense';

export interface Texture {
  /** Edge of the square tile that repeats, in CSS pixels. */
  readonly tile: number;
  readonly stroke: number;
  /** Line pieces `x1, y1, x2, y2`; they may leave the tile, what leaves is cut. */
  readonly segments: readonly (readonly [number, number, number, number])[];
  /** Dots `x, y, radius`. */
  readonly dots: readonly (readonly [number, number, number])[];
}

// Slanted lines start and end outside the tile, so that they join up across its corners.
const SLASH = [
  [-2, 10, 10, -2],
  [-2, 2, 2, -2],
  [6, 10, 10, 6],
] as const;
const BACKSLASH = [
  [-2, -2, 10, 10],
  [-2, 6, 2, 10],
  [6, -2, 10, 2],
] as const;
const NO_LINES: Texture['segments'] = [];
const NO_DOTS: Texture['dots'] = [];

export const TEXTURES: Readonly<Record<Exclude<TextureName, 'none'>, Texture>> = {
  slash: { tile: 8, stroke: 1.5, segments: SLASH, dots: NO_DOTS },
  backslash: { tile: 8, stroke: 1.5, segments: BACKSLASH, dots: NO_DOTS },
  cross: { tile: 8, stroke: 1.25, segments: [...SLASH, ...BACKSLASH], dots: NO_DOTS },
  dots: {
    tile: 6,
    stroke: 0,
    segments: NO_LINES,
    dots: [
      [1.5, 1.5, 1.1],
      [4.5, 4.5, 1.1],
    ],
  },
  rings: {
    tile: 8,
    stroke: 1.25,
    segments: [
      [4, 1.5, 6.5, 4],
      [6.5, 4, 4, 6.5],
      [4, 6.5, 1.5, 4],
      [1.5, 4, 4, 1.5],
    ],
    dots: NO_DOTS,
  },
  rows: { tile: 5, stroke: 1.25, segments: [[0, 2.5, 5, 2.5]], dots: NO_DOTS },
  columns: { tile: 5, stroke: 1.25, segments: [[2.5, 0, 2.5, 5]], dots: NO_DOTS },
  grid: {
    tile: 6,
    stroke: 1.1,
    segments: [
      [0, 3, 6, 3],
      [3, 0, 3, 6],
    ],
    dots: NO_DOTS,
  },
  dense: {
    tile: 4,
    stroke: 1.1,
    segments: [
      [-1, 5, 5, -1],
      [-1, 1, 1, -1],
      [3, 5, 5, 3],
    ],
    dots: NO_DOTS,
  },
};
