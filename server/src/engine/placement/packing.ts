const f32 = Math.fround;

/** Indices of `weights` by descending weight; equal weights keep their order (the canonical, stable sort). */
export function byDescendingWeight(weights: Float64Array): Int32Array {
  const order = Int32Array.from(weights, (_, index) => index);
  // Ties fall back to the index: the engine's sort of typed arrays with a comparator is stable, but the rule must be visible.
  return order.sort((a, b) => (weights[b] ?? 0) - (weights[a] ?? 0) || a - b);
}

export interface Packing {
  /** Pack of each item. */
  readonly pack: Int32Array;
  /** Place of each item inside its pack. */
  readonly rank: Int32Array;
}

/**
 * Puts n weighted items into m packs of n / m items each, heaviest first into the lightest pack that has room, the
 * lowest pack on ties. With one item a pack nothing is balanced: item i goes to pack i. Sums are kept in float32, as torch does.
 * Source: deepseek-ai/EPLB, eplb.py, balanced_packing.
 */
export function balancedPacking(weights: Float64Array, packs: number): Packing {
  const items = weights.length;
  const room = items / packs;
  const pack = new Int32Array(items);
  const rank = new Int32Array(items);
  if (room === 1) {
    for (let item = 0; item < items; item += 1) pack[item] = item;
    return { pack, rank };
  }
  const sums = new Float64Array(packs);
  const filled = new Int32Array(packs);
  for (const item of byDescendingWeight(weights)) {
    let best = -1;
    for (let candidate = 0; candidate < packs; candidate += 1) {
      if ((filled[candidate] ?? 0) >= room) continue;
      if (best < 0 || (sums[candidate] ?? 0) < (sums[best] ?? 0)) best = candidate;
    }
    pack[item] = best;
    rank[item] = filled[best] ?? 0;
    filled[best] = (filled[best] ?? 0) + 1;
    sums[best] = f32((sums[best] ?? 0) + (weights[item] ?? 0));
  }
  return { pack, rank };
}

export interface Replication {
  /** Item of each slot. */
  readonly item: Int32Array;
  /** Copies of each item. */
  readonly counts: Int32Array;
}

/**
 * Gives every item one slot and each further slot to the item with the greatest load a copy, the first one on ties; float32 division.
 * Source: deepseek-ai/EPLB, eplb.py, replicate_experts.
 */
export function replicate(weights: Float64Array, slots: number): Replication {
  const items = weights.length;
  const item = new Int32Array(slots);
  const counts = new Int32Array(items).fill(1);
  const share = Float64Array.from(weights);
  for (let slot = 0; slot < items; slot += 1) item[slot] = slot;
  for (let slot = items; slot < slots; slot += 1) {
    let best = 0;
    for (let candidate = 1; candidate < items; candidate += 1) {
      if ((share[candidate] ?? 0) > (share[best] ?? 0)) best = candidate;
    }
    item[slot] = best;
    const copies = (counts[best] ?? 0) + 1;
    counts[best] = copies;
    share[best] = f32((weights[best] ?? 0) / copies);
  }
  return { item, counts };
}
