import { describe, expect, it } from 'vitest';
import { staticDispatch } from '../../../server/src/engine/placement/dispatch';
import { numpySum, torchSum } from '../../../server/src/engine/placement/group-sums';
import {
  isPlacementRefusal,
  place,
  refuseShape,
  type PlacementPolicy,
} from '../../../server/src/engine/placement/place';
import type { PlacementShape } from '../../../server/src/engine/placement/placement';

function shapeOf(experts: number, slots: number, groups: number, nodes: number, gpus: number): PlacementShape {
  return { layers: 1, experts, slots, gpus, nodes, groups };
}

function mapOf(load: readonly number[], shape: PlacementShape, policy: PlacementPolicy): number[] {
  const placed = place([Float64Array.from(load, Math.fround)], shape, policy);
  if (isPlacementRefusal(placed)) throw new Error(placed.message);
  return [...(placed.physicalToLogical[0] ?? [])];
}

/** Groups of equal loads in another order: which is heavier is a matter of rounding, that is, of the order of adding. */
const EVEN = [0.5, 0.7, 0.8, 0.1, 0.2, 0.1, 0.5, 0.7, 0.2, 0.8];

/** All expected values are what the original code gave when it was run: torch 2.13 and numpy 2.4 on x86-64, sorts made stable. */
describe('loads that are no whole numbers', () => {
  it.each([
    ['eplb', [9, 7, 6, 8, 5, 2, 1, 0, 4, 3]],
    ['sglang-deepseek-hierarchical', [9, 7, 6, 8, 5, 2, 1, 0, 4, 3]],
    ['vllm', [2, 1, 0, 4, 3, 9, 7, 6, 8, 5]],
  ] as const)('are added as the library of %s adds', (policy, expected) => {
    expect(mapOf(EVEN, shapeOf(10, 10, 2, 1, 2), policy)).toEqual(expected);
  });

  it.each([
    [3, 0.800000011920929, 0.800000011920929],
    [8, 14.800000190734863, 14.800000190734863],
    [21, 75.69999694824219, 75.70000457763672],
    [129, 618, 618],
    [600, 2915.69970703125, 2915.7001953125],
    [5000, 24509.599609375, 24509.6015625],
  ])('%i of them add up as in torch and as in numpy', (count, torch, numpy) => {
    const values = Float64Array.from({ length: count }, (_, i) => Math.fround((((i * i) % 97) + 1) / 10));
    expect([torchSum(values, 0, count), numpySum(values, 0, count)]).toEqual([torch, numpy]);
  });
});

describe('as many groups as nodes', () => {
  it("are balanced by SGLang's deepseek_vec_hierarchical, which goes by load, and not by EPLB", () => {
    const shape = shapeOf(3, 12, 3, 3, 12);
    const load = [2843, 9093, 10237];
    expect(mapOf(load, shape, 'sglang-deepseek-vec-hierarchical')).toEqual([2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0]);
    expect(mapOf(load, shape, 'eplb')).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]);
  });
});

describe('what the originals assert', () => {
  it('groups that do not divide the experts stop vLLM also where its nodes count as one', () => {
    const refusal = place([new Float64Array(2).fill(1)], shapeOf(2, 15, 3, 4, 5), 'vllm');
    expect(refusal).toMatchObject({ rule: 'experts-not-in-groups', field: 'groups', value: 3, nearest: [2] });
    expect(place([new Float64Array(2).fill(1)], shapeOf(2, 15, 2, 4, 5), 'vllm')).toHaveProperty('physicalToLogical');
  });

  it.each([
    [[true, false, false], 1, 2],
    [[false, false, false], 0, 2],
    [[true, true], 2, 3],
  ])('living ranks %j that cannot hold all experts', (alive, value, nearest) => {
    const shape = shapeOf(6, 9, 1, 1, 3);
    const loads = [new Float64Array(6).fill(1)];
    const refusal = place(loads, shape, 'sglang-elasticity-aware', { alive });
    expect(refusal).toMatchObject({ field: 'alive', value, nearest: [nearest] });
    const enough = Array.from({ length: 3 }, (_, gpu) => gpu < Math.min(nearest, 3));
    expect(place(loads, shape, 'sglang-elasticity-aware', { alive: enough })).toHaveProperty('physicalToLogical');
  });
});

describe('the nearest legal numbers', () => {
  it.each([
    ['eplb', shapeOf(16, 32, 8, 4, 2), 'gpus', [4]],
    // Two and four nodes divide eight groups, only two of them six GPUs.
    ['sglang-deepseek-hierarchical', shapeOf(16, 24, 8, 3, 6), 'nodes', [2]],
    ['eplb', shapeOf(16, 17.5, 1, 1, 2), 'slots', [16, 18]],
    ['eplb', shapeOf(16, Number.NaN, 1, 1, 2), 'slots', [16]],
    ['vllm-linear', shapeOf(30, 64, 1, 1, 15), 'slots', [30]],
    ['vllm-linear', shapeOf(30, 30, 1, 1, 16), 'gpus', [15, 30]],
  ] as const)('%s %j: %s', (policy, shape, field, nearest) => {
    expect(refuseShape(shape, policy)).toMatchObject({ field, nearest });
    for (const value of nearest) expect(refuseShape({ ...shape, [field]: value }, policy)).toBeUndefined();
  });

  it('lift what is wrong with a field where another is wrong too', () => {
    // Twelve GPUs do not fall on eight nodes whatever the slots are.
    expect(refuseShape(shapeOf(16, 32, 8, 8, 12), 'eplb')).toMatchObject({ field: 'slots', nearest: [24, 36] });
    expect(refuseShape(shapeOf(16, 36, 8, 8, 12), 'eplb')).toMatchObject({ field: 'gpus' });
  });
});

it("counts the GPUs of a node in whole numbers in SGLang's static dispatch, as ep_size // nnodes does", () => {
  const row = Int32Array.of(0, 3, 4, 0, 2, 3, 4, 1, 4, 4, 4, 5, 2, 2, 1);
  const table = staticDispatch({
    policy: 'file',
    shape: shapeOf(6, 15, 1, 2, 5),
    physicalToLogical: [row],
    replicaCounts: [Int32Array.of(2, 2, 3, 2, 5, 1)],
  });
  expect(table.map(([layer]) => [...(layer ?? [])])).toEqual([
    [0, 14, 4, 1, 2, 11],
    [3, 7, 4, 5, 2, 11],
    [0, 7, 13, 1, 6, 11],
    [3, 7, 4, 5, 9, 11],
    [0, 14, 12, 1, 2, 11],
  ]);
});
