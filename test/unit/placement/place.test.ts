import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  balance,
  isPlacementRefusal,
  logicalToPhysical,
  place,
  PLACEMENT_POLICIES,
  refuseShape,
} from '../../../server/src/engine/placement/place';
import type { PlacementShape } from '../../../server/src/engine/placement/placement';

const SHAPE: PlacementShape = { layers: 1, experts: 8, slots: 12, gpus: 4, nodes: 2, groups: 4 };
const LOADS = [Float64Array.from([9, 1, 1, 1, 5, 1, 1, 1])];

describe('place', () => {
  it('gives the hottest expert the redundant slots', () => {
    const placement = place(LOADS, SHAPE, 'eplb-global');
    if (isPlacementRefusal(placement)) throw new Error(placement.message);
    const copies = [...(placement.replicaCounts[0] ?? [])];
    expect(copies.indexOf(Math.max(...copies))).toBe(0);
    expect(copies.reduce((a, b) => a + b, 0)).toBe(SHAPE.slots);
  });

  it('takes a negative zero for no load', () => {
    const zeros = [Float64Array.from([9, 0, 1, 1, 5, 0, 1, 1])];
    const negative = [Float64Array.from([9, -0, 1, 1, 5, -0, 1, 1])];
    for (const policy of ['eplb', 'eplb-global'] as const)
      expect(place(negative, SHAPE, policy)).toEqual(place(zeros, SHAPE, policy));
  });

  it.each([
    [{ ...SHAPE, slots: 7 }, 'slots', 'every expert needs at least one slot'],
    [{ ...SHAPE, slots: 13 }, 'slots', '12 and 16'],
    [{ ...SHAPE, gpus: 0 }, 'gpus', 'positive whole number'],
    [{ ...SHAPE, gpus: 3, nodes: 2 }, 'gpus', '2 and 4'],
  ])('refuses an illegal shape with the nearest legal values', (shape, field, words) => {
    const answer = place(LOADS, shape, 'eplb');
    if (!isPlacementRefusal(answer)) throw new Error('accepted');
    expect(answer.field).toBe(field);
    expect(answer.message).toContain(words);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])(
    'refuses a load of %s, which the original would give all redundancy',
    (load) => {
      const answer = place([Float64Array.from([load, 1, 1, 1, 1, 1, 1, 1])], SHAPE, 'eplb');
      expect(isPlacementRefusal(answer) && answer.rule).toBe('load-not-a-number');
    },
  );

  it.each([
    ['sglang-deepseek-hierarchical', { ...SHAPE, groups: 1 }, 'nodes', [1]],
    ['sglang-deepseek-vec-hierarchical', { ...SHAPE, slots: 8 + 3 * 4, nodes: 8, gpus: 4 }, 'nodes', [4]],
    ['sglang-deepseek-vec-hierarchical', { ...SHAPE, slots: 9, gpus: 1, nodes: 2 }, 'gpus', [2]],
    ['sglang-deepseek-vec-hierarchical', { ...SHAPE, slots: 10, gpus: 2, nodes: 4, groups: 4 }, 'gpus', [4]],
    ['vllm-round-robin', SHAPE, 'slots', [8]],
    ['eplb', { ...SHAPE, groups: 6, nodes: 2 }, 'groups', [4, 8]],
  ] as const)('%s names its own condition', (policy, shape, field, nearest) => {
    const answer = place(LOADS, shape, policy);
    if (!isPlacementRefusal(answer)) throw new Error('accepted');
    expect([answer.field, answer.nearest]).toEqual([field, nearest]);
    expect(answer.condition).toMatch(/==|>=/);
  });

  it('says how many redundant experts the chunked policy would take', () => {
    const shape = { ...SHAPE, slots: 12, gpus: 12, nodes: 3, groups: 3, experts: 9 };
    const answer = place([new Float64Array(9)], { ...shape, slots: 12 }, 'sglang-deepseek-vec-hierarchical');
    expect(isPlacementRefusal(answer)).toBe(false);
    const refused = place([new Float64Array(8)], { ...SHAPE, slots: 9, gpus: 9, nodes: 1 }, 'trivial');
    expect(isPlacementRefusal(refused)).toBe(false);
  });

  it('places every expert, every slot once, and never beats its own bound', () => {
    const legal = fc.record({
      groups: fc.constantFrom(1, 2, 4),
      extra: fc.nat(3),
      loads: fc.array(fc.nat(1000), { minLength: 16, maxLength: 16 }),
      policy: fc.constantFrom(...PLACEMENT_POLICIES),
    });
    let placed = 0;
    fc.assert(
      fc.property(legal, ({ groups, extra, loads, policy }) => {
        const shape = { layers: 1, experts: 16, slots: 16 + 4 * extra, gpus: 4, nodes: 2, groups };
        const rows = [Float64Array.from(loads)];
        const placement = place(rows, shape, policy);
        if (isPlacementRefusal(placement)) {
          expect(refuseShape(shape, policy)).toEqual(placement);
          return;
        }
        placed += 1;
        const slots = logicalToPhysical(placement)[0] ?? [];
        expect(slots.map((own) => own.length)).toEqual([...(placement.replicaCounts[0] ?? [])]);
        expect(slots.every((own) => own.length > 0)).toBe(true);
        expect(slots.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: shape.slots }, (_, slot) => slot));
        const { meanOverMax, lowerBound } = balance(placement, rows);
        expect(meanOverMax[0]).toBeLessThanOrEqual((lowerBound[0] ?? 0) + 1e-6);
      }),
      { numRuns: 400 },
    );
    expect(placed).toBeGreaterThan(200);
  });

  it('has a bound that two slots a GPU cannot beat, found by trying every pairing', () => {
    const load = Float64Array.from([8, 5, 4, 1]);
    const shape = { layers: 1, experts: 4, slots: 4, gpus: 2, nodes: 1, groups: 1 };
    const pairings = [8 + 5, 8 + 4, 8 + 1].map((sum) => Math.max(sum, 18 - sum));
    const placement = place([load], shape, 'trivial');
    if (isPlacementRefusal(placement)) throw new Error(placement.message);
    expect(balance(placement, [load]).lowerBound[0]).toBeGreaterThanOrEqual(9 / Math.min(...pairings));
  });
});
