import { numpySum, torchSum } from './group-sums';

const f32 = Math.fround;

/**
 * How a framework rounds. Copies and loads come as float32 tensors everywhere; what differs is the width in which a load is
 * divided by its copies and in which the load of a pack is summed.
 */
export interface Arithmetic {
  readonly shares: 'float32' | 'float64';
  readonly sums: 'float32' | 'float64';
  /** Sum of the loads of a group, in the order in which the library adds. */
  readonly ofGroup: (values: Float64Array, from: number, to: number) => number;
}

/** deepseek-ai/EPLB keeps tensors throughout. */
export const TORCH: Arithmetic = { shares: 'float32', sums: 'float32', ofGroup: torchSum };
/** SGLang's copy turns the pack sums into Python floats. */
export const TORCH_WITH_LISTS: Arithmetic = { shares: 'float32', sums: 'float64', ofGroup: torchSum };
/** vLLM's port divides by int64 counts in numpy, which promotes to float64. */
export const NUMPY: Arithmetic = { shares: 'float64', sums: 'float64', ofGroup: numpySum };

/** `load / copies` in the framework's width. */
export function shareOf(load: number, copies: number, { shares }: Arithmetic): number {
  return shares === 'float32' ? f32(load / copies) : load / copies;
}

const INDEX_BITS = 2 ** 21;

/**
 * Indices of float32 weights, heaviest first, equal weights in their order. Weight bits and index share one number (32 + 21 bits of
 * the 53 there are), so that the runtime's own sort of plain numbers does the work: a comparator would cost most of the whole placement.
 */
function orderOfFloats(weights: Float64Array): Int32Array {
  const n = weights.length;
  const floats = new Float32Array(n);
  // Adding zero makes a negative zero, whose bits are the greatest, a plain one.
  for (let i = 0; i < n; i += 1) floats[i] = (weights[i] ?? 0) + 0;
  // Bits of float32 numbers that are not negative order as the numbers do.
  const bits = new Uint32Array(floats.buffer);
  const keys = new Float64Array(n);
  for (let i = 0; i < n; i += 1) keys[i] = (bits[i] ?? 0) * INDEX_BITS + (n - 1 - i);
  keys.sort();
  const order = new Int32Array(n);
  for (let i = 0; i < n; i += 1) order[i] = n - 1 - ((keys[n - 1 - i] ?? 0) % INDEX_BITS);
  return order;
}

/** Indices of `weights` (not negative), heaviest first; equal weights keep their order, which is the canonical, stable sort. */
export function byDescendingWeight(weights: Float64Array, width: Arithmetic['shares']): Int32Array {
  if (width === 'float32' && weights.length < INDEX_BITS) return orderOfFloats(weights);
  const order = Int32Array.from(weights, (_, index) => index);
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
 * lowest pack on ties. Source: sgl-project/sglang, srt/eplb/eplb_algorithms/deepseek_vec.py, pack_groups.
 */
export function packByLoad(weights: Float64Array, packs: number, arithmetic: Arithmetic): Packing {
  const items = weights.length;
  const room = items / packs;
  const pack = new Int32Array(items);
  const rank = new Int32Array(items);
  const narrow = arithmetic.sums === 'float32';
  const sums = new Float64Array(packs);
  const filled = new Int32Array(packs);
  const order = byDescendingWeight(weights, arithmetic.shares);
  for (let at = 0; at < items; at += 1) {
    const item = order[at] ?? 0;
    let best = 0;
    let least = Infinity;
    for (let candidate = 0; candidate < packs; candidate += 1) {
      // A full pack has the sum Infinity, so that one comparison asks for room and load.
      const sum = sums[candidate] ?? 0;
      if (sum < least) {
        least = sum;
        best = candidate;
      }
    }
    const place = filled[best] ?? 0;
    pack[item] = best;
    rank[item] = place;
    filled[best] = place + 1;
    const sum = least + (weights[item] ?? 0);
    sums[best] = place + 1 >= room ? Infinity : narrow ? f32(sum) : sum;
  }
  return { pack, rank };
}

/**
 * The same, except that with one item a pack nothing is balanced: item i goes to pack i.
 * Source: deepseek-ai/EPLB, eplb.py, balanced_packing.
 */
export function balancedPacking(weights: Float64Array, packs: number, arithmetic: Arithmetic): Packing {
  const items = weights.length;
  if (items !== packs) return packByLoad(weights, packs, arithmetic);
  return { pack: Int32Array.from({ length: items }, (_, item) => item), rank: new Int32Array(items) };
}

export interface Replication {
  /** Item of each slot. */
  readonly item: Int32Array;
  /** Copies of each item. */
  readonly counts: Int32Array;
}

/**
 * Gives every item one slot and each further slot to the item with the greatest load a copy, the first one on ties.
 * Source: deepseek-ai/EPLB, eplb.py, replicate_experts.
 */
export function replicate(weights: Float64Array, slots: number, arithmetic: Arithmetic): Replication {
  const items = weights.length;
  const item = new Int32Array(slots);
  const counts = new Int32Array(items).fill(1);
  const share = Float64Array.from(weights);
  for (let slot = 0; slot < items; slot += 1) item[slot] = slot;
  for (let slot = items; slot < slots; slot += 1) {
    let best = 0;
    let most = share[0] ?? 0;
    for (let candidate = 1; candidate < items; candidate += 1) {
      const value = share[candidate] ?? 0;
      if (value > most) {
        most = value;
        best = candidate;
      }
    }
    item[slot] = best;
    const copies = (counts[best] ?? 0) + 1;
    counts[best] = copies;
    share[best] = shareOf(weights[best] ?? 0, copies, arithmetic);
  }
  return { item, counts };
}
