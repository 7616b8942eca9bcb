import { placeAll } from './eplb';
import { NUMPY } from './packing';
import type { Loads, Placement, PlacementShape } from './placement';

/**
 * Reorders one GPU's experts so that those which stay keep their slot; the others fill the free slots in order.
 * Source: vllm-project/vllm, distributed/eplb/policy/default.py, preserve_intragpu_slots.
 */
function keepSlots(placed: Int32Array, previous: Int32Array): Int32Array {
  const slots = placed.length;
  const used = new Uint8Array(slots);
  const kept = new Uint8Array(slots);
  const out = placed.slice();
  for (let slot = 0; slot < slots; slot += 1) {
    const from = placed.findIndex((expert, index) => used[index] === 0 && expert === previous[slot]);
    if (from < 0) continue;
    out[slot] = placed[from] ?? 0;
    used[from] = 1;
    kept[slot] = 1;
  }
  let from = 0;
  for (let slot = 0; slot < slots; slot += 1) {
    if (kept[slot] === 1) continue;
    while (used[from] === 1) from += 1;
    out[slot] = placed[from] ?? 0;
    from += 1;
  }
  return out;
}

/** Keeps every expert that stays on its GPU in its slot, so that its weights need not be copied. Counts do not change. */
export function preserveSlots(placement: Placement, previous: readonly Int32Array[]): Placement {
  const { slots, gpus } = placement.shape;
  const perGpu = slots / gpus;
  const physicalToLogical = placement.physicalToLogical.map((row, layer) => {
    const old = previous[layer];
    if (old?.length !== row.length) return row;
    const out = new Int32Array(slots);
    for (let start = 0; start < slots; start += perGpu)
      out.set(keepSlots(row.subarray(start, start + perGpu), old.subarray(start, start + perGpu)), start);
    return out;
  });
  return { ...placement, physicalToLogical };
}

/**
 * vLLM's default policy: EPLB in numpy, then slots kept where `previous` is given. GPUs that the nodes do not divide count as one node.
 * Source: vllm-project/vllm, distributed/eplb/policy/default.py, rebalance_experts; eplb_state.py.
 */
export function vllmDefault(loads: Loads, shape: PlacementShape, previous?: readonly Int32Array[]): Placement {
  const nodes = shape.gpus % shape.nodes === 0 ? shape.nodes : 1;
  const placed = placeAll('vllm', loads, { ...shape, nodes }, NUMPY, shape.groups % nodes !== 0);
  const placement = { ...placed, shape };
  return previous === undefined ? placement : preserveSlots(placement, previous);
}

/**
 * Rank of every expert under vLLM's static `linear` strategy: blocks in order, the first `experts % ranks` ranks with one more.
 * Source: vllm-project/vllm, fused_moe expert maps, determine_expert_map.
 */
export function linearRanks(experts: number, ranks: number): Int32Array {
  const least = Math.floor(experts / ranks);
  const larger = experts % ranks;
  const border = larger * (least + 1);
  return Int32Array.from({ length: experts }, (_, expert) =>
    expert < border ? Math.floor(expert / (least + 1)) : larger + Math.floor((expert - border) / Math.max(1, least)),
  );
}

/** Rank of every expert under `round_robin`: expert e on rank e modulo the ranks. Source: the same function. */
export function roundRobinRanks(experts: number, ranks: number): Int32Array {
  return Int32Array.from({ length: experts }, (_, expert) => expert % ranks);
}

function byRanks(policy: string, ranks: Int32Array, loads: Loads, shape: PlacementShape): Placement {
  const slotsPerGpu = shape.slots / shape.gpus;
  const filled = new Int32Array(shape.gpus);
  const row = new Int32Array(shape.slots);
  ranks.forEach((rank, expert) => {
    row[rank * slotsPerGpu + (filled[rank] ?? 0)] = expert;
    filled[rank] = (filled[rank] ?? 0) + 1;
  });
  const counts = new Int32Array(shape.experts).fill(1);
  return { policy, shape, physicalToLogical: loads.map(() => row), replicaCounts: loads.map(() => counts) };
}

/** vLLM without EPLB, experts in blocks. The caller has checked that there are no redundant slots. */
export function vllmLinear(loads: Loads, shape: PlacementShape): Placement {
  return byRanks('vllm-linear', linearRanks(shape.experts, shape.gpus), loads, shape);
}

/** vLLM without EPLB, experts dealt out in turn. */
export function vllmRoundRobin(loads: Loads, shape: PlacementShape): Placement {
  return byRanks('vllm-round-robin', roundRobinRanks(shape.experts, shape.gpus), loads, shape);
}
