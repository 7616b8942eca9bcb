import { exponentOf } from './formats';

/** How a tensor core adds up products. */
export interface AccumulatorModel {
  /** Fraction bits kept when products and running sum are aligned to the largest of them; the rest is cut off. */
  readonly fractionBits: number;
  /** Products that one matrix instruction adds at once: 32 for FP8 on Hopper. */
  readonly group: number;
  /** Products after which the running sum moves to an FP32 register; absent: never. DeepSeek-V3 moves it every 128. */
  readonly promoteEvery?: number;
}

/**
 * Hopper's FP8 accumulation as DeepSeek-V3 describes it (arXiv 2412.19437, section 3.5.2: right-shift to the largest exponent, about 14 bits
 * kept). 13 fraction bits reproduce the bias measured on an H100.
 */
export const HOPPER_FP8: AccumulatorModel = { fractionBits: 13, group: 32 };
/** The same with the sum moved to FP32 every 128 products, as DeepGEMM does. */
export const HOPPER_FP8_PROMOTED: AccumulatorModel = { ...HOPPER_FP8, promoteEvery: 128 };

function cut(x: number, step: number): number {
  return Math.trunc(x / step) * step;
}

/** One matrix instruction: `accumulator` plus the products from `from` to `to`, aligned to the largest exponent and cut. */
function addGroup(
  accumulator: number,
  products: ArrayLike<number>,
  from: number,
  to: number,
  fractionBits: number,
): number {
  let largest = exponentOf(accumulator);
  for (let index = from; index < to; index += 1) largest = Math.max(largest, exponentOf(products[index] ?? 0));
  if (largest === -Infinity) return accumulator;
  const step = 2 ** (largest - fractionBits);
  let sum = cut(accumulator, step);
  for (let index = from; index < to; index += 1) sum += cut(products[index] ?? 0, step);
  return sum;
}

/** The sum of products as the model's hardware computes it. */
export function accumulate(products: ArrayLike<number>, model: AccumulatorModel): number {
  const group = Math.max(1, Math.floor(model.group));
  const every = model.promoteEvery === undefined ? Infinity : Math.max(group, model.promoteEvery);
  let total = 0;
  let running = 0;
  let since = 0;
  for (let from = 0; from < products.length; from += group) {
    const to = Math.min(products.length, from + group);
    running = addGroup(running, products, from, to, model.fractionBits);
    since += to - from;
    if (since >= every) {
      total = Math.fround(total + running);
      running = 0;
      since = 0;
    }
  }
  return model.promoteEvery === undefined ? running : Math.fround(total + running);
}

/** The exact sum, up to double precision. */
export function exactSum(products: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < products.length; index += 1) sum += products[index] ?? 0;
  return sum;
}

export interface AccumulationError {
  /** |error| over the sum of magnitudes: finite however much the products cancel. */
  readonly mean: number;
  readonly max: number;
  /** Root mean square of the errors over that of the sums: what a Frobenius norm of a product shows. */
  readonly relative: number;
}

/** Error of dot products of length `length`; `sample` gives product `index` of dot product `run`. */
export function accumulationError(
  length: number,
  runs: number,
  sample: (run: number, index: number) => number,
  model: AccumulatorModel,
): AccumulationError {
  let mean = 0;
  let max = 0;
  let squaredErrors = 0;
  let squaredSums = 0;
  const products = new Float64Array(Math.max(0, length));
  for (let run = 0; run < runs; run += 1) {
    let size = 0;
    for (let index = 0; index < length; index += 1) {
      const product = sample(run, index);
      products[index] = product;
      size += Math.abs(product);
    }
    if (size === 0) continue;
    const exact = exactSum(products);
    const error = Math.abs(accumulate(products, model) - exact);
    squaredErrors += error * error;
    squaredSums += exact * exact;
    mean += error / size / runs;
    max = Math.max(max, error / size);
  }
  return { mean, max, relative: squaredSums === 0 ? 0 : Math.sqrt(squaredErrors / squaredSums) };
}
