import type { VSequence, VSlots } from './v-pattern';
import { listStart, occupancy, sequenceOf, squeeze, withWeights } from './v-pattern';

/**
 * Activation memory of one rank by slot. With weight halves placed, a forward takes one and a weight half gives one
 * back. Without, every slot that stays free after a backward is taken to run one waiting weight half.
 */
class SlotMemory {
  /** type + 1 of what stands in a slot. */
  readonly busy: Uint8Array;
  private readonly held: Int32Array;
  private readonly waiting: Int32Array;

  constructor(
    v: VSlots,
    rank: number,
    types: number,
    length: number,
    private readonly placedWeights: boolean,
  ) {
    this.busy = occupancy(v, rank, types, length);
    this.held = new Int32Array(length);
    this.waiting = new Int32Array(length);
    this.recount(0, length, false, Infinity);
  }

  get peak(): number {
    let peak = 0;
    for (const held of this.held) peak = Math.max(peak, held);
    return peak;
  }

  /**
   * Counts on from slot `from`; past `until` it stops as soon as nothing differs any more.
   * Returns false when the cap is broken; with `keep` unset only a look.
   */
  private recount(from: number, until: number, lookOnly: boolean, cap: number): boolean {
    let held = from > 0 ? (this.held[from - 1] ?? 0) : 0;
    let waiting = from > 0 ? (this.waiting[from - 1] ?? 0) : 0;
    for (let t = from; t < this.busy.length; t += 1) {
      const type = (this.busy[t] ?? 0) - 1;
      if (type === 0 || type === 1) held += 1;
      else if (type === 2 || type === 3) waiting += 1;
      else if (type === 4) held -= 1;
      else if (!this.placedWeights && waiting > 0) {
        held -= 1;
        waiting -= 1;
      }
      if (held > cap) return false;
      if (t > until && held === this.held[t] && waiting === this.waiting[t]) return true;
      if (lookOnly) continue;
      this.held[t] = held;
      this.waiting[t] = waiting;
    }
    return true;
  }

  /** Moves what stands in slot `from` to the earlier free slot `to`, unless that would break the cap. */
  move(from: number, to: number, cap: number): boolean {
    const what = this.busy[from] ?? 0;
    this.busy[from] = 0;
    this.busy[to] = what;
    if (this.recount(to, from, true, cap)) {
      this.recount(to, from, false, Infinity);
      return true;
    }
    this.busy[from] = what;
    this.busy[to] = 0;
    return false;
  }
}

/** The (k+1)-th smallest of two ascending runs of `n` numbers that start at `a` and `b`. */
function kthOfTwo(slot: Int32Array, a: number, b: number, n: number, k: number): number {
  let low = Math.max(0, k + 1 - n);
  let high = Math.min(n, k + 1);
  while (low < high) {
    const fromA = (low + high) >> 1;
    if ((slot[a + fromA] ?? 0) < (slot[b + k - fromA] ?? 0)) low = fromA + 1;
    else high = fromA;
  }
  const lastA = low > 0 ? (slot[a + low - 1] ?? 0) : -1;
  const lastB = k + 1 - low > 0 ? (slot[b + k - low] ?? 0) : -1;
  return Math.max(lastA, lastB);
}

/** First slot a pass may take: one after everything it needs. */
function earliest(v: VSlots, rank: number, type: number, m: number): number {
  const { slot, microbatches, ranks } = v;
  const at = listStart(v, rank, type) + m;
  let need = m > 0 ? (slot[at - 1] ?? 0) : -1;
  if (type < 4) {
    const from = type % 2 === 0 ? rank - 1 : rank + 1;
    if (from >= 0 && from < ranks) need = Math.max(need, slot[listStart(v, from, type) + m] ?? 0);
    if (type > 0) need = Math.max(need, slot[at - microbatches] ?? 0);
  } else {
    const first = listStart(v, rank, 2);
    need = Math.max(need, kthOfTwo(slot, first, first + microbatches, microbatches, m));
  }
  return need + 1;
}

/** Steps of the sequence that stay where they are: the steady middle, and the warm-up while weights are not placed. */
function keeper(v: VSlots, withWeightList: boolean): (sequence: VSequence, i: number) => boolean {
  let phase = 0;
  return (sequence, i) => {
    const type = sequence.type[i] ?? 0;
    if (type === 3 && sequence.rank[i] === 0 && phase === 0) phase = 1;
    if (phase === 1) {
      if (type === 0 && sequence.microbatch[i] === v.microbatches - 1) phase = 2;
      return true;
    }
    return phase === 0 && !withWeightList;
  };
}

/**
 * Moves passes of the warm-up and the end into earlier free slots as long as no rank's peak grows, then squeezes.
 * Undefined where a pass would stand before what it needs (the original's assertion).
 * Source: sail-sg/zero-bubble@39f2c18 scheduler/zbv_greedy.py `PipelineGraph.reorder`.
 */
export function reorder(input: VSlots, withWeightList: boolean): VSlots | undefined {
  const v = withWeightList ? withWeights(input, false) : { ...input, types: 4, slot: input.slot.slice() };
  const sequence = sequenceOf(v);
  const length = (sequence.slot[sequence.slot.length - 1] ?? 0) + 1;
  const memory = Array.from({ length: v.ranks }, (_, r) => new SlotMemory(v, r, v.types, length, withWeightList));
  const cap = Math.max(0, ...memory.map((rank) => rank.peak));
  const stays = keeper(v, withWeightList);
  for (let i = 0; i < sequence.rank.length; i += 1) {
    if (stays(sequence, i)) continue;
    const rank = sequence.rank[i] ?? 0;
    const type = sequence.type[i] ?? 0;
    const m = sequence.microbatch[i] ?? 0;
    const now = sequence.slot[i] ?? 0;
    const own = memory[rank];
    const first = earliest(v, rank, type, m);
    if (own === undefined || first > now) return undefined;
    for (let t = first; t < now; t += 1) {
      if (own.busy[t] !== 0 || !own.move(now, t, cap)) continue;
      v.slot[listStart(v, rank, type) + m] = t;
      break;
    }
  }
  return squeeze(withWeightList ? v : withWeights(v, false));
}
