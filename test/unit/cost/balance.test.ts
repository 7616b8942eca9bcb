import { describe, expect, it } from 'vitest';
import { fillFolded } from '../../../server/src/engine/cost/balance';

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

describe('layers of a schedule that folds', () => {
  it('leave the rank that holds both ends fewer layers', () => {
    const counts = fillFolded(new Array<number>(14).fill(1), 4, 0.2, 1.8, 4) ?? [];
    expect(total(counts)).toBe(14);
    const ranks = [0, 1, 2, 3].map((rank) => (counts[rank] ?? 0) + (counts[7 - rank] ?? 0));
    expect(ranks).toEqual([2, 4, 4, 4]);
    for (const rank of [1, 2, 3]) expect(counts[rank]).toBe(counts[7 - rank]);
    expect([counts[0], counts[7]]).toEqual([2, 0]);
  });

  it('have no answer within a limit that one rank must pass', () => {
    expect(fillFolded(new Array<number>(16).fill(1), 4, 0.2, 1.8, 4)).toBeUndefined();
  });

  it('hold no rank above the limit where layers are unlike', () => {
    const costs = [0.5, 0.5, 0.5, 1, 1, 1, 1, 1];
    const counts = fillFolded(costs, 2, 0, 1, 4) ?? [];
    expect(total(counts)).toBe(8);
    const ends = counts.map((_, stage) => total(counts.slice(0, stage + 1)));
    const time = (stage: number): number => total(costs.slice((ends[stage] ?? 0) - (counts[stage] ?? 0), ends[stage]));
    expect(time(0) + time(3) + 1).toBeLessThanOrEqual(4);
    expect(time(1) + time(2)).toBeLessThanOrEqual(4);
  });
});
