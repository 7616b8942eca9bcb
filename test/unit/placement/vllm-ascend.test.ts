import { describe, expect, it } from 'vitest';
import { isPlacementRefusal, place } from '../../../server/src/engine/placement/place';
import type { Placement } from '../../../server/src/engine/placement/placement';
import { vllmAscendDispatch } from '../../../server/src/engine/placement/vllm-ascend';

function placed(experts: number, slots: number, gpus: number): Placement {
  const shape = { layers: 1, experts, slots, gpus, nodes: 1, groups: 1 };
  const placement = place([new Float64Array(experts).fill(1)], shape, 'vllm-ascend');
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return placement;
}

describe("vLLM Ascend's start", () => {
  it.each([
    // generate_global_placement at 182b75ea.
    [8, 8, 2, [0, 1, 2, 3, 4, 5, 6, 7]],
    [8, 10, 2, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]],
    [8, 12, 2, [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]],
    [7, 8, 2, [0, 1, 2, 3, 4, 5, 6, 0]],
    [2, 8, 2, [0, 1, 0, 1, 0, 1, 0, 1]],
  ])('puts %i experts into %i slots of %i ranks', (experts, slots, gpus, expected) => {
    expect([...(placed(experts, slots, gpus).physicalToLogical[0] ?? [])]).toEqual(expected);
  });

  it('refuses slots that do not divide', () => {
    const shape = { layers: 1, experts: 8, slots: 9, gpus: 2, nodes: 1, groups: 1 };
    expect(place([new Float64Array(8)], shape, 'vllm-ascend')).toMatchObject({ rule: 'slots-not-divisible' });
  });
});

describe("vLLM Ascend's dispatch", () => {
  it('takes the replica by the number of the rank', () => {
    const placement = placed(8, 10, 2);
    expect([...vllmAscendDispatch(placement, 0, 0)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...vllmAscendDispatch(placement, 0, 1)]).toEqual([8, 9, 2, 3, 4, 5, 6, 7]);
  });

  it('spreads the ranks of a tensor-parallel group over the replicas', () => {
    const ranks = [0, 1, 2, 3].map((rank) => [...vllmAscendDispatch(placed(4, 8, 4), 0, rank, 2)]);
    expect(ranks).toEqual([
      [0, 5, 2, 7],
      [4, 1, 6, 3],
      [4, 1, 6, 3],
      [0, 5, 2, 7],
    ]);
  });

  it('loses count where rank 0 holds an expert twice, as the original does', () => {
    const twice: Placement = {
      policy: 'file',
      shape: { layers: 1, experts: 4, slots: 6, gpus: 2, nodes: 1, groups: 1 },
      physicalToLogical: [Int32Array.of(0, 0, 1, 2, 3, 1)],
      replicaCounts: [Int32Array.of(2, 2, 1, 1)],
    };
    // Two different experts on rank 0, so rank 1 is numbered from 2 though its slots begin at 3; of the duplicates the second slot counts.
    expect([...vllmAscendDispatch(twice, 0, 0)]).toEqual([1, 2, 2, 3]);
  });
});
