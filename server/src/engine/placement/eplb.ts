import { balancedPacking, replicate, shareOf, TORCH, type Arithmetic } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';

const f32 = Math.fround;

/** One layer: expert of each slot, copies of each expert. */
export interface LayerPlacement {
  readonly physicalToLogical: Int32Array;
  readonly counts: Int32Array;
}

/**
 * Groups to nodes by their summed load; the experts of a group move as a block. Returns, for each place, the expert that stands there.
 * Source: deepseek-ai/EPLB, eplb.py, rebalance_experts_hierarchical, step 1.
 */
export function orderByNode(
  weights: Float64Array,
  groups: number,
  nodes: number,
  arithmetic: Arithmetic,
  packing = balancedPacking,
): Int32Array {
  const size = weights.length / groups;
  const sums = Float64Array.from({ length: groups }, (_, group) =>
    arithmetic.ofGroup(weights, group * size, (group + 1) * size),
  );
  const { pack, rank } = packing(sums, nodes, arithmetic);
  const perNode = groups / nodes;
  const placed = new Int32Array(weights.length);
  for (let expert = 0; expert < weights.length; expert += 1) {
    const group = Math.floor(expert / size);
    placed[((pack[group] ?? 0) * perNode + (rank[group] ?? 0)) * size + (expert % size)] = expert;
  }
  return placed;
}

/**
 * One layer: groups to nodes, replicas inside each node, replicas to the node's GPUs. One group and one node make it global.
 * Source: deepseek-ai/EPLB, eplb.py, rebalance_experts_hierarchical.
 */
export function placeLayer(
  load: Float64Array,
  shape: Pick<PlacementShape, 'experts' | 'slots' | 'gpus' | 'groups' | 'nodes'>,
  arithmetic: Arithmetic,
): LayerPlacement {
  const { nodes } = shape;
  const weights = load.map(f32);
  const order = orderByNode(weights, shape.groups, nodes, arithmetic);
  const expertsPerNode = shape.experts / nodes;
  const slotsPerNode = shape.slots / nodes;
  const slotsPerGpu = shape.slots / shape.gpus;
  const physicalToLogical = new Int32Array(shape.slots);
  const counts = new Int32Array(shape.experts);
  const local = new Float64Array(expertsPerNode);
  const shares = new Float64Array(slotsPerNode);
  for (let node = 0; node < nodes; node += 1) {
    const base = node * expertsPerNode;
    for (let place = 0; place < expertsPerNode; place += 1) local[place] = weights[order[base + place] ?? 0] ?? 0;
    const replicas = replicate(local, slotsPerNode, arithmetic);
    for (let slot = 0; slot < slotsPerNode; slot += 1) {
      const item = replicas.item[slot] ?? 0;
      shares[slot] = shareOf(local[item] ?? 0, replicas.counts[item] ?? 1, arithmetic);
    }
    const { pack, rank } = balancedPacking(shares, shape.gpus / nodes, arithmetic);
    for (let slot = 0; slot < slotsPerNode; slot += 1) {
      const target = node * slotsPerNode + (pack[slot] ?? 0) * slotsPerGpu + (rank[slot] ?? 0);
      physicalToLogical[target] = order[base + (replicas.item[slot] ?? 0)] ?? 0;
    }
    for (let item = 0; item < expertsPerNode; item += 1) counts[order[base + item] ?? 0] = replicas.counts[item] ?? 0;
  }
  return { physicalToLogical, counts };
}

/** Joins layers to a placement. */
export function joinLayers(policy: string, shape: PlacementShape, layers: readonly LayerPlacement[]): Placement {
  return {
    policy,
    shape,
    physicalToLogical: layers.map((layer) => layer.physicalToLogical),
    replicaCounts: layers.map((layer) => layer.counts),
  };
}

/** Every layer by the same rules; `global` ignores groups and nodes. */
export function placeAll(
  policy: string,
  loads: Loads,
  shape: PlacementShape,
  arithmetic: Arithmetic,
  global: boolean,
): Placement {
  const sizes = global ? { ...shape, groups: 1, nodes: 1 } : shape;
  return joinLayers(
    policy,
    shape,
    loads.map((load) => placeLayer(load, sizes, arithmetic)),
  );
}

/**
 * DeepSeek's expert-parallel load balancer. Hierarchical when the nodes divide the expert groups, else global: one node, one group.
 * The caller has checked the shape (`refuseShape`). Source: deepseek-ai/EPLB, eplb.py, rebalance_experts.
 */
export function eplb(loads: Loads, shape: PlacementShape): Placement {
  return placeAll('eplb', loads, shape, TORCH, shape.groups % shape.nodes !== 0);
}

/** EPLB's global policy whatever the groups are: best balance, most traffic between nodes. */
export function eplbGlobal(loads: Loads, shape: PlacementShape): Placement {
  return placeAll('eplb-global', loads, shape, TORCH, true);
}
