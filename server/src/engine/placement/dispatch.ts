import type { Loads, Placement } from './placement';
import { logicalToPhysical } from './place';
import { pythonRandom, type PythonRandom } from './python-random';

const SGLANG_SEED = 42;

/** The replica nearest to `rank`: the only one, one on its GPU, one on its node where that rules any out; -1 when none is near. */
function nearest(slots: readonly number[], rank: number, perGpu: number, gpusPerNode: number): number {
  if (slots.length === 1) return slots[0] ?? -1;
  const own = slots.find((slot) => Math.floor(slot / perGpu) === rank);
  if (own !== undefined) return own;
  const node = Math.floor(rank / gpusPerNode);
  const near = slots.filter((slot) => Math.floor(slot / (perGpu * gpusPerNode)) === node);
  return near.length > 0 && near.length < slots.length ? (near[0] ?? -1) : -1;
}

/** `count` choices in which every slot comes up equally often, as nearly as can be, in random order. */
function fairChoices(slots: readonly number[], count: number, random: PythonRandom): number[] {
  const whole = Math.floor(count / slots.length);
  const choices = Array.from({ length: whole }, () => slots).flat();
  choices.push(...random.sample(slots, count % slots.length));
  random.shuffle(choices);
  return choices;
}

/**
 * SGLang's static dispatch: for each rank, layer and expert, the slot that gets all of the rank's tokens for that expert.
 * Experts without a slot get -1 (SGLang divides by zero there). [rank][layer][expert].
 * Source: sgl-project/sglang, srt/eplb/expert_location.py, compute_logical_to_rank_dispatch_physical_map.
 */
export function staticDispatch(placement: Placement, seed = SGLANG_SEED): Int32Array[][] {
  const { slots, gpus, nodes, experts } = placement.shape;
  const random = pythonRandom(seed);
  const perGpu = slots / gpus;
  const gpusPerNode = Math.max(1, Math.floor(gpus / nodes));
  const layers = logicalToPhysical(placement);
  const answer = Array.from({ length: gpus }, () => layers.map(() => new Int32Array(experts).fill(-1)));
  layers.forEach((replicas, layer) => {
    replicas.forEach((own, expert) => {
      if (own.length === 0) return;
      const far: number[] = [];
      for (let rank = 0; rank < gpus; rank += 1) {
        const slot = nearest(own, rank, perGpu, gpusPerNode);
        const row = answer[rank]?.[layer];
        if (row !== undefined) row[expert] = slot;
        if (slot < 0) far.push(rank);
      }
      fairChoices(own, far.length, random).forEach((slot, index) => {
        const row = answer[far[index] ?? 0]?.[layer];
        if (row !== undefined) row[expert] = slot;
      });
    });
  });
  return answer;
}

/** GPU loads [layer][gpu] under SGLang's static dispatch, when every rank sends the same share of each expert's load. */
export function staticGpuLoads(placement: Placement, loads: Loads, seed = SGLANG_SEED): Float64Array[] {
  const { gpus, slots } = placement.shape;
  const perGpu = slots / gpus;
  const table = staticDispatch(placement, seed);
  return placement.physicalToLogical.map((_, layer) => {
    const sums = new Float64Array(gpus);
    for (const rank of table) {
      rank[layer]?.forEach((slot, expert) => {
        if (slot < 0) return;
        const gpu = Math.floor(slot / perGpu);
        sums[gpu] = (sums[gpu] ?? 0) + (loads[layer]?.[expert] ?? 0) / gpus;
      });
    }
    return sums;
  });
}
