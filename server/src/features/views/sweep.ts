import type { NoView } from '../../protocol/common';
import type { KnobView, SweepRowView, SweepView } from '../../protocol/timeline';
import type { ResolvedPlan } from '../../plan/plan';
import type { Analysis } from '../analysis';
import { byStep, knobCandidates, knobEffect, type KnobEffect } from '../schedule/knobs';
import { planTimes, scheduleTitle } from '../schedule/planned';
import { isRefused, markPareto, sweepAsks, tryUnder, type SweepRow } from '../schedule/sweep';
import { noView } from './frame';

const KNOB_WORDS: Readonly<Record<KnobEffect['knob'], string>> = {
  schedule: 'schedule',
  microbatches: 'microbatches',
  chunks: 'chunks a rank',
  groupSize: 'group size',
  batch: 'global batch',
};

function knobView(effect: KnobEffect): KnobView {
  const { knob, value, from, stepChange, bytesChange, activationsChange, fits, ask } = effect;
  const name = (of: string | number): string =>
    knob === 'schedule' && typeof of === 'string'
      ? scheduleTitle(of as Parameters<typeof scheduleTitle>[0])
      : String(of);
  return {
    knob: KNOB_WORDS[knob],
    text: `${name(from)} → ${name(value)}`,
    stepChange,
    ...(knob === 'batch' ? { perSample: true } : {}),
    activationsChange,
    ...(bytesChange === undefined ? {} : { bytesChange }),
    ...(fits === undefined ? {} : { fits }),
    ask,
  };
}

function rowView(row: SweepRow, base: SweepRow): SweepRowView {
  const bytes =
    row.peakBytes === undefined || base.peakBytes === undefined ? undefined : row.peakBytes - base.peakBytes;
  return {
    kind: row.kind,
    title: scheduleTitle(row.kind),
    microbatches: row.microbatches,
    chunks: row.chunks,
    step: row.step,
    stepChange: base.step > 0 ? row.step / base.step - 1 : 0,
    bubble: row.bubble,
    peakActivations: row.peakActivations,
    ...(row.peakBytes === undefined ? {} : { peakBytes: row.peakBytes }),
    ...(bytes === undefined ? {} : { bytesChange: bytes }),
    ...(row.fits === undefined ? {} : { fits: row.fits }),
    pareto: row.pareto ?? false,
    own: row.kind === base.kind && row.microbatches === base.microbatches && row.chunks === base.chunks,
  };
}

interface Tried {
  readonly rows: SweepRow[];
  readonly refused: Map<string, string>;
  /** Schedules that were left out in some sizes because they take too long. */
  readonly large: Set<string>;
  readonly effects: KnobEffect[];
}

/** Runs all tries, stopping between any two of them so that the caller may give up or let others work. */
function* tries(resolved: ResolvedPlan, base: SweepRow): Generator<undefined, Tried> {
  const out: Tried = { rows: [], refused: new Map(), large: new Set(), effects: [] };
  for (const ask of sweepAsks(resolved)) {
    const row = tryUnder(resolved, ask);
    if (!isRefused(row)) out.rows.push(row);
    else if (row.large === true && ask.kind !== undefined) out.large.add(scheduleTitle(ask.kind));
    else if (ask.kind !== undefined && !out.refused.has(scheduleTitle(ask.kind)))
      out.refused.set(scheduleTitle(ask.kind), row.refused);
    yield;
  }
  for (const candidate of knobCandidates(resolved)) {
    const effect = knobEffect(resolved, base, candidate);
    if (effect !== undefined) out.effects.push(effect);
    yield;
  }
  return out;
}

/**
 * Many schedules tried on one plan: a row each, the best marked, and what one change of one knob brings. A generator, because it
 * takes seconds: between any two steps the caller may stop it. The answer is the value it returns.
 */
export function* sweepView(analysis: Analysis): Generator<undefined, SweepView | NoView> {
  const { resolved } = analysis;
  if (resolved?.plan.task !== 'training')
    return noView(analysis, 'Only training plans have a pipeline schedule to compare.');
  const base = tryUnder(resolved, {});
  if (isRefused(base)) return noView(analysis, base.refused);
  const { rows, refused, large, effects } = yield* tries(resolved, base);
  const drawn = new Set(rows.map(({ kind }) => scheduleTitle(kind)));
  const known = rows.some(
    ({ kind, microbatches, chunks }) =>
      kind === base.kind && microbatches === base.microbatches && chunks === base.chunks,
  );
  const origin = planTimes(resolved).origin;
  const capacity = resolved.cluster?.memoryBytes;
  return {
    uri: analysis.uri,
    version: analysis.version,
    unit: origin === 'unit' ? 'unit' : 'ms',
    whole: origin === 'model',
    ...(capacity === undefined ? {} : { capacityBytes: capacity }),
    // What can be run comes first, the fastest of it at the top.
    rows: markPareto(known ? rows : [base, ...rows])
      .map((row) => rowView(row, base))
      .sort((a, b) => Number(a.fits === false) - Number(b.fits === false) || a.step - b.step),
    knobs: byStep(effects).map(knobView),
    refused: [
      ...[...refused].filter(([title]) => !drawn.has(title)).map(([title, reason]) => ({ title, reason })),
      ...[...large].map((title) => ({
        title,
        reason: `${drawn.has(title) ? 'larger sizes were' : 'was'} left out, too many passes to try beside others; draw it alone.`,
      })),
    ],
  };
}
