import { createQuads } from '../kit/pen';
import type { Pen, Quads } from '../kit/pen';
import { endOf } from '../kit/viewport';
import type { Axis } from '../kit/viewport';
import { rowTop, visibleRanks } from './layout';
import type { LaneLayout } from './layout';
import { firstAbove, OP, shownMicrobatch } from './model';
import type { TimelineModel } from './model';
import type { BlockStyle } from './style';

/** Narrower blocks are merged into columns of pixels. */
const MIN_BLOCK = 2;
/** From here on an overlapped block shows its two halves side by side in one frame; below, one above the other. */
const MIN_PAIR = 7;
const MIN_HATCH = 7;
/** A merged pixel column shows shares in sixths, which hold thirds (F : B = 1 : 2) and halves exactly. */
const LEVELS = 6;
/** Thinner rows show the largest share alone. */
const MIN_SHARES = 4;
const STYLES = 8;
/** A merged column holds about this many blocks, so that its shares are a mean and not chance; it is never wider than `MAX_COLUMN`. */
const BLOCKS_A_COLUMN = 4;
const MAX_COLUMN = 4;

/** Lists that are filled again each frame; made once by whoever draws often. */
export interface LaneScratch {
  readonly solid: readonly Quads[];
  readonly hatched: readonly Quads[];
  readonly frames: Quads;
  readonly labels: Label[];
  readonly shares: Float64Array;
}

interface Label {
  readonly text: string;
  readonly x: number;
  readonly y: number;
  readonly ink: string;
}

export function createLaneScratch(): LaneScratch {
  const lists = (): readonly Quads[] => Array.from({ length: STYLES }, () => createQuads());
  return { solid: lists(), hatched: lists(), frames: createQuads(), labels: [], shares: new Float64Array(STYLES) };
}

interface LabelRule {
  readonly size: number;
  /** Width of one digit or letter. */
  readonly glyph: number;
  /** Whether `F12` fits everywhere, or only `12`. */
  readonly letters: boolean;
  readonly enabled: boolean;
}

const LETTERS = ['F', 'B', 'I', 'W'] as const;

const LABEL_MARGIN = 2;
/** Smaller than this a label is no help. */
const SMALLEST_LABEL = 9;

function labelRule(pen: Pen, model: TimelineModel, axis: Axis, layout: LaneLayout): LabelRule {
  const digits = String(Math.max(0, model.view.microbatches - 1)).length;
  let size = Math.max(8, Math.min(12, Math.floor(layout.barHeight * 0.62)));
  // A little smaller where that lets the longest number into the shortest block.
  const room = model.shortest * axis.scale - LABEL_MARGIN;
  while (size > SMALLEST_LABEL && digits * pen.textWidth('0', size) > room) size -= 1;
  const glyph = pen.textWidth('0', size);
  // One rule for the whole picture, from its shortest block: labels that change from block to block are hard to read.
  const letters = model.shortest * axis.scale >= (digits + 1) * glyph + 10;
  return { size, glyph, letters, enabled: layout.barHeight >= 10 };
}

/** Collects what one frame shows; drawing then sets each colour once. */
interface Collector {
  readonly scratch: LaneScratch;
  readonly styles: readonly BlockStyle[];
  readonly layout: LaneLayout;
  readonly rule: LabelRule;
  /** Width of a merged column in pixels. */
  readonly column: number;
}

/** Blocks reach this far over the window's edges, so that their own edges are not mistaken for ends. */
const OVERHANG = 8;

interface Piece {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** Width before rounding to pixels: equal for equal blocks, so that either all of them or none carry a label. */
  readonly exact: number;
}

/** The part of a rectangle that the window shows; a label stands in the middle of what is seen, not of what is there. */
function clampToWindow(layout: LaneLayout, x: number, width: number, margin: number): readonly [number, number] {
  const from = Math.max(x, layout.left - margin);
  return [from, Math.min(x + width, layout.left + layout.width + margin) - from];
}

function addPart(to: Collector, style: number, microbatch: number, piece: Piece): void {
  const { scratch, rule, layout } = to;
  const { y, height } = piece;
  const [x, width] = clampToWindow(layout, piece.x, piece.width, OVERHANG);
  if (width <= 0) return;
  scratch.solid[style]?.push(x, y, width, height);
  if (piece.exact >= MIN_HATCH && height >= MIN_HATCH) scratch.hatched[style]?.push(x, y, width, height);
  if (!rule.enabled) return;
  const text = rule.letters ? `${LETTERS[style >> 1] ?? ''}${microbatch}` : String(microbatch);
  const [seen, room] = clampToWindow(layout, piece.x, piece.width, 0);
  if (text.length * rule.glyph + LABEL_MARGIN > (room < piece.width ? room : piece.exact)) return;
  scratch.labels.push({ text, x: seen + room / 2, y: y + height / 2, ink: to.styles[style]?.ink ?? '#000000' });
}

