import { toFp32 } from './formats';

/** How far quantized numbers are from the originals. All are fractions, not percent. */
export interface QuantizationError {
  /** sqrt(sum of squared differences / sum of squares). Led by the largest numbers. */
  readonly relativeL2: number;
  /** Mean of |difference| / |original| over originals that are not zero. Shows what happens to small numbers. */
  readonly meanRelative: number;
  /** Share of non-zero originals that became zero. */
  readonly flushedToZero: number;
  readonly maxAbsolute: number;
}

/** Compares FP32 numbers with what is left of them; all zeros give no error. */
export function quantizationError(original: ArrayLike<number>, quantized: ArrayLike<number>): QuantizationError {
  let squares = 0;
  let differences = 0;
  let relative = 0;
  let nonZero = 0;
  let flushed = 0;
  let maxAbsolute = 0;
  for (let index = 0; index < original.length; index += 1) {
    const value = toFp32(original[index] ?? 0);
    const difference = Math.abs(value - toFp32(quantized[index] ?? 0));
    squares += value * value;
    differences += difference * difference;
    maxAbsolute = Math.max(maxAbsolute, difference);
    if (value === 0) continue;
    nonZero += 1;
    relative += difference / Math.abs(value);
    if (quantized[index] === 0) flushed += 1;
  }
  return {
    relativeL2: squares === 0 ? 0 : Math.sqrt(differences / squares),
    meanRelative: nonZero === 0 ? 0 : relative / nonZero,
    flushedToZero: nonZero === 0 ? 0 : flushed / nonZero,
    maxAbsolute,
  };
}
