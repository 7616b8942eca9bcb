const f32 = Math.fround;

/** Lanes of torch's vectors: its float32 sum is never built for wider ones. */
const LANES = 8;
/** Partial sums that torch keeps side by side. */
const WAYS = 4;
/** Levels of torch's cascade, which bounds the error of long sums. */
const LEVELS = 4;

type Add = (at: number) => number;

/** Sum of items `column`, `column + WAYS`, … of `rows`: each level takes over the one below when it is full. */
function cascade(item: Add, column: number, rows: number): number {
  const power = Math.max(4, Math.floor(Math.ceil(Math.log2(Math.max(1, rows))) / LEVELS));
  const step = 2 ** power;
  const levels = new Float32Array(LEVELS);
  let row = 0;
  const add = (): void => {
    levels[0] = (levels[0] ?? 0) + item(row * WAYS + column);
    row += 1;
  };
  while (row + step <= rows) {
    for (const end = row + step; row < end;) add();
    for (let level = 1; level < LEVELS; level += 1) {
      levels[level] = (levels[level] ?? 0) + (levels[level - 1] ?? 0);
      levels[level - 1] = 0;
      if (row % 2 ** ((level + 1) * power) !== 0) break;
    }
  }
  while (row < rows) add();
  return levels.reduce((a, b) => f32(a + b));
}

/** Sum of `count` items in torch's order: four interleaved partial sums, what is over to the first of them. */
function interleaved(item: Add, count: number): number {
  const rows = Math.floor(count / WAYS);
  const partial = Float32Array.from({ length: WAYS }, (_, way) => cascade(item, way, rows));
  for (let at = rows * WAYS; at < count; at += 1) partial[0] = (partial[0] ?? 0) + item(at);
  return partial.reduce((a, b) => f32(a + b));
}

/**
 * torch's float32 sum of neighbouring numbers `from` to `to`, rounding included: lanes of eight first, then the rest, then lane by lane.
 * Source: pytorch/pytorch, aten/src/ATen/native/cpu/SumKernel.cpp, vectorized_inner_sum, row_sum, multi_row_sum.
 */
export function torchSum(values: Float64Array, from: number, to: number): number {
  const size = to - from;
  if (size < LANES) return interleaved((at) => values[from + at] ?? 0, size);
  const vectors = Math.floor(size / LANES);
  let sum = 0;
  for (let at = from + vectors * LANES; at < to; at += 1) sum = f32(sum + (values[at] ?? 0));
  for (let lane = 0; lane < LANES; lane += 1)
    sum = f32(sum + interleaved((at) => values[from + at * LANES + lane] ?? 0, vectors));
  return sum;
}

/** numpy's block that is no longer halved. */
const BLOCK = 128;

/**
 * numpy's float32 sum of neighbouring numbers `from` to `to`: in pairs of eight, longer rows by halves.
 * Source: numpy/numpy, numpy/_core/src/umath/loops_utils.h.src, pairwise_sum.
 */
export function numpySum(values: Float64Array, from: number, to: number): number {
  const size = to - from;
  if (size > BLOCK) {
    const half = Math.floor(size / 2);
    const middle = from + half - (half % LANES);
    return f32(numpySum(values, from, middle) + numpySum(values, middle, to));
  }
  let sum = 0;
  let at = from;
  if (size >= LANES) {
    const lane = Float32Array.from(values.subarray(from, from + LANES));
    for (at += LANES; at + LANES <= to; at += LANES)
      for (let i = 0; i < LANES; i += 1) lane[i] = (lane[i] ?? 0) + (values[at + i] ?? 0);
    const pair = (i: number): number => f32((lane[i] ?? 0) + (lane[i + 1] ?? 0));
    sum = f32(f32(pair(0) + pair(2)) + f32(pair(4) + pair(6)));
  }
  for (; at < to; at += 1) sum = f32(sum + (values[at] ?? 0));
  return sum;
}