function addFrame(to: Collector, piece: Piece): void {
  const { frames } = to.scratch;
  const { y, height } = piece;
  const [x, width] = clampToWindow(to.layout, piece.x, piece.width, OVERHANG);
  if (width <= 0) return;
  frames.push(x, y, width, 1);
  frames.push(x, y + height - 1, width, 1);
  frames.push(x, y + 1, 1, height - 2);
  frames.push(x + width - 1, y + 1, 1, height - 2);
}

function addBlock(to: Collector, model: TimelineModel, index: number, x0: number, x1: number, y: number): void {
  const { blocks } = model;
  const { snap, barHeight } = to.layout;
  const left = Math.round(x0 / snap) * snap;
  const right = Math.round(x1 / snap) * snap;
  // A hair of lane between neighbours tells where one block ends, as long as there is room for it.
  const width = Math.max(snap, right - left - (right - left >= 4 ? snap : 0));
  const exact = x1 - x0;
  const op = blocks.op[index] ?? 0;
  const shade = blocks.shade[index] ?? 0;
  const microbatch = shownMicrobatch(model.view, blocks.microbatch[index] ?? 0, blocks.direction[index] ?? 0);
  if (op !== OP.FB) {
    addPart(to, op * 2 + shade, microbatch, { x: left, y, width, height: barHeight, exact });
    return;
  }
  const second = OP.B * 2 + (blocks.shade2[index] ?? 0);
  const microbatch2 = shownMicrobatch(model.view, blocks.microbatch2[index] ?? 0, blocks.direction2[index] ?? 0);
  if (exact < MIN_PAIR) {
    const half = Math.max(1, Math.floor(barHeight / 2));
    to.scratch.solid[shade]?.push(left, y, width, half);
    to.scratch.solid[second]?.push(left, y + half, width, barHeight - half);
    return;
  }
  const half = Math.round(width / 2 / snap) * snap;
  addPart(to, shade, microbatch, { x: left, y, width: half, height: barHeight, exact: exact / 2 });
  addPart(to, second, microbatch2, { x: left + half, y, width: width - half, height: barHeight, exact: exact / 2 });
  if (barHeight >= 6) addFrame(to, { x: left, y, width, height: barHeight, exact });
}

/** Shares of the pixel column being merged, and the run of equal columns before it. */
interface Run {
  from: number;
  to: number;
  key: number;
}

/** The kind with the largest share of a merged column. */
function largestShare(key: number): number {
  let best = 0;
  let most = 0;
  let rest = key;
  for (let style = 0; style < STYLES; style += 1) {
    const level = rest % (LEVELS + 1);
    if (level >= most && level > 0) {
      most = level;
      best = style;
    }
    rest = Math.floor(rest / (LEVELS + 1));
  }
  return best;
}

function emitRun(to: Collector, run: Run, y: number): void {
  if (run.to <= run.from) return;
  const { barHeight } = to.layout;
  if (barHeight < MIN_SHARES) {
    to.scratch.solid[largestShare(run.key)]?.push(run.from, y, run.to - run.from, barHeight);
    return;
  }
  let top = 0;
  let rest = run.key;
  for (let style = 0; style < STYLES; style += 1) {
    const level = rest % (LEVELS + 1);
    rest = Math.floor(rest / (LEVELS + 1));
    if (level === 0) continue;
    const upper = Math.round((top * barHeight) / LEVELS);
    top += level;
    const lower = Math.round((Math.min(top, LEVELS) * barHeight) / LEVELS);
    to.scratch.solid[style]?.push(run.from, y + upper, run.to - run.from, Math.max(1, lower - upper));
  }
}

/** Ends a pixel column: its shares become sixths of the row; equal neighbours grow into one rectangle. */
function endColumn(to: Collector, run: Run, column: number, y: number): void {
  const { shares } = to.scratch;
  let key = 0;
  let unit = 1;
  for (let style = 0; style < STYLES; style += 1) {
    const share = shares[style] ?? 0;
    if (share > 0) {
      const level = Math.min(LEVELS, Math.max(share > 0.02 ? 1 : 0, Math.round(share * LEVELS)));
      key += level * unit;
      shares[style] = 0;
    }
    unit *= LEVELS + 1;
  }
  if (key === run.key && column === run.to) {
    run.to = column + to.column;
    return;
  }
  emitRun(to, run, y);
  run.from = column;
  run.to = column + to.column;
  run.key = key;
}

