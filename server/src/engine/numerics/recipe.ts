import { HOPPER_FP8, HOPPER_FP8_PROMOTED, accumulationError } from './accumulate';
import { quantizationError, type QuantizationError } from './error';
import { BF16, E2M1, E4M3, roundTo } from './formats';
import { castTo, quantizeMx, quantizeNvfp4, quantizeTensor, quantizeTiles, type Quantized } from './quantize';
import { normal, uniform } from './samples';

/** How the operands of a matrix product are stored: the number format and what shares a scale. */
export type OperandFormat =
  'bf16' | 'fp8-tensor' | 'fp8-row' | 'fp8-1x128' | 'fp8-1x128-ue8m0' | 'fp8-128x128' | 'mxfp8' | 'mxfp4' | 'nvfp4';

/** Numbers like those of a layer: plain normal ones, or normal ones with a few channels 50 times as large. */
export type SampleKind = 'normal' | 'channel-outliers';

/** One channel in 256 is an outlier, 50 times as large: the recipe of the measured rows. */
const OUTLIER_EVERY = 256;
const OUTLIER_FACTOR = 50;
const SEED = 1234;

/** `rows` x `columns` FP32 numbers, the same in every run. */
export function sampleMatrix(kind: SampleKind, rows: number, columns: number): Float32Array {
  const next = normal(SEED);
  const values = Float32Array.from({ length: rows * columns }, () => next());
  if (kind === 'channel-outliers') {
    for (let at = 0; at < values.length; at += 1)
      if ((at % columns) % OUTLIER_EVERY === OUTLIER_EVERY / 2) values[at] = (values[at] ?? 0) * OUTLIER_FACTOR;
  }
  return values;
}

function quantized(format: OperandFormat, x: Float32Array, rows: number, columns: number): Quantized {
  if (format === 'bf16') return castTo(x, BF16);
  if (format === 'fp8-tensor') return quantizeTensor(x, E4M3);
  if (format === 'mxfp8') return quantizeMx(x, columns, E4M3, 'mx-ceil');
  if (format === 'mxfp4') return quantizeMx(x, columns, E2M1);
  if (format === 'nvfp4') return quantizeNvfp4(x, columns);
  const tile =
    format === 'fp8-row'
      ? ([1, columns] as const)
      : format === 'fp8-128x128'
        ? ([128, 128] as const)
        : ([1, 128] as const);
  return quantizeTiles(x, rows, columns, tile, E4M3, format === 'fp8-1x128-ue8m0' ? 'ue8m0' : 'fp32');
}

/** What storing a matrix in `format` does to its numbers; fractions, not percent. */
export function operandError(
  format: OperandFormat,
  kind: SampleKind,
  rows: number,
  columns: number,
): QuantizationError {
  const x = sampleMatrix(kind, rows, columns);
  return quantizationError(x, quantized(format, x, rows, columns).values);
}

/** Bias of sums of positive products on Hopper's tensor cores, as fractions of the sum. */
export interface AccumulationBias {
  /** Products a sum: the inner dimension of the matrix product. */
  readonly length: number;
  readonly unpromoted: number;
  /** With the running sum moved to FP32 every 128 products. */
  readonly promoted: number;
}

const RUNS = 2;

/** How far sums of positive products come out too small, for every length. Model and measurement: see `HOPPER_FP8`. */
export function accumulationBias(lengths: readonly number[]): AccumulationBias[] {
  return lengths.map((length) => {
    const of = (model: typeof HOPPER_FP8): number => {
      const next = uniform(SEED);
      const product = (): number => roundTo(448 * next(), E4M3) * roundTo(448 * next(), E4M3);
      return accumulationError(length, RUNS, product, model).mean;
    };
    return { length, unpromoted: of(HOPPER_FP8), promoted: of(HOPPER_FP8_PROMOTED) };
  });
}
