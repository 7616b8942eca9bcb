import { describe, expect, it } from 'vitest';
import {
  changeCopy,
  cheapestCopy,
  costOfTaking,
  newSpread,
  type Spread,
} from '../../../server/src/engine/placement/spread';

/** Least cost of a further copy, found by giving each one and taking it back. */
function leastByTrial(s: Spread, nodes: readonly number[]): number {
  let least = Infinity;
  for (const node of nodes)
    for (let expert = 0; expert < s.weights.length; expert += 1) {
      if ((s.onNode[expert * s.nodes + node] ?? 0) >= s.gpusPerNode) continue;
      changeCopy(s, expert, node, 1);
      least = Math.min(least, -costOfTaking(s, expert, node));
      changeCopy(s, expert, node, -1);
    }
  return least;
}

describe('the cheapest further copy', () => {
  it.each([
    ['many nodes', 16],
    ['few nodes', 4],
  ])('costs what a trial of all finds, over %s', (_, nodes) => {
    const experts = 32;
    const shape = { layers: 1, experts, slots: 6 * experts, gpus: 2 * nodes, nodes, groups: nodes };
    const loads = Float64Array.from({ length: experts }, (__, expert) => 1 + ((expert * 7919) % 97) ** 2 / 50);
    const home = Int32Array.from(loads.keys(), (expert) => Math.floor((expert * nodes) / experts));
    const s = newSpread(loads, home, shape);
    const all = Array.from({ length: nodes }, (__, node) => node);
    for (let step = 0; step < 48; step += 1) {
      // Every third copy has its node named, as when copies are taken back one by one.
      const open = step % 3 === 2 ? [step % nodes] : all.filter((node) => (s.room[node] ?? 0) > 0);
      const { expert, node, cost } = cheapestCopy(s, open);
      const least = leastByTrial(s, open);
      if (expert < 0) expect(least).toBe(Infinity);
      else {
        expect(Math.abs(cost - least)).toBeLessThan(5e-9);
        changeCopy(s, expert, node, 1);
      }
    }
    expect(s.counts.reduce((a, b) => a + b, 0)).toBeGreaterThan(experts + 30);
  });
});
