import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accumulate, exactSum, HOPPER_FP8, HOPPER_FP8_PROMOTED } from '../../../server/src/engine/numerics/accumulate';
import { quantizationError } from '../../../server/src/engine/numerics/error';
import { E2M1, E4M3, E5M2, E5M6, exponentOf, roundTo, valuesOf } from '../../../server/src/engine/numerics/formats';
import {
  actQuant,
  quantizeMx,
  quantizeNvfp4,
  quantizeTiles,
  scaleOf,
} from '../../../server/src/engine/numerics/quantize';
import { draw, normal, uniform } from '../../../server/src/engine/numerics/samples';

describe('rounding', () => {
  it('gives the nearest value of the format', () => {
    for (const format of [E4M3, E5M2, E2M1, E5M6]) {
      const values = valuesOf(format);
      fc.assert(
        fc.property(fc.double({ min: -2 * format.max, max: 2 * format.max, noNaN: true }), (x) => {
          const rounded = Math.abs(roundTo(x, format));
          const best = Math.min(...values.map((value) => Math.abs(value - Math.min(Math.abs(x), format.max))));
          return values.includes(rounded) && Math.abs(rounded - Math.min(Math.abs(x), format.max)) === best;
        }),
        { numRuns: 60 },
      );
    }
  });

  it('finds the exponent of every finite number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-300, max: 1e300 }), (x) => {
        const exponent = exponentOf(x);
        return 2 ** exponent <= x && x < 2 ** (exponent + 1);
      }),
    );
    expect(exponentOf(2 ** 29)).toBe(29);
    expect(exponentOf(0)).toBe(-Infinity);
  });

  it('saturates, and never answers NaN', () => {
    expect(roundTo(Infinity, E4M3)).toBe(448);
    expect(roundTo(-Infinity, E5M2)).toBe(-57_344);
    expect(roundTo(Number.NaN, E4M3)).toBe(0);
  });
});

describe('scales', () => {
  it('never overflow the format, except with the floor rule of OCP', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1e6, noNaN: true }), (amax) => {
        for (const kind of ['fp32', 'ue8m0', 'mx-ceil'] as const) {
          if (amax / scaleOf(amax, E4M3, kind) > E4M3.max * (1 + 2 ** -23)) return false;
        }
        return true;
      }),
    );
    expect(500 / scaleOf(500, E4M3, 'mx-floor')).toBeGreaterThan(E4M3.max);
  });

  it('are one for a tile, edges included', () => {
    const { scales, values } = quantizeTiles(draw(normal(1), 130 * 260), 130, 260, [128, 128], E4M3, 'fp32');
    expect(scales).toHaveLength(2 * 3);
    expect(values).toHaveLength(130 * 260);
  });
});

describe('strange input', () => {
  const strange = [
    Float32Array.of(),
    Float32Array.of(0, 0, 0),
    Float64Array.of(Number.NaN, Infinity, -Infinity, 1e300, -1e-300, 3),
  ];
  it('gives finite answers', () => {
    for (const x of strange) {
      for (const { values, scales } of [
        actQuant(x, x.length),
        quantizeMx(x, x.length, E2M1),
        quantizeNvfp4(x, x.length),
        quantizeTiles(x, 1, x.length, [0, 0], E4M3, 'ue8m0'),
      ]) {
        const error = quantizationError(x, values);
        const all = [
          ...scales,
          ...Object.values(error),
          ...[...values].filter((_, index) => Number.isFinite(x[index])),
        ];
        for (const value of all) expect(Number.isNaN(value)).toBe(false);
      }
    }
  });
});

describe('accumulation', () => {
  it('is exact for what fits, and empty sums are zero', () => {
    expect(accumulate([], HOPPER_FP8)).toBe(0);
    expect(accumulate([1, 2, 3, 4], HOPPER_FP8)).toBe(10);
    expect(accumulate([0, 0], HOPPER_FP8_PROMOTED)).toBe(0);
  });

  it('cuts towards zero: positive sums come out low, and promotion keeps them near', () => {
    const next = uniform(9);
    const products = draw(next, 8192);
    const exact = exactSum(products);
    const plain = accumulate(products, HOPPER_FP8);
    const promoted = accumulate(products, HOPPER_FP8_PROMOTED);
    expect(plain).toBeLessThan(0.9 * exact);
    expect(promoted).toBeLessThan(exact);
    expect(promoted).toBeGreaterThan(0.997 * exact);
  });
});

describe('samples', () => {
  it('are the same in every run, with the moments of their distribution', () => {
    expect([...draw(uniform(1), 2)]).toEqual([...draw(uniform(1), 2)]);
    const x = draw(normal(5), 20_000);
    const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
    const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(variance - 1)).toBeLessThan(0.03);
  });
});
