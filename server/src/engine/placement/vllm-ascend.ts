import type { Loads, Placement, PlacementShape } from './placement';
import { trivial } from './sglang';

/**
 * vLLM Ascend's start without a file: experts in order, then the redundant copies of the first ones, as vLLM loads its checkpoints. (Only where
 * shared experts are mixed in, `mix_placement`, does it go round from the last rank instead.)
 * Source: vllm-project/vllm-ascend@182b75ea, vllm_ascend/eplb/core/eplb_utils.py, generate_global_placement.
 */
export function vllmAscendDefault(loads: Loads, shape: PlacementShape): Placement {
  return { ...trivial(loads, shape), policy: 'vllm-ascend' };
}

/**
 * The slot that a rank sends each expert's tokens to under vLLM Ascend: replicas in the order of their ranks, the rank's number deciding among
 * them; with tensor parallelism, the expert's number too, so that the ranks of a group spread. A rank holds an expert in one slot only: of duplicates the last counts, and slots are numbered as if every rank had as many
 * different experts as rank 0. Experts without a slot get 0, as in the original.
 * Source: vllm-project/vllm-ascend, vllm_ascend/eplb/core/eplb_utils.py, generate_log2phy_map.
 */
export function vllmAscendDispatch(
  { physicalToLogical, shape }: Placement,
  layer: number,
  rank: number,
  tensorParallel = 1,
): Int32Array {
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
    const turn = tensorParallel > 1 ? (rank % tensorParallel) + Math.floor(rank / tensorParallel) + expert : rank;
    return places[turn % Math.max(1, places.length)] ?? 0;
  });
}
