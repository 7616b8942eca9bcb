import { describe, expect, it } from 'vitest';
import { accumulationError, HOPPER_FP8, HOPPER_FP8_PROMOTED } from '../../server/src/engine/numerics/accumulate';
import { quantizationError } from '../../server/src/engine/numerics/error';
import {
  BF16,
  E2M1,
  E2M3,
  E3M2,
  E4M3,
  E5M2,
  E5M6,
  E8M0_MAX_EXPONENT,
  E8M0_MIN_EXPONENT,
  e8m0,
  minExponent,
  roundTo,
  valuesOf,
  type FloatFormat,
} from '../../server/src/engine/numerics/formats';
import {
  actQuant,
  castTo,
  quantizeMx,
  quantizeNvfp4,
  quantizeTensor,
  quantizeTiles,
  type Quantized,
} from '../../server/src/engine/numerics/quantize';
import { draw, normal, uniform } from '../../server/src/engine/numerics/samples';
import { describeShared, sharedJson } from '../shared';

interface FormatRow {
  readonly n_nonneg: number;
  readonly max: number;
  readonly min_subnormal: number;
  readonly min_normal?: number;
  readonly values_first: readonly number[];
  readonly values_last: readonly number[];
  readonly all?: readonly number[];
}

interface ActRow {
  readonly scale: number;
  readonly q_first16: readonly number[];
  readonly sum_abs_q: number;
  readonly max_abs_err: number;
  readonly rel_l2: number;
}

type Pairs = readonly (readonly [input: number, output: number])[];

