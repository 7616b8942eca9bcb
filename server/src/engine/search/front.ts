import type { StepReport } from '../cost/training-step';
import type { Choice } from './candidates';

/** A layout with what it takes: seconds of a step, bytes of the fullest rank, GPUs. */
export interface Outcome {
  readonly choice: Choice;
  readonly seconds: number;
  readonly bytes: number;
  readonly step: StepReport;
}

/** True when `a` is nowhere worse than `b` and somewhere better. */
export function dominates(a: Outcome, b: Outcome): boolean {
  const noWorse = a.seconds <= b.seconds && a.bytes <= b.bytes && a.choice.gpus <= b.choice.gpus;
  return noWorse && (a.seconds < b.seconds || a.bytes < b.bytes || a.choice.gpus < b.choice.gpus);
}

/** Outcomes that no other dominates, fewest GPUs first and then fastest; of equal ones the first. */
export function paretoFront(outcomes: readonly Outcome[]): Outcome[] {
  const sorted = [...outcomes].sort(
    (a, b) => a.choice.gpus - b.choice.gpus || a.seconds - b.seconds || a.bytes - b.bytes,
  );
  const front: Outcome[] = [];
  for (const outcome of sorted) {
    const beaten = front.some(
      (other) =>
        other.choice.gpus <= outcome.choice.gpus && other.seconds <= outcome.seconds && other.bytes <= outcome.bytes,
    );
    if (!beaten) front.push(outcome);
  }
  return front;
}

/**
 * How far an outcome is from a front: the share by which it would have to be faster so that nothing on the front with as little memory
 * and as few GPUs beats it. 0 on the front.
 */
export function distanceToFront(outcome: Outcome, front: readonly Outcome[]): number {
  const rivals = front.filter(({ bytes, choice }) => bytes <= outcome.bytes && choice.gpus <= outcome.choice.gpus);
  const best = Math.min(outcome.seconds, ...rivals.map(({ seconds }) => seconds));
  return best > 0 ? outcome.seconds / best - 1 : 0;
}
