import { optimizedAnchored } from './anchored';
import { copiesByShare, dealOut, layerOf, newBoard, partDuplicates } from './board';
import { joinLayers, placeLayer, type LayerPlacement } from './eplb';
import { replicate, TORCH } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';
import { sharesOf, usable } from './shares';
import { levelBySwaps } from './swaps';

/**
 * Best balance whatever the nodes are: EPLB's number of copies (which minimises the greatest share), dealt out without a second copy on
 * a GPU, then swaps. Own design; see docs/placement.md for what it gains.
 */
function globalLayer(load: Float64Array, shape: PlacementShape): LayerPlacement {
  const weights = usable(load);
  const { counts } = replicate(weights, shape.slots, TORCH);
  const share = sharesOf(weights, counts);
  const board = newBoard(shape);
  dealOut(board, copiesByShare(counts, share), share, 0, shape.gpus);
  partDuplicates(board, weights, counts, share);
  levelBySwaps(board, share);
  return bestOf(layerOf(board, counts), weights, shape);
}

/** Load of the fullest GPU. */
function fullest({ physicalToLogical, counts }: LayerPlacement, weights: Float64Array, gpus: number): number {
  const perGpu = physicalToLogical.length / gpus;
  const sums = new Float64Array(gpus);
  physicalToLogical.forEach((expert, slot) => {
    const gpu = Math.floor(slot / perGpu);
    sums[gpu] = (sums[gpu] ?? 0) + (weights[expert] ?? 0) / (counts[expert] ?? 1);
  });
  return sums.reduce((most, sum) => Math.max(most, sum), 0);
}

function wastesSlots({ physicalToLogical }: LayerPlacement, gpus: number): boolean {
  const perGpu = physicalToLogical.length / gpus;
  for (let gpu = 0; gpu < gpus; gpu += 1) {
    const own = physicalToLogical.subarray(gpu * perGpu, (gpu + 1) * perGpu);
    if (new Set(own).size < own.length) return true;
  }
  return false;
}

/** A search from one start can end beside a luckier one: EPLB's own layer is taken where it is more even and wastes no slot. */
function bestOf(own: LayerPlacement, weights: Float64Array, shape: PlacementShape): LayerPlacement {
  const { groups, nodes, gpus, experts } = shape;
  const grouped = groups % nodes === 0 && gpus % nodes === 0 && experts % groups === 0;
  const theirs = placeLayer(weights, grouped ? shape : { ...shape, groups: 1, nodes: 1 }, TORCH);
  const better = fullest(theirs, weights, shape.gpus) < fullest(own, weights, shape.gpus);
  return better && !wastesSlots(theirs, shape.gpus) ? theirs : own;
}

export function optimizedGlobal(loads: Loads, shape: PlacementShape): Placement {
  return joinLayers(
    'optimized-global',
    shape,
    loads.map((load) => globalLayer(load, shape)),
  );
}

/** Anchored where groups divide over several nodes and every node can hold its groups; else global. */
export function optimized(loads: Loads, shape: PlacementShape): Placement {
  const { groups, nodes, gpus, experts } = shape;
  const grouped = nodes > 1 && groups > 1 && groups % nodes === 0 && gpus % nodes === 0 && experts % groups === 0;
  return { ...(grouped ? optimizedAnchored(loads, shape) : optimizedGlobal(loads, shape)), policy: 'optimized' };
}