interface Truth {
  readonly E4M3: FormatRow;
  readonly E5M2: FormatRow;
  readonly E2M1: FormatRow;
  readonly E3M2: FormatRow;
  readonly E2M3: FormatRow;
  readonly E5M6: FormatRow;
  readonly E8M0: { readonly min: number; readonly max: number };
  readonly all_E4M3_nonneg: readonly number[];
  readonly rounding_vectors_E4M3: Pairs;
  readonly rounding_vectors_E5M2: Pairs;
  readonly rounding_vectors_E2M1: Pairs;
  readonly act_quant_vec: ActRow;
  readonly act_quant_vec_ue8m0: ActRow;
  readonly relative_l2_error: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly hopper_accumulation_model: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

const FORMATS: Readonly<Record<'E4M3' | 'E5M2' | 'E2M1' | 'E3M2' | 'E2M3' | 'E5M6', FloatFormat>> = {
  E4M3,
  E5M2,
  E2M1,
  E3M2,
  E2M3,
  E5M6,
};

describeShared('number formats', ['truth', 'fp8-reference.json'], () => {
  const truth = sharedJson<Truth>('truth', 'fp8-reference.json');

  for (const name of ['E4M3', 'E5M2', 'E2M1', 'E3M2', 'E2M3', 'E5M6'] as const) {
    it(`${name}: every value`, () => {
      const row = truth[name];
      const values = valuesOf(FORMATS[name]);
      expect(values).toHaveLength(row.n_nonneg);
      expect(values.at(-1)).toBe(row.max);
      expect(values[1]).toBe(row.min_subnormal);
      expect(values.slice(0, row.values_first.length)).toEqual(row.values_first);
      expect(values.slice(-row.values_last.length)).toEqual(row.values_last);
      if (row.all !== undefined) expect(values).toEqual(row.all);
      if (row.min_normal !== undefined) expect(2 ** minExponent(FORMATS[name])).toBe(row.min_normal);
      for (const value of values) expect(roundTo(-value, FORMATS[name])).toBe(-value);
    });
  }

  it('E4M3: the full table', () => {
    expect(valuesOf(E4M3)).toEqual(truth.all_E4M3_nonneg);
  });

  it('E8M0: ends of the range', () => {
    expect(e8m0(E8M0_MIN_EXPONENT)).toBe(truth.E8M0.min);
    expect(e8m0(E8M0_MAX_EXPONENT)).toBe(truth.E8M0.max);
    expect(e8m0(-1000)).toBe(truth.E8M0.min);
  });

  for (const name of ['E4M3', 'E5M2', 'E2M1'] as const) {
    it(`${name}: rounding to nearest even, saturating`, () => {
      for (const [input, output] of truth[`rounding_vectors_${name}`]) {
        expect(roundTo(input, FORMATS[name]), `${input}`).toBe(output);
      }
    });
  }

  for (const [name, kind] of [
    ['act_quant_vec', 'fp32'],
    ['act_quant_vec_ue8m0', 'ue8m0'],
  ] as const) {
    it(`act_quant with ${kind} scales`, () => {
      const row = truth[name];
      const x = Float32Array.from({ length: 128 }, (_, i) => (((i * 37) % 97) - 48) / 7);
      const { codes, scales, values } = actQuant(x, 128, kind);
      expect(scales).toEqual([row.scale]);
      expect([...codes.slice(0, 16)]).toEqual(row.q_first16);
      expect(codes.reduce((sum, code) => sum + Math.abs(code), 0)).toBe(row.sum_abs_q);
      const error = quantizationError(x, values);
      expect(error.maxAbsolute).toBe(row.max_abs_err);
      // The reference took its norms in FP32, so its last digits are those of FP32.
      expect(Math.abs(error.relativeL2 / row.rel_l2 - 1)).toBeLessThan(2 ** -23);
    });
  }

  describe('errors on normal data', () => {
    const columns = 1024;
    const x = draw(normal(1), 256 * columns);
    const recipes: readonly (readonly [string, Quantized])[] = [
      ['E4M3 per-tensor', quantizeTensor(x, E4M3)],
      ['E5M2 per-tensor', quantizeTensor(x, E5M2)],
      ['E4M3 1x128 fp32 scale', actQuant(x, columns)],
      ['E4M3 1x128 ue8m0 scale', actQuant(x, columns, 'ue8m0')],
      ['E5M2 1x128', quantizeTiles(x, 256, columns, [1, 128], E5M2, 'fp32')],
      ['E5M6 1x128', quantizeTiles(x, 256, columns, [1, 128], E5M6, 'fp32')],
      ['MXFP8 OCP floor', quantizeMx(x, columns, E4M3)],
      ['MXFP8 ceil', quantizeMx(x, columns, E4M3, 'mx-ceil')],
      ['MXFP4', quantizeMx(x, columns, E2M1)],
      ['NVFP4', quantizeNvfp4(x, columns)],
      ['bf16', castTo(x, BF16)],
    ];
    for (const [name, quantized] of recipes) {
      // Other random numbers than the reference's: the error of a quarter of a million of them agrees within a percent.
      it(name, () => {
        const expected = truth.relative_l2_error['gauss']?.[name] ?? Number.NaN;
        expect(Math.abs(quantizationError(x, quantized.values).relativeL2 / expected - 1)).toBeLessThan(0.01);
      });
    }
    it('weights in 128 x 128 blocks', () => {
      const expected = truth.relative_l2_error['weight 128x128']?.['rel_l2'] ?? Number.NaN;
      const { values } = quantizeTiles(x, 256, columns, [128, 128], E4M3, 'fp32');
      expect(Math.abs(quantizationError(x, values).relativeL2 / expected - 1)).toBeLessThan(0.01);
    });
    it('outlier channels flush far more to zero with one scale than with one for 128', () => {
      const wide = 8192;
      const outliers = Float32Array.from(x, (value, index) =>
        [7, 3000, 7001].includes(index % wide) ? 60 * value : value,
      );
      const one = quantizationError(outliers, quantizeTensor(outliers, E4M3).values).flushedToZero;
      const fine = quantizationError(outliers, actQuant(outliers, wide).values).flushedToZero;
      expect(one).toBeGreaterThan(5 * fine);
      expect(one).toBeLessThan(1e-3);
    });
  });

  describe('accumulation on Hopper', () => {
    const lengths = [512, 1024, 4096, 16384] as const;
    const errors = lengths.map((length) => {
      const next = normal(3);
      const product = (): number => roundTo(Math.abs(next()), E4M3) * roundTo(Math.abs(next()), E4M3);
      return {
        length,
        plain: accumulationError(length, 12, product, HOPPER_FP8),
        promoted: accumulationError(length, 12, product, HOPPER_FP8_PROMOTED),
      };
    });
    it('grows with K where sums are never promoted, and stays below 1e-3 with promotion every 128', () => {
      for (const [index, { plain, promoted }] of errors.entries()) {
        expect(promoted.max).toBeLessThan(1e-3);
        if (index > 0) expect(plain.mean).toBeGreaterThan(errors[index - 1]?.plain.mean ?? Infinity);
      }
    });
    it('is within a sixth of the reference model on positive operands', () => {
      for (const { length, plain, promoted } of errors) {
        const row = truth.hopper_accumulation_model[`K=${length} positive`];
        expect(Math.abs(plain.mean / (row?.['no_promotion_mean'] ?? Number.NaN) - 1)).toBeLessThan(1 / 6);
        expect(Math.abs(promoted.mean / (row?.['promote128_mean'] ?? Number.NaN) - 1)).toBeLessThan(1 / 6);
      }
    });
  });
});

interface MeasuredRow {
  readonly data: 'normal' | 'positive';
  readonly K: number;
  readonly fast1_float32: { readonly rel: number; readonly bias: number | null };
}

describeShared('accumulation measured on an H100', ['truth', 'gpu-misc.json'], () => {
  const misc = sharedJson<{ id: string; result?: { rows?: readonly MeasuredRow[] } }[]>('truth', 'gpu-misc.json');
  const rows = misc.find(({ id }) => id === 'misc/accum')?.result?.rows ?? [];
  it('has rows to compare with', () => {
    expect(rows.filter(({ data }) => data === 'positive').length).toBeGreaterThan(3);
  });
  // Fast accumulation, FP32 output: uniform data shows a bias, normal data an error. Of the two bit counts that the literature leaves open, 13 is the one that fits; nothing else is chosen.
  // Sums of normal products cancel and scatter, so only those are compared of which many fit in a test.
  const compared = rows.filter(({ data, K }) => data === 'positive' || K <= 2048);
  for (const { data, K, fast1_float32: measured } of compared) {
    it(`${data} data, K = ${K}: ${(100 * (measured.bias ?? measured.rel)).toFixed(3)} %`, () => {
      const next = data === 'positive' ? uniform(3) : normal(3);
      const scale = data === 'positive' ? 448 : 100;
      const product = (): number => roundTo(scale * next(), E4M3) * roundTo(scale * next(), E4M3);
      const found = accumulationError(K, data === 'positive' ? 6 : 384, product, HOPPER_FP8);
      const share =
        data === 'positive' ? found.mean / Math.abs(measured.bias ?? Number.NaN) : found.relative / measured.rel;
      expect(Math.abs(share - 1)).toBeLessThan(data === 'positive' ? 0.06 : 0.2);
    });
  }
});
