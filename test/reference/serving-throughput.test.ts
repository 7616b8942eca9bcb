import { describe, expect, it } from 'vitest';
import { servingRows } from './support/serving-rows';
import { median } from './support/throughput-report';

describe('published serving throughput', () => {
  const rows = servingRows();
  const errors = rows.map(({ measured, predicted }) => predicted / measured - 1);

  it('is predicted within 10 % at the median and 25 % at worst', () => {
    console.info(
      rows
        .map(
          ({ id, model, gpu, plan, measured, predicted }) =>
            `${id} ${model} ${gpu}, ${plan}: ${measured.toFixed(0)} measured, ${predicted.toFixed(0)} predicted, ${(100 * (predicted / measured - 1)).toFixed(1)} %`,
        )
        .join('\n'),
    );
    expect(median(errors.map(Math.abs))).toBeLessThan(0.1);
    for (const error of errors) expect(Math.abs(error)).toBeLessThan(0.25);
  });
});
