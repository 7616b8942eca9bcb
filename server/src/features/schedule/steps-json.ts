import type { ScheduleOrder } from '../../engine/schedule/order';
import { runSteps, type StepSync } from '../../engine/schedule/step';
import type { PlanTimes } from './planned';
import type { StepsJson } from './schedule-json';

const OTHER: Readonly<Record<StepSync, StepSync>> = {
  barrier: 'post-validation',
  'post-validation': 'barrier',
};

function rounded(value: number): number {
  return Number.parseFloat(value.toPrecision(12));
}

/**
 * Steps that follow each other under a plan's times: reduction and optimizer from the cost model where it timed them, else none.
 * DualPipe's ranks add up the gradients of their mirror first; its time is part of the reduction, its wait is not. Undefined for an
 * order that cannot finish.
 */
export function stepsJson(
  order: ScheduleOrder,
  times: PlanTimes,
  sync: StepSync,
  iterations: number | undefined,
): StepsJson | undefined {
  const list = (of: 'data' | 'optimizer'): number[] =>
    Array.from({ length: order.ranks }, (_, rank) => times.tails?.[rank]?.[of] ?? 0);
  const tails = { reduce: list('data'), optimizer: list('optimizer') };
  const options = {
    ...tails,
    ...(order.bidirectional ? { mirror: tails.reduce.map(() => 0) } : {}),
    ...(iterations === undefined ? {} : { iterations }),
  };
  const run = runSteps(order, times.durations, { ...options, sync });
  const otherwise = runSteps(order, times.durations, { ...options, sync: OTHER[sync] });
  if (run === undefined || otherwise === undefined) return undefined;
  return {
    sync,
    steady: rounded(run.steady),
    steadyOtherwise: rounded(otherwise.steady),
    ends: run.ends.map(rounded),
    waits: Array.from(run.waits, rounded),
    reduce: tails.reduce.map(rounded),
    optimizer: tails.optimizer.map(rounded),
  };
}
