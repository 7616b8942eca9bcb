import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  balance,
  isPlacementRefusal,
  logicalToPhysical,
  place,
  type PlacementPolicy,
} from '../../server/src/engine/placement/place';
import type { Placement, PlacementOptions } from '../../server/src/engine/placement/placement';
import { staticDispatch } from '../../server/src/engine/placement/dispatch';
import { pythonRandom } from '../../server/src/engine/placement/python-random';
import { sglangElasticityAware, trivial } from '../../server/src/engine/placement/sglang';
import { linearRanks, roundRobinRanks } from '../../server/src/engine/placement/vllm';
import { describeShared, sharedJson } from '../shared';
import { recordedCases, shapeOf, stepsOf, type PlacementCase } from './placement-oracle';

/** The policy a recorded run used. */
function policyOf({ algo, params }: PlacementCase): PlacementPolicy {
  const hierarchical = params.enable_hierarchical === true;
  switch (algo) {
    case 'trtllm':
      return 'tensorrt-llm';
    case 'vllm_default':
      return 'vllm';
    case 'sglang_deepseek':
      return hierarchical ? 'sglang-deepseek-hierarchical' : 'sglang-deepseek';
    case 'sglang_deepseek_vec':
      return hierarchical ? 'sglang-deepseek-vec-hierarchical' : 'sglang-deepseek-vec';
    default:
      return 'eplb';
  }
}

function run(entry: PlacementCase): Placement {
  const steps = stepsOf(entry);
  const loads = steps[0] ?? [];
  const shape = shapeOf(entry, loads);
  const { active_ranks: active, old_phy2log: old, enable_hierarchical: hierarchical } = entry.params;
  if (active !== undefined)
    return sglangElasticityAware(
      loads,
      shape,
      active.map((alive) => alive === true || alive === 1),
      hierarchical,
    );
  const options: PlacementOptions = {
    ...(steps.length > 1 ? { profiles: steps } : {}),
    ...(old === undefined ? {} : { previous: old.map((row) => Int32Array.from(row)) }),
  };
  const placement = place(loads, shape, policyOf(entry), options);
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return placement;
}

function same(entry: PlacementCase): void {
  const placement = run(entry);
  expect(placement.replicaCounts.map((row) => [...row])).toEqual(entry.expected.logcnt);
  // The recorded runs used stable sorts, which is the rule here too: the map must be the same to the slot, ties included.
  expect(placement.physicalToLogical.map((row) => [...row])).toEqual(entry.expected.phy2log);
  // The order of an expert's replicas depends on the sort of the library, so they are compared as sets.
  const { log2phy } = entry.expected;
  if (log2phy !== undefined && entry.params.active_ranks === undefined)
    expect(logicalToPhysical(placement)).toEqual(
      log2phy.map((layer) => layer.map((slots) => [...slots].sort((a, b) => a - b))),
    );
  const steps = stepsOf(entry);
  if (steps.length > 1 || entry.params.active_ranks !== undefined) return;
  balance(placement, steps[0] ?? []).meanOverMax.forEach((value, layer) => {
    expect(value).toBeCloseTo(entry.metrics.bal_per_layer[layer] ?? Number.NaN, 4);
  });
}

const ALGORITHMS: readonly (readonly [string, number])[] = [
  ['eplb', 10],
  ['trtllm', 1],
  ['vllm_default', 1],
  ['sglang_deepseek', 1],
  ['sglang_deepseek_vec', 1],
  ['sglang_elasticity_aware', 0],
];

describeShared('recorded placements', ['oracles/placement/index.json'], () => {
  for (const [algo, least] of ALGORITHMS) {
    const cases = recordedCases(algo);
    it(`${algo}: cases are there`, () => {
      expect(cases.length).toBeGreaterThanOrEqual(least);
    });
    it.each(cases)(`${algo} $id`, same);
  }
});

interface RankMap {
  readonly local: number;
  readonly map: readonly number[];
}

describeShared('static tables of vLLM and SGLang', ['oracles/placement/vllm_linear_round_robin.json'], () => {
  const recorded = sharedJson<{
    readonly cases: readonly {
      readonly strategy: string;
      readonly ep_size: number;
      readonly num_experts: number;
      readonly ranks: readonly RankMap[];
    }[];
    readonly sglang: { readonly sglang_trivial: Readonly<Record<string, readonly number[]>> };
  }>('oracles/placement/vllm_linear_round_robin.json');

  it.each(recorded.cases)('$strategy, $num_experts experts on $ep_size ranks', (entry) => {
    const ranks = (entry.strategy === 'linear' ? linearRanks : roundRobinRanks)(entry.num_experts, entry.ep_size);
    entry.ranks.forEach(({ local, map }, rank) => {
      expect(ranks.filter((own) => own === rank).length).toBe(local);
      expect(map.map((slot) => slot >= 0)).toEqual([...ranks].map((own) => own === rank));
    });
  });

  it.each(Object.entries(recorded.sglang.sglang_trivial))('trivial %s', (name, expected) => {
    const [experts = 0, redundant = 0] = name.split('+').map(Number);
    const shape = { layers: 1, experts, slots: experts + redundant, gpus: 1, nodes: 1, groups: 1 };
    expect([...(trivial([new Float64Array(experts)], shape).physicalToLogical[0] ?? [])]).toEqual(expected);
  });
});

describeShared("SGLang's static dispatch", ['oracles/placement/sglang_static_dispatch.json'], () => {
  const { cases } = sharedJson<{
    readonly cases: readonly {
      readonly id: string;
      readonly phy2log: readonly number[][];
      readonly ep_size: number;
      readonly nnodes: number;
      readonly seed: number;
      readonly dispatch_by_rank?: readonly number[][][];
      /** First 16 hexadecimal digits of the SHA-256 of the whole table as compact JSON, where it is too large to keep. */
      readonly dispatch_by_rank_sha?: string;
    }[];
  }>('oracles/placement/sglang_static_dispatch.json');

  it.each(cases)('$id', (entry) => {
    const physicalToLogical = entry.phy2log.map((row) => Int32Array.from(row));
    const experts = Math.max(...entry.phy2log.flat()) + 1;
    const slots = entry.phy2log[0]?.length ?? 0;
    const placement: Placement = {
      policy: 'recorded',
      shape: { layers: physicalToLogical.length, experts, slots, gpus: entry.ep_size, nodes: entry.nnodes, groups: 1 },
      physicalToLogical,
      replicaCounts: physicalToLogical.map(() => new Int32Array(experts)),
    };
    const table = staticDispatch(placement, entry.seed).map((rank) => rank.map((layer) => [...layer]));
    if (entry.dispatch_by_rank !== undefined) expect(table).toEqual(entry.dispatch_by_rank);
    else
      expect(createHash('sha256').update(JSON.stringify(table)).digest('hex').slice(0, 16)).toBe(
        entry.dispatch_by_rank_sha,
      );
  });
});

describe("Python's random numbers", () => {
  it('match the published first draws of seed 42', () => {
    expect(pythonRandom(42).random()).toBe(0.6394267984578837);
    const random = pythonRandom(42);
    expect([random.next(), random.next(), random.next()]).toEqual([2746317213, 478163327, 107420369]);
  });
});
