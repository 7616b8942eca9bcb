import type { Size } from '../kit/surface';

/** Where things stand on the timeline canvas, in CSS pixels. Lanes scroll between `top` and `bottom`; all else stays. */
export interface LaneLayout {
  readonly left: number;
  readonly width: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly rowHeight: number;
  /** Height of the block inside its row. */
  readonly barHeight: number;
  readonly ranks: number;
  readonly scroll: number;
  readonly memoryTop: number;
  readonly memoryHeight: number;
  /** One device pixel: edges are rounded to it so that they are sharp. */
  readonly snap: number;
}

export interface LayoutChoice {
  /** Row height; 0 lets the picture choose. */
  readonly row: number;
  readonly scroll: number;
  readonly memory: boolean;
  readonly snap: number;
}

export const GUTTER = 58;
export const IDLE_COLUMN = 62;
export const AXIS_HEIGHT = 24;
const MIN_ROW = 9;
const MAX_ROW = 34;
const MEMORY_MIN = 74;
const MEMORY_MAX = 150;
const MEMORY_GAP = 20;

function gapOf(row: number): number {
  if (row >= 18) return 4;
  if (row >= 11) return 2;
  return row >= 6 ? 1 : 0;
}

/** Height that the lanes would like: all ranks, each at its row height. */
export function contentHeight(layout: LaneLayout): number {
  return layout.ranks * layout.rowHeight;
}

/** Ranks that are seen at once even where other parts of the panel want the room. */
const SEEN_RANKS = 16;

/** Height below which the panel scrolls rather than the lanes: a handful of ranks beside a tall memory curve shows no pattern. */
export function leastHeight(ranks: number, memory: boolean): number {
  return AXIS_HEIGHT + Math.min(ranks, SEEN_RANKS) * MIN_ROW + (memory ? MEMORY_MIN + MEMORY_GAP : 0) + 4;
}

/** Fits the rows to the height there is, within what can be read; more ranks scroll. */
export function layoutOf(size: Size, ranks: number, choice: LayoutChoice): LaneLayout {
  const wanted = choice.memory ? MEMORY_MIN + MEMORY_GAP : 0;
  const space = Math.max(MIN_ROW, size.height - AXIS_HEIGHT - wanted - 4);
  const row =
    choice.row > 0 ? choice.row : Math.max(MIN_ROW, Math.min(MAX_ROW, Math.floor(space / Math.max(1, ranks))));
  // Whole rows only: a cut row number cannot be read.
  const shown = Math.min(Math.max(row, Math.floor(space / row) * row), row * ranks);
  const bottom = AXIS_HEIGHT + shown;
  const memoryTop = bottom + MEMORY_GAP;
  return {
    left: GUTTER,
    width: Math.max(1, size.width - GUTTER - IDLE_COLUMN),
    right: IDLE_COLUMN,
    top: AXIS_HEIGHT,
    bottom,
    rowHeight: row,
    barHeight: Math.max(1, row - gapOf(row)),
    ranks,
    scroll: Math.max(0, Math.min(choice.scroll, row * ranks - shown)),
    memoryTop,
    memoryHeight: choice.memory ? Math.max(MEMORY_MIN - 8, Math.min(MEMORY_MAX, size.height - memoryTop - 8)) : 0,
    snap: choice.snap,
  };
}

/** Top of a rank's block. */
export function rowTop(layout: LaneLayout, rank: number): number {
  const gap = (layout.rowHeight - layout.barHeight) / 2;
  return layout.top + rank * layout.rowHeight - layout.scroll + Math.floor(gap);
}

/** Rank under a height, or -1 outside the lanes. */
export function rankAtY(layout: LaneLayout, y: number): number {
  if (y < layout.top || y >= layout.bottom) return -1;
  const rank = Math.floor((y - layout.top + layout.scroll) / layout.rowHeight);
  return rank >= 0 && rank < layout.ranks ? rank : -1;
}

/** First and last rank that is seen, at least in part. */
export function visibleRanks(layout: LaneLayout): readonly [number, number] {
  const first = Math.floor(layout.scroll / layout.rowHeight);
  const last = Math.ceil((layout.scroll + layout.bottom - layout.top) / layout.rowHeight) - 1;
  return [Math.max(0, first), Math.min(layout.ranks - 1, last)];
}

/** The scroll that shows a rank whole, as near as possible to the present one. */
export function scrollToRank(layout: LaneLayout, rank: number): number {
  const top = rank * layout.rowHeight;
  const height = layout.bottom - layout.top;
  if (top < layout.scroll) return top;
  return Math.max(layout.scroll, top + layout.rowHeight - height);
}
