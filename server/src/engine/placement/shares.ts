/** What one copy of each expert carries. */
export function sharesOf(load: Float64Array, counts: Int32Array): Float64Array {
  return Float64Array.from(load, (value, expert) => value / Math.max(1, counts[expert] ?? 1));
}

/** A load that tells experts apart where there is none, so that copies are spread evenly instead of all going to expert 0. */
export function usable(load: Float64Array): Float64Array {
  return load.some((value) => value > 0) ? load : new Float64Array(load.length).fill(1);
}
