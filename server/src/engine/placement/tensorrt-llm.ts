import { joinLayers, type LayerPlacement } from './eplb';
import type { Loads, Placement, PlacementShape } from './placement';

const f32 = Math.fround;

/**
 * Copies of each expert: further slots to the greatest load a copy, the LARGER expert on ties (the pair order of a C++ heap);
 * without any load the slots are spread evenly.
 */
function replicas(load: Float64Array, slots: number): Int32Array {
  const experts = load.length;
  if (slots === experts) return new Int32Array(experts).fill(1);
  if (load.every((value) => value === 0)) {
    const least = Math.floor(slots / experts);
    return Int32Array.from(load, (_, expert) => least + (expert < slots % experts ? 1 : 0));
  }
  const counts = new Int32Array(experts).fill(1);
  const share = Float64Array.from(load);
  for (let slot = experts; slot < slots; slot += 1) {
    let best = 0;
    for (let expert = 1; expert < experts; expert += 1) if ((share[expert] ?? 0) >= (share[best] ?? 0)) best = expert;
    counts[best] = (counts[best] ?? 0) + 1;
    share[best] = (load[best] ?? 0) / (counts[best] ?? 1);
  }
  return counts;
}

/** Replicas, largest first and lower expert first on ties, each to the rank with the least load that has room, the lower rank on ties. */
function placeLayer(load: Float64Array, { slots, gpus }: PlacementShape): LayerPlacement {
  const counts = replicas(load, slots);
  const items: { readonly expert: number; readonly share: number }[] = [];
  counts.forEach((copies, expert) => {
    const share = (load[expert] ?? 0) / copies;
    for (let copy = 0; copy < copies; copy += 1) items.push({ expert, share });
  });
  items.sort((a, b) => b.share - a.share || a.expert - b.expert);
  const room = slots / gpus;
  const sums = new Float64Array(gpus);
  const filled = new Int32Array(gpus);
  const physicalToLogical = new Int32Array(slots);
  for (const { expert, share } of items) {
    let best = -1;
    for (let rank = 0; rank < gpus; rank += 1) {
      if ((filled[rank] ?? 0) < room && (best < 0 || (sums[rank] ?? 0) < (sums[best] ?? 0))) best = rank;
    }
    physicalToLogical[best * room + (filled[best] ?? 0)] = expert;
    filled[best] = (filled[best] ?? 0) + 1;
    sums[best] = (sums[best] ?? 0) + share;
  }
  return { physicalToLogical, counts };
}

/**
 * TensorRT-LLM's balancer: no groups, no nodes, float64 throughout on float32 loads.
 * Source: NVIDIA/TensorRT-LLM, cpp/tensorrt_llm/runtime/moeLoadBalancer/moeLoadBalancer.cpp, doReplication and doPlacement.
 */
export function tensorrtLlm(loads: Loads, shape: PlacementShape): Placement {
  return joinLayers(
    'tensorrt-llm',
    shape,
    loads.map((load) => placeLayer(load.map(f32), shape)),
  );
}
