import { describe, expect, it } from 'vitest';
import { coActivation } from '../../../server/src/engine/placement/affinity';
import { reachOf } from '../../../server/src/engine/placement/judge';
import { balance, duplicates, isPlacementRefusal, place } from '../../../server/src/engine/placement/place';
import type { Placement, PlacementOptions } from '../../../server/src/engine/placement/placement';
import { pythonRandom } from '../../../server/src/engine/placement/python-random';
import type { RoutedTokens } from '../../../server/src/engine/placement/router';
import { readRecording } from '../../../server/src/features/placement/recorder';
import { dict, joined, tensor, torchFile } from './torch-bytes';

const SHAPE = { layers: 1, experts: 64, slots: 64, gpus: 8, nodes: 4, groups: 1 };

/** Tokens of one of eight topics: three of four experts from the topic's eight, which are scattered over all numbers. */
function topics(count: number, seed: number): RoutedTokens {
  const random = pythonRandom(seed);
  const experts = new Int32Array(count * 4);
  for (let token = 0; token < count; token += 1) {
    const topic = random.below(8);
    const chosen = new Set<number>();
    while (chosen.size < 3) chosen.add(topic + 8 * random.below(8));
    while (chosen.size < 4) chosen.add(random.below(64));
    experts.set([...chosen], token * 4);
  }
  return { topK: 4, experts };
}

function loadsOf({ experts }: RoutedTokens): Float64Array {
  const load = new Float64Array(64);
  for (const expert of experts) load[expert] = (load[expert] ?? 0) + 1;
  return load;
}

function placed(
  policy: 'optimized-global' | 'optimized-affinity',
  load: Float64Array,
  slots: number,
  options: PlacementOptions,
): Placement {
  const placement = place([load], { ...SHAPE, slots }, policy, options);
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  return placement;
}

describe('experts that tokens use together', () => {
  const trained = topics(4000, 1);
  const later = topics(2000, 2);
  const load = loadsOf(trained);
  const routing = { experts: 64, topK: 4, groups: 1 };

  it.each([64, 72])('lie on one node where that is possible, with %i slots', (slots) => {
    const apart = placed('optimized-global', load, slots, {});
    const together = placed('optimized-affinity', load, slots, { traces: [trained] });
    const nodes = (placement: Placement): number => reachOf(placement, [load], routing, [later])?.nodes ?? 9;
    expect(nodes(together)).toBeLessThan(0.85 * nodes(apart));
    expect(balance(together, [load]).meanOverMax[0]).toBeGreaterThanOrEqual(0.95 - 1e-9);
    expect(duplicates(together)).toEqual([0]);
    for (let expert = 0; expert < 64; expert += 1) expect(together.physicalToLogical[0]?.includes(expert)).toBe(true);
  });

  it('give up more traffic the more balance is kept', () => {
    const nodes = [0.8, 0.95, 1].map((keptBalance) => {
      const placement = placed('optimized-affinity', load, 64, { traces: [trained], keptBalance });
      expect(balance(placement, [load]).meanOverMax[0]).toBeGreaterThanOrEqual(
        Math.min(keptBalance, balance(placed('optimized-global', load, 64, {}), [load]).meanOverMax[0] ?? 0) - 1e-9,
      );
      return reachOf(placement, [load], routing, [trained])?.nodes ?? 9;
    });
    expect(nodes[0]).toBeLessThanOrEqual((nodes[1] ?? 0) + 0.02);
    expect(nodes[1]).toBeLessThanOrEqual((nodes[2] ?? 0) + 0.02);
  });

  it('are placed globally without tokens, and the same every time', () => {
    expect(placed('optimized-affinity', load, 72, {}).physicalToLogical[0]).toHaveLength(72);
    const twice = [1, 2].map(() => placed('optimized-affinity', load, 64, { traces: [trained] }).physicalToLogical);
    expect(twice[0]).toEqual(twice[1]);
  });

  it('are counted by pairs', () => {
    const together = coActivation({ topK: 3, experts: Int32Array.of(0, 1, 2, 0, 1, 3) }, 4);
    expect([together[1], together[4], together[2], together[3], together[11], together[0]]).toEqual([2, 2, 1, 1, 0, 0]);
  });
});

describe('a recording of tokens', () => {
  it('gives experts by the slots that tokens chose', () => {
    const record = dict({ topk_ids_of_layer: tensor('IntStorage', '0', [1, 3, 2]) });
    const file = torchFile(
      dict({ records: joined('](', record, 'e'), last_physical_to_logical_map: tensor('LongStorage', '1', [1, 4]) }),
      {
        '0': Int32Array.of(0, 3, 1, 2, -1, -1),
        '1': BigInt64Array.of(0n, 1n, 2n, 0n),
      },
    );
    const read = readRecording(file);
    if (read.kind !== 'loads') throw new Error(read.kind === 'refused' ? read.reason : read.kind);
    expect(read.traces?.map(({ topK, experts }) => [topK, [...experts]])).toEqual([[2, [0, 0, 1, 2]]]);
    expect(read.loads.map((row) => [...row])).toEqual([[2, 1, 1]]);
  });
});
