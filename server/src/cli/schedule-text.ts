import { OP, type Timeline } from '../engine/schedule/order';
import type { KnobEffect } from '../features/schedule/knobs';
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

function durationText({ durations, unit }: ScheduleJson): string | undefined {
  if (durations === undefined) return undefined;
  const { F, I, W, B, FB, comm, origin, basis } = durations;
  const values = Object.entries({ F, I, W, B, FB, comm }).map(([name, value]) => `${name} ${number(value)}`);
  const from =
    origin === 'model'
      ? ` ms a stage, mean: cost model of ${basis ?? 'the plan'}`
      : origin === 'unit'
        ? ' (units)'
        : unit === 'ms'
          ? ' ms as the file says'
          : '';
  return `${values.join('  ')}${from}`;
}

/** A knob's effect in a line: `schedule dualpipev: step −6.1 %, peak memory +0.9 GiB`. */
function knobText({ knob, value, stepChange, bytesChange, fits }: KnobEffect): string {
  const bytes = bytesChange === undefined ? '' : `, fullest rank ${signed(bytesChange / 2 ** 30)} GiB`;
  return `${knob === 'batch' ? 'global batch' : knob} ${value}: ${knob === 'batch' ? 'a sample' : 'step'} ${signed(stepChange * 100)} %${bytes}${fits === false ? ', does not fit' : ''}`;
}

function signed(value: number): string {
  const text = Math.abs(value).toFixed(1);
  return `${value < 0 && text !== '0.0' ? '−' : '+'}${text}`;
}

/** How transfers were timed and what steps in a row take, where somebody asked. */
function runText({ p2p, p2pModelled, steps, unit }: ScheduleJson): [string, string][] {
  const out: [string, string][] = [];
  if (p2p !== undefined)
    out.push(['Transfers', p2pModelled === false ? `${p2p} is not modelled for this kind: ideal` : p2p]);
  if (steps !== undefined) {
    const time = (value: number): string => (unit === 'ms' ? `${number(value)} ms` : number(value));
    const other = steps.sync === 'barrier' ? 'post-validation' : 'a barrier';
    const own = steps.sync === 'barrier' ? 'a barrier' : 'post-validation';
    out.push([
      'Steps in a row',
      `${time(steps.steady)} each with ${own}, ${time(steps.steadyOtherwise)} with ${other}`,
    ]);
  }
  return out;
}

/** What idle time waits for, what decides the makespan, and which change helps most. */
function explained(json: ScheduleJson): [string, string][] {
  const out: [string, string][] = [];
  const durations = durationText(json);
  if (durations !== undefined) out.push(['Durations', durations]);
  const { explanation, knobs, makespan, assumed } = json;
  if (explanation !== undefined && makespan > 0) {
    const { idleBy, criticalPath } = explanation;
    const whole = idleBy.warmup + idleBy.steady + idleBy.cooldown;
    const share = (value: number): string => percent(whole > 0 ? value / whole : 0);
    if (whole > 0)
      out.push([
        'Idle time',
        `${share(idleBy.activation)} waits for activations, ${share(idleBy.gradient)} for gradients, ${share(idleBy.transfer)} for transfers, ${share(idleBy.done)} for the last rank`,
      ]);
    const parts = Object.entries({ ...criticalPath.byPass, transfers: criticalPath.transfers })
      .filter(([, value]) => value > 0)
      .map(([name, value]) => `${name} ${percent(value / makespan)}`);
    out.push(['Critical path', `${parts.join(', ')}; ${plural(criticalPath.hops, 'hop')} between ranks`]);
  }
  out.push(...runText(json));
  const better = knobs?.filter(({ stepChange, fits }) => stepChange < -0.0005 && fits !== false).slice(0, 3) ?? [];
  if (knobs !== undefined)
    out.push(['Faster', better.length === 0 ? 'no single change that fits' : better.map(knobText).join('; ')]);
  if (assumed !== undefined) out.push(['Assumed', `${assumed.join(', ')}: nothing in the file says it`]);
  return out;
}

/** For people: sizes, bubble, formula, the drawn schedule where it fits, and a row a rank. */
export function scheduleText(json: ScheduleJson, timeline: Timeline): string {
  const { kind, ranks, microbatches, chunks, makespan, idle, peakActivations, bubble, formula } = json;
  const head: [string, string][] = [
    ['Schedule', `${kind}, ${plural(ranks, 'rank')} of ${plural(chunks, 'stage')}, M = ${microbatches}`],
    [
      timeline.deadlock === undefined ? 'Makespan' : 'Stops at',
      json.unit === 'ms' ? `${number(makespan)} ms` : number(makespan),
    ],
  ];
  // Idle time of a run that never ends is no bubble.
  if (timeline.deadlock === undefined) head.push(['Bubble', `${percent(bubble)} of every rank's time, mean`]);
  if (formula !== undefined)
    head.push(['Formula', `${formula.text} = ${number(formula.value)}${formula.exact ? '' : ' (not exact)'}`]);
  head.push(...explained(json));
  const rows = idle.map((value, rank) => [
    String(rank),
    number(value),
    percent(makespan > 0 ? value / makespan : 0),
    number(peakActivations[rank] ?? 0),
  ]);
  return [facts(head), drawTimeline(timeline), table(COLUMNS, rows)].filter((block) => block !== '').join('\n');
}
