import type { PlacementShape } from './placement';

/**
 * The greatest share a copy after each number of further copies (entry j: j copies beyond one each), and how many experts' copies stand
 * then. Giving each copy to the greatest share minimises the maximum, so entry j is the least maximum that experts + j slots allow.
 */
function leastPeak(load: Float64Array, extra: number, room: number): number {
  const counts = new Int32Array(load.length).fill(1);
  const share = Float64Array.from(load);
  let bound = Infinity;
  for (let given = 0; given <= extra; given += 1) {
    const spare = extra - given;
    let at = 0;
    let lightest = Infinity;
    for (let expert = 0; expert < load.length; expert += 1) {
      const value = share[expert] ?? 0;
      if (value > (share[at] ?? 0)) at = expert;
      // Beside the fullest copy stand room - 1 others; none is lighter than the lightest expert with all spare copies.
      const thinned = (load[expert] ?? 0) / ((counts[expert] ?? 1) + spare);
      if (thinned < lightest) lightest = thinned;
    }
    bound = Math.min(bound, (share[at] ?? 0) + (room - 1) * lightest);
    counts[at] = (counts[at] ?? 0) + 1;
    share[at] = (load[at] ?? 0) / (counts[at] ?? 1);
  }
  return bound;
}

/**
 * mean / max GPU load that no placement whose replicas share equally can exceed: some GPU holds the greatest share, beside
 * slots / gpus - 1 others. Derived here; 1 for a layer without load.
 */
export function bestEvenness(load: Float64Array, shape: PlacementShape): number {
  const total = load.reduce((a, b) => a + b, 0);
  if (total <= 0) return 1;
  const mean = total / shape.gpus;
  const peak = leastPeak(load, shape.slots - shape.experts, shape.slots / shape.gpus);
  return Math.min(1, mean / Math.max(mean, peak));
}
