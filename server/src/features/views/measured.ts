import { durationTable } from '../../engine/schedule/durations';
import { OP } from '../../engine/schedule/order';
import { encodeColumn } from '../../protocol/columns';
import type { MeasuredAnswer, MeasuredParams } from '../../protocol/timeline';
import type { Analysis, FileLookup } from '../analysis';
import { percent } from '../format';
import { readMeasured, type MeasuredPass, type MeasuredTimer } from '../schedule/measured';
import type { PlannedTimeline } from '../schedule/planned';
import { plannedOf } from './timeline';

function ms(value: number): string {
  return `${value.toLocaleString('en-US', { maximumFractionDigits: value >= 100 ? 0 : 2 })} ms`;
}

/** `measured 812 ms, planned 790 ms (−2.7 %)`. */
function against(measured: number, planned: number): string {
  const change = planned / measured - 1;
  const sign = change < 0 ? '−' : '+';
  return `${ms(measured)}, planned ${ms(planned)} (${sign}${percent(Math.abs(change))})`;
}

function meanOf(passes: readonly MeasuredPass[], op: number): number | undefined {
  const own = passes.filter((pass) => pass.op === op);
  return own.length === 0 ? undefined : own.reduce((sum, { start, end }) => sum + end - start, 0) / own.length;
}

const NAMES = ['F', 'B', 'I', 'W', 'F&B'] as const;

function passNotes(
  passes: readonly MeasuredPass[],
  ranks: number,
  makespan: number,
  planned: PlannedTimeline,
): string[] {
  const { times, timeline } = planned;
  const timed = times.origin === 'model' || times.origin === 'stated';
  const busy = passes.reduce((sum, { start, end }) => sum + end - start, 0);
  const notes = [
    timed
      ? `Step: ${against(makespan, timeline.makespan)}.`
      : `Step: ${ms(makespan)}; the plan is drawn to the same length.`,
    `Idle: measured ${percent(Math.max(0, 1 - busy / (makespan * ranks)))}, planned ${percent(planIdle(planned))}.`,
  ];
  if (timed) {
    const { F, B, I, W, FB } = times.mean;
    [F, B, I, W, FB].forEach((value, op) => {
      const measured = meanOf(passes, op);
      if (measured !== undefined && measured > 0 && value > 0)
        notes.push(`Mean ${NAMES[op] ?? ''}: ${against(measured, value)}.`);
    });
  }
  const asked = timeline.order.ranks;
  if (ranks !== asked) notes.push(`The run has ${ranks} ranks, the plan ${asked}.`);
  return notes;
}

function planIdle({ timeline }: PlannedTimeline): number {
  const { idle, makespan } = timeline;
  return makespan > 0 ? idle.reduce((sum, value) => sum + value, 0) / (makespan * idle.length) : 0;
}

/** Busy milliseconds of every rank in passes of one half. */
function plannedHalf({ timeline, times }: PlannedTimeline, half: 'forward' | 'backward'): number[] {
  const { order } = timeline;
  const table = durationTable(times.durations, order.stages);
  return Array.from({ length: order.ranks }, (_, rank) => {
    let sum = 0;
    for (let i = order.rankStart[rank] ?? 0; i < (order.rankStart[rank + 1] ?? 0); i += 1) {
      const code = order.op[i] ?? 0;
      const stage = order.stage[i] ?? 0;
      const lasts = (timeline.end[i] ?? 0) - (timeline.start[i] ?? 0);
      const forward = code === OP.F ? lasts : code === OP.FB ? Math.min(lasts, table.F[stage] ?? 0) : 0;
      sum += half === 'forward' ? forward : lasts - forward;
    }
    return sum;
  });
}

function timerNotes(timers: readonly MeasuredTimer[], planned: PlannedTimeline): string[] {
  const timed = planned.times.origin !== 'unit';
  const halves: Readonly<Record<string, 'forward' | 'backward'>> = {
    'forward-compute': 'forward',
    'backward-compute': 'backward',
  };
  return timers.slice(0, 12).map(({ name, least, most }) => {
    const half = halves[name];
    const range = least === most ? ms(most) : `${ms(least)} to ${ms(most)}`;
    if (name === 'forward-backward' && timed) return `${name}: ${against(most, planned.timeline.makespan)}.`;
    if (half === undefined || !timed) return `${name}: ${range}.`;
    const own = plannedHalf(planned, half);
    return `${name}: ${range} a rank, planned ${ms(Math.min(...own))} to ${ms(Math.max(...own))}.`;
  });
}

/** A measured run for the plan's timeline: its passes from the first one on, and what it says against the plan. */
export function measuredView(analysis: Analysis, params: MeasuredParams, files?: FileLookup): MeasuredAnswer {
  const { uri } = analysis;
  const planned = plannedOf(analysis, params, files);
  if (!('timeline' in planned)) return planned;
  const run = readMeasured(params.text);
  if ('reason' in run) return { empty: true, uri, reason: `${params.fileName}: ${run.reason}` };
  const passes = run.format === 'megatron-timers' ? [] : [...run.passes];
  passes.sort((a, b) => a.rank - b.rank || a.start - b.start);
  const ranks = passes.reduce((most, { rank }) => Math.max(most, rank + 1), 0);
  if (ranks > 4096)
    return { empty: true, uri, reason: `${params.fileName}: ${ranks} ranks are more than a pipeline has.` };
  const first = passes.reduce((least, { start }) => Math.min(least, start), Infinity);
  const makespan = passes.reduce((most, { end }) => Math.max(most, end), -Infinity) - first;
  const rankStart = new Int32Array(ranks + 1);
  for (const { rank } of passes) rankStart[rank + 1] = (rankStart[rank + 1] ?? 0) + 1;
  for (let rank = 0; rank < ranks; rank += 1) rankStart[rank + 1] = (rankStart[rank + 1] ?? 0) + (rankStart[rank] ?? 0);
  const whole = passes.length === 0 ? 0 : makespan;
  return {
    fileName: params.fileName,
    format: run.format,
    ranks,
    makespan: whole,
    columns: {
      rankStart: encodeColumn(rankStart),
      op: encodeColumn(Uint8Array.from(passes, ({ op }) => op)),
      microbatch: encodeColumn(Int32Array.from(passes, ({ microbatch }) => microbatch)),
      start: encodeColumn(Float64Array.from(passes, ({ start }) => start - first)),
      end: encodeColumn(Float64Array.from(passes, ({ end }) => end - first)),
    },
    notes:
      run.format === 'megatron-timers' ? timerNotes(run.timers, planned) : passNotes(passes, ranks, whole, planned),
  };
}
