import { expect, it } from 'vitest';
import {
  accumulationBias,
  operandError,
  type OperandFormat,
  type SampleKind,
} from '../../server/src/engine/numerics/recipe';
import { describeShared, sharedJson } from '../shared';

interface ErrorRow {
  readonly data: string;
  readonly kind: string;
  readonly rel_fro: number;
  readonly mean_rel: number;
}

interface SumRow {
  readonly data: string;
  readonly K: number;
  readonly fast1_float32: { readonly bias: number | null };
}

const FORMATS: Readonly<Record<string, OperandFormat>> = {
  bf16: 'bf16',
  per_tensor: 'fp8-tensor',
  per_row: 'fp8-row',
  '1x128': 'fp8-1x128',
  '1x128_ue8m0': 'fp8-1x128-ue8m0',
  '128x128': 'fp8-128x128',
};
const DATA: Readonly<Record<string, SampleKind>> = { normal: 'normal', channel_outliers: 'channel-outliers' };

describeShared('errors of number formats measured on an H100', ['truth', 'gpu-misc.json'], () => {
  const misc = sharedJson<{ id: string; result?: { rows?: readonly unknown[] } }[]>('truth', 'gpu-misc.json');
  const rowsOf = (id: string): readonly unknown[] => misc.find((row) => row.id === id)?.result?.rows ?? [];
  const errors = (rowsOf('misc/qerr') as ErrorRow[]).filter(
    ({ data, kind }) => FORMATS[kind] !== undefined && DATA[data] !== undefined,
  );

  it('has rows of every format', () => {
    expect(errors.length).toBeGreaterThanOrEqual(12);
  });
  // The samples are drawn anew, so only what does not hang on single outliers can be equal: the mean over all numbers.
  it.each(errors)('$kind on $data data', ({ kind, data, mean_rel: measured }) => {
    const found = operandError(FORMATS[kind] ?? 'bf16', DATA[data] ?? 'normal', 128, 1024);
    expect(Math.abs(found.meanRelative / measured - 1)).toBeLessThan(0.04);
  });

  const sums = (rowsOf('misc/accum') as SumRow[]).filter(({ data }) => data === 'positive');
  it.each(sums)('sums of $K positive products', ({ K, fast1_float32: { bias } }) => {
    const [found] = accumulationBias([K]);
    expect(Math.abs((found?.unpromoted ?? 0) / Math.abs(bias ?? Number.NaN) - 1)).toBeLessThan(0.1);
    expect(found?.promoted ?? 1).toBeLessThan(2.5e-3);
  });
});
