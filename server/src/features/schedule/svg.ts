import type { ScheduleOrder, Timeline } from '../../engine/schedule/order';
import { OP } from '../../engine/schedule/order';
import { bubbleShare } from '../../engine/schedule/bubble';

export interface SvgOptions {
  /** Width of the whole picture; the height follows from the ranks. */
  readonly width?: number;
  /** A line above the picture; absent: kind and sizes. */
  readonly title?: string;
}

const ROW = 24;
const LEFT = 56;
const TOP = 30;
const BOTTOM = 40;

/** Colours that stay apart for the colour-blind (Okabe and Ito), each with a pattern of its own. */
const STYLE = [
  { name: 'forward', fill: '#f0e442', pattern: '' },
  { name: 'backward', fill: '#56b4e9', pattern: 'M0,4 L8,4' },
  { name: 'backward for input', fill: '#8fd3b6', pattern: 'M0,8 L8,0' },
  { name: 'backward for weight', fill: '#c9c9c9', pattern: 'M0,0 L8,8' },
  { name: 'overlapped forward and backward', fill: '#e69f00', pattern: 'M4,0 L4,8' },
] as const;

/** Text may come from a file's own name. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function n(value: number): string {
  return Number(value.toFixed(2)).toString();
}

function patterns(): string {
  return STYLE.map(
    ({ fill, pattern }, code) =>
      `<pattern id="p${code}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8" fill="${fill}"/>` +
      (pattern === '' ? '' : `<path d="${pattern}" stroke="#000" stroke-opacity=".28" stroke-width="1.2"/>`) +
      '</pattern>',
  ).join('');
}

/** What is written in a block: the microbatch, as the papers do; both of an overlapped block. */
function label(order: ScheduleOrder, i: number): string {
  // DualPipe's figure numbers the second direction's microbatches after the first's.
  const shown = (microbatch: number, direction: number): number =>
    microbatch + (order.bidirectional && direction === 1 ? order.microbatches / 2 : 0);
  const first = shown(order.microbatch[i] ?? 0, order.direction[i] ?? 0);
  if (order.op[i] !== OP.FB) return String(first);
  return `${first} ${shown(order.microbatch2[i] ?? 0, order.direction2[i] ?? 0)}`;
}

function block(timeline: Timeline, i: number, rank: number, scale: number): string {
  const { order } = timeline;
  const x = LEFT + (timeline.start[i] ?? 0) * scale;
  const width = ((timeline.end[i] ?? 0) - (timeline.start[i] ?? 0)) * scale;
  const y = TOP + rank * ROW;
  const code = order.op[i] ?? 0;
  const later = order.bidirectional ? order.direction[i] === 1 : (order.stage[i] ?? 0) >= order.ranks;
  const rect = `<rect x="${n(x)}" y="${y}" width="${n(width)}" height="${ROW - 2}" fill="url(#p${code})" stroke="#222" stroke-width="${later ? 1.4 : 0.5}"/>`;
  const text = label(order, i);
  // A number that does not fit says less than none.
  if (width < text.length * 6.2 + 2) return rect;
  return `${rect}<text x="${n(x + width / 2)}" y="${y + 15}"${later ? ' font-weight="bold"' : ''}>${text}</text>`;
}

/** Below this many pixels blocks cannot be told apart and are drawn as one with what follows. */
const THINNEST = 0.4;

function rankBlocks(timeline: Timeline, rank: number, scale: number): string[] {
  const { order, start, end } = timeline;
  const out: string[] = [];
  const last = order.rankStart[rank + 1] ?? 0;
  let from = 0;
  let run = 0;
  const flush = (to: number): void => {
    if (run === 0) return;
    const x = LEFT + from * scale;
    out.push(
      `<rect x="${n(x)}" y="${TOP + rank * ROW}" width="${n((to - from) * scale)}" height="${ROW - 2}" fill="#999"/>`,
    );
    run = 0;
  };
  let reached = 0;
  for (let i = order.rankStart[rank] ?? 0; i < last; i += 1) {
    const a = start[i] ?? 0;
    const b = end[i] ?? 0;
    if (b <= a) continue;
    if ((a - reached) * scale > THINNEST) flush(reached);
    if ((b - a) * scale >= THINNEST) {
      flush(reached);
      out.push(block(timeline, i, rank, scale));
    } else {
      if (run === 0) from = a;
      run += 1;
    }
    reached = b;
  }
  flush(reached);
  return out;
}

function legend(order: ScheduleOrder, y: number): string {
  const used = STYLE.map((_, code) => order.op.includes(code));
  let x = LEFT;
  return STYLE.map(({ name }, code) => {
    if (used[code] !== true) return '';
    const at = x;
    x += 30 + name.length * 6.4;
    return `<rect x="${n(at)}" y="${y}" width="18" height="12" fill="url(#p${code})" stroke="#222" stroke-width=".5"/><text x="${n(at + 23)}" y="${y + 10}" text-anchor="start">${name}</text>`;
  }).join('');
}

/**
 * A timeline in the papers' style: a row a rank, time to the right, a box a pass with its microbatch. Kinds differ by
 * pattern besides colour; the second direction or later chunks are bold. Blocks of no duration are left out, and blocks
 * too thin to see are drawn as one grey bar.
 */
export function scheduleSvg(timeline: Timeline, options: SvgOptions = {}): string {
  const { order, makespan } = timeline;
  const width = Math.max(320, options.width ?? 1200);
  const height = TOP + order.ranks * ROW + BOTTOM;
  const scale = makespan > 0 ? (width - LEFT - 12) / makespan : 0;
  const percent = (bubbleShare(timeline) * 100).toFixed(1);
  const title =
    options.title ??
    `${order.kind}, ${order.ranks} ranks, ${order.microbatches} microbatches: makespan ${n(makespan)}, idle ${percent} %`;
  const rows: string[] = [];
  for (let r = 0; r < order.ranks; r += 1) {
    rows.push(`<text x="${LEFT - 6}" y="${TOP + r * ROW + 15}" text-anchor="end">rank ${r}</text>`);
    for (const drawn of rankBlocks(timeline, r, scale)) rows.push(drawn);
  }
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="sans-serif" font-size="11" text-anchor="middle">` +
    `<title>${escaped(title)}</title><defs>${patterns()}</defs><rect width="100%" height="100%" fill="#fff"/>` +
    `<text x="${LEFT}" y="18" text-anchor="start" font-size="13">${escaped(title)}</text>${rows.join('')}` +
    `${legend(order, TOP + order.ranks * ROW + 14)}</svg>\n`
  );
}
