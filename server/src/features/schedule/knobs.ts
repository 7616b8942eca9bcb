import type { ResolvedPlan } from '../../plan/plan';
import { SCHEDULE_KINDS } from '../../engine/schedule/build';
import { chunkChoices, isRefused, microbatchChoices, tryUnder, type SweepRow } from './sweep';
import { isLooped, type ScheduleAsk } from './variant';

/** What one change of one knob brings, by running the changed schedule. */
export interface KnobEffect {
  /** `batch` is a global batch twice as large, its time counted for the file's own batch. */
  readonly knob: 'schedule' | 'microbatches' | 'chunks' | 'groupSize' | 'batch';
  readonly value: string | number;
  /** The file's own value. */
  readonly from: string | number;
  /** Change of the time of one step at the same batch, as a share: -0.061 is 6.1 % faster. */
  readonly stepChange: number;
  readonly bubble: number;
  /** Change of the fullest rank, where the model is known. */
  readonly bytesChange?: number;
  /** Change of the most activations alive, in whole microbatches of the file's size. */
  readonly activationsChange: number;
  readonly fits?: boolean;
  /** What to ask for to see it. */
  readonly ask: ScheduleAsk;
}

interface Candidate {
  readonly knob: KnobEffect['knob'];
  readonly value: string | number;
  readonly from: string | number;
  readonly ask: ScheduleAsk;
}

/** Every single change worth trying: another schedule, other microbatches of the same batch, other chunks, other group sizes. */
export function knobCandidates(resolved: ResolvedPlan): Candidate[] {
  const { layout, batch, pipeline } = resolved;
  if (layout === undefined || batch === undefined) return [];
  const { kind } = pipeline;
  const out: Candidate[] = SCHEDULE_KINDS.filter((other) => other !== kind).map((other) => ({
    knob: 'schedule',
    value: other,
    from: kind,
    ask: { kind: other },
  }));
  for (const m of microbatchChoices(resolved))
    if (m !== batch.microbatches)
      out.push({ knob: 'microbatches', value: m, from: batch.microbatches, ask: { microbatches: m } });
  // Twice the microbatches of the same size: only where they could not be halves of the present ones.
  if ((batch.microBatch * batch.microbatches) % (2 * batch.microbatches) !== 0)
    out.push({
      knob: 'batch',
      value: 2 * batch.globalBatch,
      from: batch.globalBatch,
      ask: { microbatches: 2 * batch.microbatches },
    });
  if (!isLooped(kind)) return out;
  for (const v of chunkChoices(resolved))
    if (v !== layout.virtualPipeline)
      out.push({ knob: 'chunks', value: v, from: layout.virtualPipeline, ask: { chunks: v } });
  if (kind !== 'interleaved' && kind !== '1f1b-ep-overlap') return out;
  const own = pipeline.groupSize ?? layout.pipeline;
  for (const n of new Set([layout.pipeline, 2 * layout.pipeline, batch.microbatches]))
    if (n !== own && n <= batch.microbatches)
      out.push({ knob: 'groupSize', value: n, from: own, ask: { groupSize: n } });
  return out;
}

/** What a candidate changes against the file's own schedule; undefined when its framework refuses it. */
export function knobEffect(resolved: ResolvedPlan, base: SweepRow, candidate: Candidate): KnobEffect | undefined {
  const row = tryUnder(resolved, candidate.ask);
  return isRefused(row) || base.step <= 0 ? undefined : effectOf(base, row, candidate);
}

/** A tried schedule beside the file's own. */
export function effectOf(base: SweepRow, row: SweepRow, candidate: Candidate): KnobEffect {
  const bytes =
    row.peakBytes === undefined || base.peakBytes === undefined ? undefined : row.peakBytes - base.peakBytes;
  const { knob, value, from, ask } = candidate;
  return {
    knob,
    value,
    from,
    ask,
    stepChange: row.step / base.step - 1,
    bubble: row.bubble,
    activationsChange: row.peakActivations - base.peakActivations,
    ...(bytes === undefined ? {} : { bytesChange: bytes }),
    ...(row.fits === undefined ? {} : { fits: row.fits }),
  };
}

/** Effects from the fastest on; the best of each knob comes first in its kind. */
export function byStep(effects: readonly KnobEffect[]): KnobEffect[] {
  return [...effects].sort((a, b) => a.stepChange - b.stepChange);
}

/** The effect of every knob, fastest first. Empty where the own schedule cannot run. */
export function knobEffects(resolved: ResolvedPlan): KnobEffect[] {
  const base = tryUnder(resolved, {});
  if (isRefused(base)) return [];
  return byStep(
    knobCandidates(resolved)
      .map((candidate) => knobEffect(resolved, base, candidate))
      .filter((effect) => effect !== undefined),
  );
}
