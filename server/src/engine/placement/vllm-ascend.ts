import { joinLayers, type LayerPlacement } from './eplb';
import type { Loads, Placement, PlacementShape } from './placement';

/**
 * vLLM Ascend's start without a file: experts in order over the ranks, the first ranks taking one more where they do not divide; redundant ones
 * go round from the last rank, each the expert after the last one there.
 * Source: vllm-project/vllm-ascend, vllm_ascend/eplb/core/eplb_utils.py, generate_global_placement.
 */
function evenLayer({ experts, slots, gpus }: PlacementShape): LayerPlacement {
  const base = Math.floor(experts / gpus);
  const more = experts % gpus;
  let next = 0;
  const ranks = Array.from({ length: gpus }, (_, rank) => {
    const size = base + (rank < more ? 1 : 0);
    next += size;
    return Array.from({ length: size }, (_value, index) => next - size + index);
  });
  for (let copy = 0; copy < slots - experts; copy += 1) {
    const turn = (copy % gpus) + 1;
    const rank = ranks[gpus - turn];
    const last = rank?.at(-1);
    rank?.push(last === undefined ? turn : (last + 1) % experts);
  }
  const physicalToLogical = Int32Array.from(ranks.flat());
  const counts = new Int32Array(experts);
  for (const expert of physicalToLogical) counts[expert] = (counts[expert] ?? 0) + 1;
  return { physicalToLogical, counts };
}

export function vllmAscendDefault(loads: Loads, shape: PlacementShape): Placement {
  return joinLayers(
    'vllm-ascend',
    shape,
    loads.map(() => evenLayer(shape)),
  );
}

/**
 * The slot that a rank sends each expert's tokens to under vLLM Ascend: replicas in the order of their ranks, the rank's number deciding among
 * them. A rank holds an expert in one slot only: of duplicates the last counts, and slots are numbered as if every rank had as many
 * different experts as rank 0. Experts without a slot get 0, as in the original.
 * Source: vllm-project/vllm-ascend, vllm_ascend/eplb/core/eplb_utils.py, generate_log2phy_map.
 */
export function vllmAscendDispatch({ physicalToLogical, shape }: Placement, layer: number, rank: number): Int32Array {
  const { gpus, slots, experts } = shape;
  const perGpu = slots / gpus;
  const row = physicalToLogical[layer] ?? new Int32Array(slots);
  const local = Array.from({ length: gpus }, (_, gpu) => {
    const held = new Map<number, number>();
    for (let slot = 0; slot < perGpu; slot += 1) held.set(row[gpu * perGpu + slot] ?? 0, slot);
    return held;
  });
  const width = local[0]?.size ?? perGpu;
  return Int32Array.from({ length: experts }, (_, expert) => {
    const places = local.flatMap((held, gpu) => {
      const slot = held.get(expert);
      return slot === undefined ? [] : [gpu * width + slot];
    });
    return places.length === 0 ? 0 : (places[rank % places.length] ?? 0);
  });
}
