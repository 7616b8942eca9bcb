/** A binary floating-point format with a sign, given by its field widths. */
export interface FloatFormat {
  readonly name: string;
  readonly exponentBits: number;
  readonly mantissaBits: number;
  readonly bias: number;
  /** Largest finite value; formats without infinities use codes that IEEE would reserve. */
  readonly max: number;
}

/** OFP8 E4M3 ("fn"): no infinities, NaN only in S.1111.111. Source: OCP 8-bit Floating Point Specification v1.0; arXiv 2209.05433, table 1. */
export const E4M3: FloatFormat = { name: 'E4M3', exponentBits: 4, mantissaBits: 3, bias: 7, max: 448 };
/** OFP8 E5M2: IEEE-like, with infinities and NaNs. Same sources. */
export const E5M2: FloatFormat = { name: 'E5M2', exponentBits: 5, mantissaBits: 2, bias: 15, max: 57_344 };
/** 4-bit element of MXFP4 and NVFP4: every code is a finite value. Source: OCP Microscaling Formats v1.0, section 5.3.3. */
export const E2M1: FloatFormat = { name: 'E2M1', exponentBits: 2, mantissaBits: 1, bias: 1, max: 6 };
/** 6-bit elements of MXFP6. Source: OCP Microscaling Formats v1.0, section 5.3.2. */
export const E3M2: FloatFormat = { name: 'E3M2', exponentBits: 3, mantissaBits: 2, bias: 3, max: 28 };
export const E2M3: FloatFormat = { name: 'E2M3', exponentBits: 2, mantissaBits: 3, bias: 1, max: 7.5 };
/** DeepSeek-V3's 12-bit format of cached attention inputs (arXiv 2412.19437, section 3.3.3); IEEE-like fields are taken for granted. */
export const E5M6: FloatFormat = { name: 'E5M6', exponentBits: 5, mantissaBits: 6, bias: 15, max: 65_024 };
export const BF16: FloatFormat = {
  name: 'BF16',
  exponentBits: 8,
  mantissaBits: 7,
  bias: 127,
  max: (2 - 2 ** -7) * 2 ** 127,
};

/** E8M0 scales are powers of two from 2^-127 to 2^127, without sign, zero or infinity. Source: OCP Microscaling Formats v1.0, section 5.4.1. */
export const E8M0_MIN_EXPONENT = -127;
export const E8M0_MAX_EXPONENT = 127;

/** Exponent of the smallest normal value. */
export function minExponent({ bias }: FloatFormat): number {
  return 1 - bias;
}

/** Exponent of the largest value's binade: 8 for E4M3, 2 for E2M1. */
export function maxExponent({ max }: FloatFormat): number {
  return exponentOf(max);
}

/** Largest e with 2^e <= |x|, exact for every finite x; -Infinity for 0. */
export function exponentOf(x: number): number {
  const size = Math.abs(x);
  if (size === 0) return -Infinity;
  // The logarithm may round across a power of two; one comparison each way makes it exact.
  const near = Math.floor(Math.log2(size));
  if (2 ** near > size) return near - 1;
  return 2 ** (near + 1) <= size ? near + 1 : near;
}

/** Nearest whole number, ties to even. */
export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest < 0.5) return low;
  if (rest > 0.5) return low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** Nearest value of a format, ties to even, saturating at the largest finite value. NaN counts as 0: no answer may contain one. */
export function roundTo(x: number, format: FloatFormat): number {
  if (Number.isNaN(x)) return 0;
  if (x === 0) return x;
  const size = Math.abs(x);
  if (size >= format.max) return Math.sign(x) * format.max;
  const step = 2 ** (Math.max(exponentOf(size), minExponent(format)) - format.mantissaBits);
  // Powers of two divide exactly, so the only rounding is the wanted one.
  return Math.sign(x) * Math.min(format.max, roundHalfEven(size / step) * step);
}

/** All non-negative finite values of a format, ascending. Meant for formats of at most 12 bits. */
export function valuesOf(format: FloatFormat): readonly number[] {
  const out: number[] = [];
  const steps = 2 ** format.mantissaBits;
  for (let exponent = 0; exponent < 2 ** format.exponentBits; exponent += 1) {
    const scale = 2 ** ((exponent === 0 ? 1 : exponent) - format.bias - format.mantissaBits);
    for (let mantissa = 0; mantissa < steps; mantissa += 1) {
      const value = (exponent === 0 ? mantissa : steps + mantissa) * scale;
      if (value <= format.max) out.push(value);
    }
  }
  return out;
}

/** A power of two as E8M0 holds it: exponents beyond its range stop at the ends. */
export function e8m0(exponent: number): number {
  return 2 ** Math.min(E8M0_MAX_EXPONENT, Math.max(E8M0_MIN_EXPONENT, exponent));
}

const FP32_MAX = (2 - 2 ** -23) * 2 ** 127;

/** The FP32 number that a kernel would read: saturated instead of infinite, and 0 for what is no number. */
export function toFp32(x: number): number {
  if (Number.isNaN(x)) return 0;
  return Math.fround(Math.min(FP32_MAX, Math.max(-FP32_MAX, x)));
}
