import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evennessOf, judge, movedSlots, reachOf, wastedSlots } from '../../../server/src/engine/placement/judge';
import { lpEvenness } from '../../../server/src/engine/placement/lp-bound';
import { balance, fallsBackToGlobal } from '../../../server/src/engine/placement/place';
import type { Placement } from '../../../server/src/engine/placement/placement';
import { expectedPlaces } from '../../../server/src/engine/placement/traffic';

function placementOf(rows: readonly (readonly number[])[], gpus: number, nodes = 1, groups = 1): Placement {
  const experts = Math.max(...rows.flat()) + 1;
  return {
    policy: 'test',
    shape: { layers: rows.length, experts, slots: rows[0]?.length ?? 0, gpus, nodes, groups },
    physicalToLogical: rows.map((row) => Int32Array.from(row)),
    replicaCounts: rows.map((row) =>
      Int32Array.from({ length: experts }, (_, expert) => row.filter((other) => other === expert).length),
    ),
  };
}

/** The least maximum by Hall's condition: load that can only go to a set of GPUs, shared by that set, the worst set counting. */
function leastMaximum(row: readonly number[], load: readonly number[], gpus: number): number {
  const perGpu = row.length / gpus;
  const homes = load.map((_, expert) =>
    row.reduce((set, other, slot) => (other === expert ? set | (1 << Math.floor(slot / perGpu)) : set), 0),
  );
  let worst = 0;
  for (let set = 1; set < 1 << gpus; set += 1) {
    const size = Array.from({ length: gpus }, (_, gpu) => (set >> gpu) & 1).reduce((a, b) => a + b, 0);
    const inside = load.reduce((sum, value, expert) => ((homes[expert] ?? 0) & ~set ? sum : sum + value), 0);
    worst = Math.max(worst, inside / size);
  }
  return worst;
}

describe('the best split over copies', () => {
  it('is exact: the same as the worst set of GPUs', () => {
    const cases = fc
      .record({
        gpus: fc.integer({ min: 2, max: 5 }),
        perGpu: fc.integer({ min: 1, max: 4 }),
        experts: fc.integer({ min: 1, max: 6 }),
      })
      .filter(({ gpus, perGpu, experts }) => gpus * perGpu >= experts)
      .chain(({ gpus, perGpu, experts }) =>
        fc.record({
          gpus: fc.constant(gpus),
          load: fc.array(fc.integer({ min: 0, max: 1000 }), { minLength: experts, maxLength: experts }),
          rest: fc.array(fc.integer({ min: 0, max: experts - 1 }), {
            minLength: gpus * perGpu - experts,
            maxLength: gpus * perGpu - experts,
          }),
          order: fc.shuffledSubarray(
            Array.from({ length: gpus * perGpu }, (_, slot) => slot),
            { minLength: gpus * perGpu },
          ),
        }),
      );
    fc.assert(
      fc.property(cases, ({ gpus, load, rest, order }) => {
        const all = [...load.keys(), ...rest];
        const row = order.map((slot) => all[slot] ?? 0);
        const total = load.reduce((a, b) => a + b, 0);
        const [even = 0] = lpEvenness(placementOf([row], gpus), [Float64Array.from(load)]);
        const exact = total === 0 ? 1 : total / gpus / leastMaximum(row, load, gpus);
        expect(even).toBeCloseTo(exact, 5);
      }),
      { numRuns: 300 },
    );
  });

  it('is never worse than equal shares', () => {
    const placement = placementOf([[0, 1, 0, 2]], 2);
    const loads = [Float64Array.of(10, 6, 1)];
    expect(balance(placement, loads).meanOverMax[0]).toBeCloseTo(8.5 / 11, 9);
    expect(lpEvenness(placement, loads)[0]).toBeCloseTo(1, 6);
  });
});

describe('balancedness', () => {
  it('is what each framework prints', () => {
    const even = evennessOf([Float64Array.of(1, 3), Float64Array.of(10, 10)]);
    expect(even.mean).toBeCloseTo((2 / 3 + 1) / 2, 12);
    expect(even.sglang).toBeCloseTo((2.00001 / 3.00001 + 1) / 2, 12);
    expect(even.vllm).toBeCloseTo(12 / 13, 12);
    expect(even.tensorrtLlm).toBeCloseTo((0.5 + 0) / 2, 12);
    expect([even.worst, even.worstLayer]).toEqual([2 / 3, 0]);
  });

  it('stays a number without any load', () => {
    const even = evennessOf([new Float64Array(2)]);
    expect(Object.values(even).every(Number.isFinite)).toBe(true);
    expect(Number.isFinite(judge(placementOf([[0, 1]], 2), [new Float64Array(2)]).fixed)).toBe(true);
  });
});

describe('a change of placement', () => {
  const from = placementOf([[0, 1, 2, 3]], 2);

  it('moves the experts that their GPU did not hold', () => {
    expect(movedSlots(from, placementOf([[1, 0, 3, 2]], 2))).toEqual({ slots: 0, busiest: 0 });
    expect(movedSlots(from, placementOf([[0, 2, 1, 3]], 2))).toEqual({ slots: 2, busiest: 1 });
    expect(movedSlots(from, placementOf([[0, 1, 2, 3, 0, 1]], 2))).toBeUndefined();
  });

  it('counts slots without use', () => {
    expect(
      wastedSlots(
        placementOf(
          [
            [0, 0, 1, 2],
            [0, 1, 2, 2],
          ],
          2,
        ),
      ),
    ).toBe(2);
  });
});

describe('where tokens go', () => {
  it('agrees with the formula for even loads in order', () => {
    const rows = [Array.from({ length: 64 }, (_, expert) => expert)];
    const placement = placementOf(rows, 8, 4, 8);
    const routing = { experts: 64, topK: 4, groups: 8, topGroups: 4 };
    const reach = reachOf(placement, [new Float64Array(64).fill(1)], routing);
    expect(reach?.nodes).toBeGreaterThan(0.9 * (expectedPlaces(routing, 4) ?? 0));
    expect(reach?.nodes).toBeLessThan(1.02 * (expectedPlaces(routing, 4) ?? 0));
    expect(reach?.remoteNodes).toBeCloseTo(((reach?.nodes ?? 0) * 3) / 4, 9);
  });

  it('is silent on routers that cannot be', () => {
    expect(
      reachOf(placementOf([[0, 1]], 2), [Float64Array.of(1, 1)], { experts: 2, topK: 3, groups: 1 }),
    ).toBeUndefined();
  });

  it('knows which policies give up their groups', () => {
    const shape = { layers: 1, experts: 8, slots: 9, gpus: 3, nodes: 3, groups: 4 };
    expect(fallsBackToGlobal(shape, 'eplb')).toBe(true);
    expect(fallsBackToGlobal({ ...shape, nodes: 2 }, 'eplb')).toBe(false);
    expect(fallsBackToGlobal(shape, 'eplb-global')).toBe(false);
  });
});
