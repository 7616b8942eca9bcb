import { describe, expect, it } from 'vitest';
import { staticGpuLoads } from '../../server/src/engine/placement/dispatch';
import {
  balance,
  duplicates,
  evenness,
  isPlacementRefusal,
  place,
  type PlacementPolicy,
} from '../../server/src/engine/placement/place';
import type { Loads, Placement, PlacementOptions, PlacementShape } from '../../server/src/engine/placement/placement';
import { nodesReached, routedTokens } from '../../server/src/engine/placement/router';
import { describeShared } from '../shared';
import { recordedLoads } from './placement-oracle';

const SHAPE: PlacementShape = { layers: 58, experts: 256, slots: 288, gpus: 32, nodes: 4, groups: 8 };
const ROUTING = { experts: 256, topK: 8, groups: 8, topGroups: 4 };

function dump(name: string): Loads {
  return recordedLoads({ file: `${name}.json`, layers: '3..60' });
}

function placed(loads: Loads, policy: PlacementPolicy, options?: PlacementOptions, shape = SHAPE): Placement {
  const placement = place(loads, { ...shape, layers: loads.length }, policy, options);
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return placement;
}

function mean(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function score(placement: Placement, loads: Loads): number {
  return mean(balance(placement, loads).meanOverMax);
}

describeShared('optimised placements on recorded loads', ['oracles/placement/loads'], () => {
  it.each(['prefill_in4096', 'prefill_in1024', 'prefill_in512', 'decode_in1000out1000', 'decode_in2000out100'])(
    '%s: global is level, anchored nearly, neither wastes a slot',
    (name) => {
      const loads = dump(name);
      const global = placed(loads, 'optimized-global');
      const anchored = placed(loads, 'optimized-anchored');
      expect(score(global, loads)).toBeGreaterThanOrEqual(0.999);
      expect(score(anchored, loads)).toBeGreaterThanOrEqual(0.98);
      for (const placement of [global, anchored]) expect(Math.max(...duplicates(placement))).toBe(0);
    },
  );

  it('anchored sends at most a tenth more copies to other nodes than hierarchical EPLB', () => {
    const all = dump('prefill_in4096');
    const loads = [0, 11, 22, 33, 44, 55].map((layer) => all[layer] ?? new Float64Array(0));
    const tokens = loads.map((row) => routedTokens(row, ROUTING, 1024));
    const reached = (policy: PlacementPolicy): number => {
      const placement = placed(loads, policy);
      return mean(tokens.map((routed, layer) => nodesReached(placement, layer, routed)));
    };
    const hierarchical = reached('eplb');
    expect(reached('optimized-anchored') / hierarchical).toBeLessThanOrEqual(1.1);
    expect(reached('optimized-global') / hierarchical).toBeGreaterThan(1.2);
  });

  it('robust holds on recordings that it was not made for, above everything that is', () => {
    const profiles = ['prefill_in512', 'prefill_in4096', 'decode_in500out1500', 'decode_in2000out100'].map(dump);
    const sum = (profiles[0] ?? []).map((row, layer) =>
      row.map((_, expert) => profiles.reduce((all, loads) => all + (loads[layer]?.[expert] ?? 0), 0)),
    );
    const robust = placed(sum, 'optimized-robust', { profiles });
    const others = (['eplb', 'eplb-global', 'sglang-deepseek-vec'] as const).map((policy) =>
      placed(sum, policy, { profiles }),
    );
    expect(Math.max(...duplicates(robust))).toBe(0);
    for (const name of ['prefill_in1024', 'prefill_in2048', 'decode_in1000out1000', 'decode_in1800out100']) {
      const loads = dump(name);
      expect(score(robust, loads)).toBeGreaterThanOrEqual(0.95);
      for (const other of others) expect(score(robust, loads)).toBeGreaterThan(score(other, loads));
    }
  });

  it('loses evenness under static dispatch, anchored least', () => {
    const loads = dump('prefill_in4096').slice(0, 12);
    const fixed = (policy: PlacementPolicy): number => mean(staticGpuLoads(placed(loads, policy), loads).map(evenness));
    expect(fixed('optimized-anchored')).toBeGreaterThan(fixed('eplb-global'));
    expect(fixed('eplb-global')).toBeLessThan(score(placed(loads, 'eplb-global'), loads));
  });
});

describe('static dispatch', () => {
  it('sends nothing to an expert without a slot instead of dividing by zero', () => {
    const placement: Placement = {
      policy: 'by hand',
      shape: { layers: 1, experts: 3, slots: 4, gpus: 2, nodes: 1, groups: 1 },
      physicalToLogical: [Int32Array.from([0, 1, 0, 1])],
      replicaCounts: [Int32Array.from([2, 2, 0])],
    };
    const [loads] = staticGpuLoads(placement, [Float64Array.from([2, 4, 8])]);
    expect([...(loads ?? [])]).toEqual([3, 3]);
  });
});
