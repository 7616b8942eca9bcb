import { describe, expect, it } from 'vitest';
import { accumulationBias, operandError, type OperandFormat } from '../../../server/src/engine/numerics/recipe';
import { OPERAND_FIGURES, SUM_BIASES, sumBias, sumBiases } from '../../../server/src/engine/numerics/recipe-table';

const formats = Object.keys(OPERAND_FIGURES) as OperandFormat[];

describe('the table of number formats', () => {
  it.each(formats)('holds what is computed for %s', (format) => {
    const normal = operandError(format, 'normal', 128, 1024).relativeL2;
    const outliers = operandError(format, 'channel-outliers', 128, 1024).flushedToZero;
    expect(OPERAND_FIGURES[format].relative).toBeCloseTo(normal, 4);
    expect(OPERAND_FIGURES[format].flushed).toBeCloseTo(outliers, 4);
  });

  it('holds what is computed for sums', () => {
    for (const [index, found] of accumulationBias(SUM_BIASES.map(({ length }) => length)).entries()) {
      expect(SUM_BIASES[index]?.unpromoted).toBeCloseTo(found.unpromoted, 4);
      expect(SUM_BIASES[index]?.promoted).toBeCloseTo(found.promoted, 6);
    }
  });

  it('reads lengths between two of the table as they are computed', () => {
    const [found] = accumulationBias([7168]);
    expect(Math.abs((sumBias(7168)?.unpromoted ?? 0) / (found?.unpromoted ?? 1) - 1)).toBeLessThan(0.03);
    expect(sumBiases(7168).map(({ length }) => length)).toEqual([512, 1024, 2048, 4096, 7168]);
    expect(sumBiases(100)).toEqual([]);
    expect(sumBias(1e9)).toBeUndefined();
  });
});
