import { expect } from 'vitest';
import { buildOrder } from '../../server/src/engine/schedule/build';
import type { DurationsInput } from '../../server/src/engine/schedule/durations';
import type { ScheduleOrder } from '../../server/src/engine/schedule/order';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { ScheduleSpec } from '../../server/src/engine/schedule/spec';
import type { Durations } from '../../server/src/engine/spec/training';
import { orderTokens } from '../../server/src/features/schedule/tokens';

/** The duration sets the oracles were recorded with. */
export const ORACLE_DURATIONS: Readonly<Record<string, Omit<Durations, 'comm'>>> = {
  unit: { F: 1, B: 2, I: 1, W: 1, FB: 3 },
  overlap: { F: 1, B: 2, I: 1, W: 1, FB: 2.5 },
  uneven: { F: 10, B: 19, I: 12, W: 7, FB: 26 },
  h800_ms_per_layer: { F: 19.31, B: 31.87, I: 24.42, W: 7.45, FB: 32.25 },
};

/** `unit,comm=0.5` as durations. */
export function oracleDurations(label: string): Durations {
  const [name = '', comm = ''] = label.split(',comm=');
  const base = ORACLE_DURATIONS[name];
  if (base === undefined) throw new Error(`unknown durations ${label}`);
  return { ...base, comm: Number(comm) };
}

/** Compute tokens of a recorded rank: idle slots, transfers and other non-compute tokens left out. */
export function computeTokens(recorded: string): string[] {
  return recorded
    .split(' ')
    .filter((token) => token !== '' && token !== '.' && !/REDUCE_GRAD|SHARD|SEND|RECV|^\{/.test(token));
}

export function built(spec: ScheduleSpec): ScheduleOrder {
  const order = buildOrder(spec);
  if (isRefusal(order)) throw new Error(`refused: ${order.message}`);
  return order;
}

/** Every rank's sequence is the recorded one, token for token. */
export function expectSameOrder(order: ScheduleOrder, recorded: readonly string[]): void {
  expect(orderTokens(order)).toEqual(recorded.map(computeTokens));
}

/** Equal up to the rounding of the recorded decimals. */
export function expectMakespan(order: ScheduleOrder, durations: DurationsInput, recorded: number): void {
  const timeline = simulate(order, durations);
  expect(timeline.deadlock).toBeUndefined();
  expectClose(timeline.makespan, recorded);
}

export function expectClose(actual: number, recorded: number): void {
  expect(Math.abs(actual - recorded)).toBeLessThanOrEqual(1e-6 * Math.max(1, Math.abs(recorded)));
}
