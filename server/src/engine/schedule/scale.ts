import type { Durations, ScheduleKind } from '../spec/training';
import { defaultChunks } from './build';
import { isUniform, type DurationsInput } from './durations';

/** Pieces that one rank's share of the model is cut into: what one pass of a kind covers is one of them. */
export function passesPerRank(kind: ScheduleKind | 'custom', chunks: number | undefined): number {
  // DualPipe's second stage on a rank is another copy of the model, and belongs to other microbatches.
  if (kind === 'dualpipe') return 1;
  return chunks ?? (kind === 'custom' ? 1 : defaultChunks(kind));
}

/** Durations times a factor; a transfer keeps its own, since a smaller chunk hands on an activation of the same size. */
export function scaleDurations(durations: DurationsInput, factor: number, commFactor = 1): DurationsInput {
  const comm = durations.comm * commFactor;
  if (isUniform(durations)) {
    const { F, B, I, W, FB } = durations;
    return { F: F * factor, B: B * factor, I: I * factor, W: W * factor, FB: FB * factor, comm };
  }
  const times = (values: ArrayLike<number>): number[] => Array.from(values, (value) => value * factor);
  const { F, B, I, W, FB } = durations;
  return { F: times(F), B: times(B), I: times(I), W: times(W), FB: times(FB), comm };
}

/** One number a kind of pass: the mean over stages. */
export function meanDurations(durations: DurationsInput): Durations {
  if (isUniform(durations)) return durations;
  const mean = (values: ArrayLike<number>): number =>
    values.length === 0 ? 0 : Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
  const { F, B, I, W, FB, comm } = durations;
  return { F: mean(F), B: mean(B), I: mean(I), W: mean(W), FB: mean(FB), comm };
}