function addShares(shares: Float64Array, model: TimelineModel, index: number, width: number): void {
  const { blocks } = model;
  const op = blocks.op[index] ?? 0;
  const first = (op === OP.FB ? 0 : op * 2) + (blocks.shade[index] ?? 0);
  if (op !== OP.FB) {
    shares[first] = (shares[first] ?? 0) + width;
    return;
  }
  const second = OP.B * 2 + (blocks.shade2[index] ?? 0);
  shares[first] = (shares[first] ?? 0) + width / 2;
  shares[second] = (shares[second] ?? 0) + width / 2;
}

function collectRank(to: Collector, model: TimelineModel, axis: Axis, rank: number, y: number): void {
  const { blocks } = model;
  const { start, end } = blocks;
  const last = blocks.rankStart[rank + 1] ?? 0;
  const stop = endOf(axis);
  const { left } = to.layout;
  const run: Run = { from: 0, to: 0, key: 0 };
  const { column: step } = to;
  let column = -1;
  let index = firstAbove(end, blocks.rankStart[rank] ?? 0, last, axis.start);
  for (; index < last; index += 1) {
    const begin = start[index] ?? 0;
    if (begin >= stop) break;
    const x0 = left + (begin - axis.start) * axis.scale;
    const x1 = left + ((end[index] ?? 0) - axis.start) * axis.scale;
    if (x1 - x0 >= MIN_BLOCK) {
      if (column >= 0) endColumn(to, run, column, y);
      column = -1;
      addBlock(to, model, index, x0, x1, y);
      continue;
    }
    const pixel = Math.floor((x0 + x1) / 2 / step) * step;
    if (pixel !== column) {
      if (column >= 0) endColumn(to, run, column, y);
      column = pixel;
    }
    addShares(to.scratch.shares, model, index, (x1 - x0) / step);
  }
  if (column >= 0) endColumn(to, run, column, y);
  emitRun(to, run, y);
}

function clear(scratch: LaneScratch): void {
  for (const list of scratch.solid) list.clear();
  for (const list of scratch.hatched) list.clear();
  scratch.frames.clear();
  scratch.labels.length = 0;
}

function paint(pen: Pen, to: Collector, frame: string): void {
  const { scratch, styles, rule } = to;
  styles.forEach((style, at) => {
    const solid = scratch.solid[at];
    const hatched = scratch.hatched[at];
    if (solid !== undefined && solid.count() > 0) pen.rects(solid.data(), solid.count(), style.fill);
    if (hatched !== undefined && hatched.count() > 0) {
      pen.textures(hatched.data(), hatched.count(), style.texture, style.hatch);
    }
  });
  if (scratch.frames.count() > 0) pen.rects(scratch.frames.data(), scratch.frames.count(), frame);
  for (const label of scratch.labels) {
    pen.text(label.text, label.x, label.y, { fill: label.ink, size: rule.size, align: 'center' });
  }
}

export interface LanePicture {
  readonly model: TimelineModel;
  readonly axis: Axis;
  readonly layout: LaneLayout;
  readonly styles: readonly BlockStyle[];
  readonly frame: string;
  /** Every n-th rank only; 1 draws all. For the overview, whose rows are thinner than a pixel. */
  readonly step?: number;
}

/**
 * Draws the blocks of all visible ranks. Blocks outside the window are skipped by binary search; blocks narrower than two pixels
 * are summed into pixel columns, so the cost of a frame is bounded by the screen, not by the schedule.
 */
export function drawBlocks(pen: Pen, picture: LanePicture, scratch: LaneScratch): void {
  const { model, axis, layout, styles } = picture;
  clear(scratch);
  const column = Math.max(1, Math.min(MAX_COLUMN, Math.ceil(BLOCKS_A_COLUMN * model.mean * axis.scale)));
  const to: Collector = { scratch, styles, layout, rule: labelRule(pen, model, axis, layout), column };
  const [first, last] = visibleRanks(layout);
  for (let rank = first; rank <= last; rank += picture.step ?? 1)
    collectRank(to, model, axis, rank, rowTop(layout, rank));
  paint(pen, to, picture.frame);
}
