import type { AccumulationBias, OperandFormat } from './recipe';

/** What a way to store operands does to numbers; fractions. */
export interface OperandFigures {
  /** Relative error (root mean square) of normal numbers. */
  readonly relative: number;
  /** Share of numbers that become zero where one channel in 256 is 50 times as large. */
  readonly flushed: number;
}

/**
 * `operandError` on 128 x 1024 samples. The samples hang on no plan, and computing them takes longer than an answer may:
 * a unit test computes the table anew.
 */
export const OPERAND_FIGURES: Readonly<Record<OperandFormat, OperandFigures>> = {
  bf16: { relative: 0.001664, flushed: 0 },
  'fp8-tensor': { relative: 0.02649, flushed: 0.0003128 },
  'fp8-row': { relative: 0.02649, flushed: 0.0001297 },
  'fp8-1x128': { relative: 0.0257, flushed: 0.00005341 },
  'fp8-1x128-ue8m0': { relative: 0.02659, flushed: 0.00007629 },
  'fp8-128x128': { relative: 0.02644, flushed: 0.0001526 },
  mxfp8: { relative: 0.02659, flushed: 0.00002289 },
  mxfp4: { relative: 0.1147, flushed: 0.1635 },
  nvfp4: { relative: 0.09507, flushed: 0.1036 },
};

/** `accumulationBias` of doubling lengths; computed anew by the same test. */
export const SUM_BIASES: readonly AccumulationBias[] = [
  { length: 512, unpromoted: 0.005971, promoted: 0.0005704 },
  { length: 1024, unpromoted: 0.01484, promoted: 0.0005588 },
  { length: 2048, unpromoted: 0.03506, promoted: 0.0005727 },
  { length: 4096, unpromoted: 0.07416, promoted: 0.0005402 },
  { length: 8192, unpromoted: 0.1447, promoted: 0.000544 },
  { length: 16384, unpromoted: 0.2522, promoted: 0.0005393 },
  { length: 32768, unpromoted: 0.3754, promoted: 0.0005404 },
];

/** Bias of sums of `length` products, between two lengths of the table in proportion; undefined outside the table. */
export function sumBias(length: number): AccumulationBias | undefined {
  const above = SUM_BIASES.findIndex((entry) => entry.length >= length);
  const high = SUM_BIASES[above];
  if (high === undefined || high.length === length) return high;
  const low = SUM_BIASES[above - 1];
  if (low === undefined) return undefined;
  const share = (length - low.length) / (high.length - low.length);
  const between = (a: number, b: number): number => a + share * (b - a);
  return {
    length,
    unpromoted: between(low.unpromoted, high.unpromoted),
    promoted: between(low.promoted, high.promoted),
  };
}

/** The biases of the table up to `longest` and that of `longest` itself. */
export function sumBiases(longest: number): AccumulationBias[] {
  const last = sumBias(longest);
  return last === undefined ? [] : [...SUM_BIASES.filter(({ length }) => length < longest), last];
}
