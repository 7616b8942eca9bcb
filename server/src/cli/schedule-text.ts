import { OP, type Timeline } from '../engine/schedule/order';
import type { ScheduleJson } from '../features/schedule/schedule-json';
import { percent, plural } from '../features/format';
import { facts, table, type Column } from './table';

const WIDEST = 180;
const LETTERS = ['F', 'B', 'I', 'W'] as const;

function number(value: number): string {
  return Number(value.toFixed(3)).toLocaleString('en-US', { maximumFractionDigits: 3 });
}

function labelOf({ order }: Timeline, at: number): string {
  const name = (code: number, microbatch: number | undefined, direction: number | undefined): string =>
    `${LETTERS[code] ?? ''}${microbatch ?? 0}${order.bidirectional && direction === 1 ? "'" : ''}`;
  const code = order.op[at] ?? 0;
  if (code !== OP.FB) return name(code, order.microbatch[at], order.direction[at]);
  const forward = name(OP.F, order.microbatch[at], order.direction[at]);
  return `${forward}${name(OP.B, order.microbatch2[at], order.direction2[at])}`;
}

/** Characters a unit of time so that every label fits its block, or undefined when the picture would be too wide. */
function scaleOf(timeline: Timeline): number | undefined {
  let scale = 0;
  for (let at = 0; at < timeline.order.op.length; at += 1) {
    const lasts = (timeline.end[at] ?? 0) - (timeline.start[at] ?? 0);
    if (lasts > 0) scale = Math.max(scale, (labelOf(timeline, at).length + 1) / lasts);
    if (scale * timeline.makespan > WIDEST) return undefined;
  }
  return scale > 0 ? Math.max(1, scale) : undefined;
}

/** The schedule drawn with letters, a line a rank; empty where it would not fit a terminal. */
export function drawTimeline(timeline: Timeline): string {
  const scale = scaleOf(timeline);
  if (scale === undefined || scale * timeline.makespan > WIDEST) return '';
  const { order } = timeline;
  const lines: string[] = [];
  for (let rank = 0; rank < order.ranks; rank += 1) {
    let line = '';
    const end = order.rankStart[rank + 1] ?? 0;
    for (let at = order.rankStart[rank] ?? 0; at < end; at += 1) {
      const from = Math.round((timeline.start[at] ?? 0) * scale);
      const to = Math.round((timeline.end[at] ?? 0) * scale);
      if (to > from) line = line.padEnd(from, '·') + labelOf(timeline, at).padEnd(to - from, ' ');
    }
    lines.push(`${`rank ${rank}`.padStart(`rank ${order.ranks - 1}`.length)}  ${line.trimEnd()}\n`);
  }
  return lines.join('');
}

const COLUMNS: readonly Column[] = [
  { title: 'rank', align: 'right' },
  { title: 'idle', align: 'right' },
  { title: 'of makespan', align: 'right' },
  { title: 'peak activations', align: 'right' },
];

/** For people: sizes, bubble, formula, the drawn schedule where it fits, and a row a rank. */
export function scheduleText(json: ScheduleJson, timeline: Timeline): string {
  const { kind, ranks, microbatches, chunks, makespan, idle, peakActivations, bubble, formula } = json;
  const head: [string, string][] = [
    ['Schedule', `${kind}, ${plural(ranks, 'rank')} of ${plural(chunks, 'stage')}, M = ${microbatches}`],
    ['Makespan', number(makespan)],
    ['Bubble', `${percent(bubble)} of every rank's time, mean`],
  ];
  if (formula !== undefined)
    head.push(['Formula', `${formula.text} = ${number(formula.value)}${formula.exact ? '' : ' (not exact)'}`]);
  const rows = idle.map((value, rank) => [
    String(rank),
    number(value),
    percent(makespan > 0 ? value / makespan : 0),
    number(peakActivations[rank] ?? 0),
  ]);
  return [facts(head), drawTimeline(timeline), table(COLUMNS, rows)].filter((block) => block !== '').join('\n');
}
