import { balancedPacking, replicate } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';

const f32 = Math.fround;

interface LayerPlacement {
  readonly physicalToLogical: Int32Array;
  readonly counts: Int32Array;
}

/** Groups to nodes by their summed load; the experts of group g move as a block. Returns, for each place, the expert that stands there. */
function orderByNode(weights: Float64Array, groups: number, nodes: number): Int32Array {
  const size = weights.length / groups;
  const sums = new Float64Array(groups);
  for (let expert = 0; expert < weights.length; expert += 1) {
    const group = Math.floor(expert / size);
    sums[group] = f32((sums[group] ?? 0) + (weights[expert] ?? 0));
  }
  const { pack, rank } = balancedPacking(sums, nodes);
  const perNode = groups / nodes;
  const placed = new Int32Array(weights.length);
  for (let expert = 0; expert < weights.length; expert += 1) {
    const group = Math.floor(expert / size);
    placed[((pack[group] ?? 0) * perNode + (rank[group] ?? 0)) * size + (expert % size)] = expert;
  }
  return placed;
}

/** One layer: groups to nodes, replicas inside each node, replicas to the node's GPUs. */
function placeLayer(load: Float64Array, shape: PlacementShape, groups: number, nodes: number): LayerPlacement {
  const weights = load.map(f32);
  const order = orderByNode(weights, groups, nodes);
  const expertsPerNode = shape.experts / nodes;
  const slotsPerNode = shape.slots / nodes;
  const gpusPerNode = shape.gpus / nodes;
  const slotsPerGpu = shape.slots / shape.gpus;
  const physicalToLogical = new Int32Array(shape.slots);
  const counts = new Int32Array(shape.experts);
  for (let node = 0; node < nodes; node += 1) {
    const local = Float64Array.from(
      { length: expertsPerNode },
      (_, place) => weights[order[node * expertsPerNode + place] ?? 0] ?? 0,
    );
    const replicas = replicate(local, slotsPerNode);
    const shares = Float64Array.from(replicas.item, (item) => f32((local[item] ?? 0) / (replicas.counts[item] ?? 1)));
    const { pack, rank } = balancedPacking(shares, gpusPerNode);
    replicas.item.forEach((item, slot) => {
      const target = node * slotsPerNode + (pack[slot] ?? 0) * slotsPerGpu + (rank[slot] ?? 0);
      physicalToLogical[target] = order[node * expertsPerNode + item] ?? 0;
    });
    replicas.counts.forEach((copies, item) => {
      counts[order[node * expertsPerNode + item] ?? 0] = copies;
    });
  }
  return { physicalToLogical, counts };
}

function placeAll(policy: string, loads: Loads, shape: PlacementShape, groups: number, nodes: number): Placement {
  const layers = loads.map((load) => placeLayer(load, shape, groups, nodes));
  return {
    policy,
    shape,
    physicalToLogical: layers.map((layer) => layer.physicalToLogical),
    replicaCounts: layers.map((layer) => layer.counts),
  };
}

/**
 * DeepSeek's expert-parallel load balancer. Hierarchical when the nodes divide the expert groups, else global: one node, one group.
 * The caller has checked the shape (`refuseShape`). Source: deepseek-ai/EPLB, eplb.py, rebalance_experts.
 */
export function eplb(loads: Loads, shape: PlacementShape): Placement {
  return shape.groups % shape.nodes === 0
    ? placeAll('eplb', loads, shape, shape.groups, shape.nodes)
    : placeAll('eplb', loads, shape, 1, 1);
}

/** EPLB's global policy whatever the groups are: best balance, most traffic between nodes. */
export function eplbGlobal(loads: Loads, shape: PlacementShape): Placement {
  return placeAll('eplb-global', loads, shape, 1, 1);
}
