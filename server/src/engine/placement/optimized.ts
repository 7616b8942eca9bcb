import { optimizedAnchored } from './anchored';
import { copiesByShare, dealOut, layerOf, newBoard, partDuplicates } from './board';
import { joinLayers, type LayerPlacement } from './eplb';
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
  partDuplicates(board, share);
  levelBySwaps(board, share);
  return layerOf(board, counts);
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
