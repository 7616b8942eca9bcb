import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  balance,
  isPlacementRefusal,
  logicalToPhysical,
  place,
  PLACEMENT_POLICIES,
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

  it('places every expert, every slot once, and never beats its own bound', () => {
    const legal = fc.record({
      groups: fc.constantFrom(1, 2, 4),
      extra: fc.nat(3),
      loads: fc.array(fc.nat(1000), { minLength: 16, maxLength: 16 }),
      policy: fc.constantFrom(...PLACEMENT_POLICIES),
    });
    fc.assert(
      fc.property(legal, ({ groups, extra, loads, policy }) => {
        const shape = { layers: 1, experts: 16, slots: 16 + 4 * extra, gpus: 4, nodes: 2, groups };
        const rows = [Float64Array.from(loads)];
        const placement = place(rows, shape, policy);
        if (isPlacementRefusal(placement)) throw new Error(placement.message);
        const slots = logicalToPhysical(placement)[0] ?? [];
        expect(slots.every((own) => own.length > 0)).toBe(true);
        expect(slots.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: shape.slots }, (_, slot) => slot));
        const { meanOverMax, lowerBound } = balance(placement, rows);
        expect(meanOverMax[0]).toBeLessThanOrEqual((lowerBound[0] ?? 0) + 1e-9);
      }),
    );
  });
});
