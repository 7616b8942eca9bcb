import { joinLayers, placeAll, placeLayer, type LayerPlacement } from './eplb';
import { TORCH_WITH_LISTS } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';

/** SGLang's `deepseek`: EPLB's global policy. Source: sgl-project/sglang, srt/eplb/eplb_algorithms/deepseek.py. */
export function sglangDeepseek(loads: Loads, shape: PlacementShape): Placement {
  return placeAll('sglang-deepseek', loads, shape, TORCH_WITH_LISTS, true);
}

/** SGLang's `deepseek_hierarchical`; unlike EPLB it never falls back to global. Source: the same file. */
export function sglangDeepseekHierarchical(loads: Loads, shape: PlacementShape): Placement {
  return placeAll('sglang-deepseek-hierarchical', loads, shape, TORCH_WITH_LISTS, false);
}

/** Spreads a layer placed on the living ranks over all of them: the slots of a dead rank hold expert 0 and are not counted. */
function aroundDeadRanks(layer: LayerPlacement, alive: readonly boolean[], slotsPerGpu: number): LayerPlacement {
  const physicalToLogical = new Int32Array(alive.length * slotsPerGpu);
  let from = 0;
  alive.forEach((lives, rank) => {
    if (!lives) return;
    physicalToLogical.set(layer.physicalToLogical.subarray(from, from + slotsPerGpu), rank * slotsPerGpu);
    from += slotsPerGpu;
  });
  return { physicalToLogical, counts: layer.counts };
}

/**
 * SGLang's `elasticity_aware`: with dead ranks, global over the living ones; with all alive, as `deepseek`
 * (`hierarchical` is what the source passes on when its caller asks for it). `alive` has one entry a GPU.
 * Source: sgl-project/sglang, srt/eplb/eplb_algorithms/elasticity_aware.py.
 */
export function sglangElasticityAware(
  loads: Loads,
  shape: PlacementShape,
  alive: readonly boolean[],
  hierarchical = false,
): Placement {
  const living = alive.filter(Boolean).length;
  const policy = 'sglang-elasticity-aware';
  if (living === shape.gpus) return placeAll(policy, loads, shape, TORCH_WITH_LISTS, !hierarchical);
  const slotsPerGpu = shape.slots / shape.gpus;
  const sizes = { ...shape, slots: slotsPerGpu * living, gpus: living, groups: 1, nodes: 1 };
  const layers = loads.map((load) => aroundDeadRanks(placeLayer(load, sizes, TORCH_WITH_LISTS), alive, slotsPerGpu));
  return { ...joinLayers(policy, shape, layers), alive };
}

/**
 * SGLang's `trivial`, which is also how vLLM starts: slot i holds expert i modulo the experts, so that the redundant slots copy the
 * first experts. Source: sgl-project/sglang, srt/eplb/expert_location.py, init_trivial; vllm-project/vllm, eplb_state.py.
 */
export function trivial(loads: Loads, shape: PlacementShape): Placement {
  const physicalToLogical = Int32Array.from({ length: shape.slots }, (_, slot) => slot % shape.experts);
  const counts = new Int32Array(shape.experts);
  for (const expert of physicalToLogical) counts[expert] = (counts[expert] ?? 0) + 1;
  const row = { physicalToLogical, counts };
  return joinLayers(
    'trivial',
    shape,
    loads.map(() => row),
  );
}
