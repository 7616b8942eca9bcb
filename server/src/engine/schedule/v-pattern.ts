/**
 * A V schedule as slots in time: `slot[(rank · 6 + type) · microbatches + microbatch]`. Types in the order a
 * microbatch passes a rank: forward of chunk 0 and 1, backward of chunk 1 and 0, their weight halves (one list while
 * the two are not told apart).
 */
export interface VSlots {
  readonly ranks: number;
  readonly microbatches: number;
  /** Lists in use: 4 without weight halves, 5 with one list of them, 6 with two. */
  readonly types: number;
  readonly slot: Int32Array;
}

/** All passes of a V schedule in the order of their slots; ties go to the lower rank, then the lower type. */
export interface VSequence {
  readonly rank: Int32Array;
  readonly type: Uint8Array;
  readonly microbatch: Int32Array;
  readonly slot: Int32Array;
}

export const TYPE_ROOM = 6;

export function listStart(v: VSlots, rank: number, type: number): number {
  return (rank * TYPE_ROOM + type) * v.microbatches;
}

/** Passes in a list: the one list of weight halves of both chunks is twice as long and runs on into the sixth. */
function listLength(v: VSlots, type: number): number {
  return v.types === 5 && type === 4 ? 2 * v.microbatches : v.microbatches;
}

/** First slots of the repeating pattern, a row a rank: F0, F1, B1, B0. */
type Pattern = (ranks: number) => readonly (readonly [number, number, number, number])[];

/**
 * Source: sail-sg/zero-bubble@39f2c18 scheduler/zbv_greedy.py `stable_pattern_v_min`; arXiv 2405.15362.
 */
export const vMinPattern: Pattern = (p) => {
  const interval = p % 3 === 0 ? 2 : 0;
  return Array.from({ length: p }, (_, i) => [i, 2 * p - i - 1, 2 * p + interval + i, 4 * p + interval - i - 1]);
};

/** Source: the same file, `stable_pattern_v_half`. */
export const vHalfPattern: Pattern = (p) => {
  const interval = p % 2 === 0 ? 3 : 0;
  return Array.from({ length: p }, (_, i) => [
    2 * i,
    3 * p - i - 2,
    3 * p + interval + 2 * i - 1,
    6 * p + interval - i - 2,
  ]);
};

/** Repeats a pattern every six slots, one microbatch a repeat. */
export function repeatPattern(pattern: Pattern, ranks: number, microbatches: number): VSlots {
  const slot = new Int32Array(ranks * TYPE_ROOM * microbatches);
  const v: VSlots = { ranks, microbatches, types: 4, slot };
  pattern(ranks).forEach((row, rank) => {
    row.forEach((first, type) => {
      const at = listStart(v, rank, type);
      for (let m = 0; m < microbatches; m += 1) slot[at + m] = first + 6 * m;
    });
  });
  return v;
}

/** Sorts all passes by slot: a counting sort, as slots are small whole numbers. */
export function sequenceOf(v: VSlots): VSequence {
  const { ranks, microbatches, types, slot } = v;
  const each = (types === 5 ? 6 : types) * microbatches;
  const total = ranks * each;
  let last = 0;
  for (let r = 0; r < ranks; r += 1) {
    const end = listStart(v, r, 0) + each;
    for (let i = listStart(v, r, 0); i < end; i += 1) last = Math.max(last, slot[i] ?? 0);
  }
  const place = new Int32Array(last + 2);
  for (let r = 0; r < ranks; r += 1) {
    const end = listStart(v, r, 0) + each;
    for (let i = listStart(v, r, 0); i < end; i += 1) place[(slot[i] ?? 0) + 1] = (place[(slot[i] ?? 0) + 1] ?? 0) + 1;
  }
  for (let t = 1; t < place.length; t += 1) place[t] = (place[t] ?? 0) + (place[t - 1] ?? 0);
  const out: VSequence = {
    rank: new Int32Array(total),
    type: new Uint8Array(total),
    microbatch: new Int32Array(total),
    slot: new Int32Array(total),
  };
  for (let r = 0; r < ranks; r += 1) {
    for (let type = 0; type < types; type += 1) {
      const at = listStart(v, r, type);
      const length = listLength(v, type);
      for (let m = 0; m < length; m += 1) {
        const time = slot[at + m] ?? 0;
        const to = place[time] ?? 0;
        place[time] = to + 1;
        out.rank[to] = r;
        out.type[to] = type;
        out.microbatch[to] = m;
        out.slot[to] = time;
      }
    }
  }
  return out;
}

/** What stands in each slot of one rank: type + 1, or 0 for nothing. */
export function occupancy(v: VSlots, rank: number, types: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let type = 0; type < types; type += 1) {
    const at = listStart(v, rank, type);
    const passes = listLength(v, type);
    for (let m = 0; m < passes; m += 1) out[v.slot[at + m] ?? 0] = type + 1;
  }
  return out;
}

function lastSlot(v: VSlots, rank: number): number {
  let last = 0;
  for (let type = 0; type < 4; type += 1) last = Math.max(last, v.slot[listStart(v, rank, type + 1) - 1] ?? 0);
  return last;
}

/** Puts every weight half into the first free slot after its backward, in one list or in one a chunk. */
export function withWeights(v: VSlots, split: boolean): VSlots {
  const { ranks, microbatches } = v;
  const out: VSlots = { ranks, microbatches, types: split ? 6 : 5, slot: v.slot.slice() };
  for (let r = 0; r < ranks; r += 1) {
    const bound = lastSlot(v, r);
    const busy = occupancy(v, r, 4, bound + 1);
    const waiting = [0, 0];
    const placed = [0, 0];
    const take = (w: 0 | 1, time: number): void => {
      out.slot[listStart(out, r, 4 + w) + (placed[w] ?? 0)] = time;
      placed[w] = (placed[w] ?? 0) + 1;
      waiting[w] = (waiting[w] ?? 0) - 1;
    };
    let time = 0;
    for (; time <= bound; time += 1) {
      const type = (busy[time] ?? 0) - 1;
      if (type >= 2) {
        const w = split ? type - 2 : 0;
        waiting[w] = (waiting[w] ?? 0) + 1;
      } else if (type < 0) {
        if ((waiting[0] ?? 0) > 0) take(0, time);
        else if ((waiting[1] ?? 0) > 0) take(1, time);
      }
    }
    for (const w of [0, 1] as const) while ((waiting[w] ?? 0) > 0) take(w, time++);
  }
  return out;
}

/** Pushes every pass as early as its inputs and the rank's order allow, one slot a pass ("squeeze" in the paper). */
export function squeeze(v: VSlots): VSlots {
  const { ranks, microbatches, types } = v;
  const sequence = sequenceOf(v);
  const slot = new Int32Array(v.slot.length);
  const out: VSlots = { ranks, microbatches, types, slot };
  const free = new Int32Array(ranks);
  for (let i = 0; i < sequence.rank.length; i += 1) {
    const r = sequence.rank[i] ?? 0;
    const type = sequence.type[i] ?? 0;
    const m = sequence.microbatch[i] ?? 0;
    const at = listStart(v, r, type) + m;
    let t = free[r] ?? 0;
    const from = type < 4 ? (type % 2 === 0 ? r - 1 : r + 1) : -1;
    if (from >= 0 && from < ranks) t = Math.max(t, (slot[listStart(v, from, type) + m] ?? 0) + 1);
    if (type > 0 && type < 4) t = Math.max(t, (slot[at - microbatches] ?? 0) + 1);
    slot[at] = t;
    free[r] = t + 1;
  }
  return out;
}
