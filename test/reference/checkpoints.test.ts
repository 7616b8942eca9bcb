import { expect, it } from 'vitest';
import { findModel } from '../../server/src/dialects/presets';
import { describeShared } from '../shared';
import { checkpointOf, checkpointReport, checkpointRows } from './support/checkpoints';

describeShared('checkpoints of published models', ['truth', 'checkpoints.json'], () => {
  const rows = checkpointRows();

  it('covers every row', () => {
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(() => checkpointReport(row), row.model).not.toThrow();
  });

  for (const row of rows.filter(({ match }) => match === true)) {
    it(`${row.model}: elements`, () => {
      const found = checkpointReport(row);
      expect(found.elements).toBe(row.known_total_elements);
      if (typeof row.known_bytes === 'number') expect(found.bytes).toBe(row.known_bytes);
      if (row.formula_tensor_bytes !== undefined) expect(found.bytes).toBe(row.formula_tensor_bytes);
    });
  }

  it('keeps the unexplained difference of Kimi-K2 in sight: 3,416 BF16 values more than the formula', () => {
    const row = rows.find(({ model }) => model === 'Kimi-K2 FP8 128x128');
    if (row === undefined) throw new Error('the row of Kimi-K2 is missing');
    const found = checkpointReport(row);
    expect(found.elementsByDtype).toEqual(row.by_dtype);
    expect((row.known_total_elements ?? 0) - found.elements).toBe(3416);
    expect((row.known_bytes ?? 0) - found.bytes).toBe(2 * 3416);
  });

  it('counts the packed experts of gpt-oss-20b to the byte', () => {
    const row = rows.find(({ model }) => model === 'gpt-oss-20b MXFP4');
    if (row === undefined) throw new Error('the row of gpt-oss-20b is missing');
    const found = checkpointReport(row);
    const { BF16 = 0, U8blocks = 0, U8scales = 0 } = row.by_dtype ?? {};
    expect(found.elementsByDtype).toEqual({ BF16, U8: U8blocks + U8scales });
    expect(found.bytes).toBe(row.formula_tensor_bytes);
  });
});

it('counts the scales of Qwen FP8 in BF16', () => {
  const preset = findModel('Qwen3-235B-A22B-FP8');
  if (preset === undefined) throw new Error('no preset');
  const { BF16 = 0, F8_E4M3 = 0 } = checkpointOf(preset.model, preset.quantization).elementsByDtype;
  expect(F8_E4M3).toBe(233_798_893_568);
  expect(BF16 - 14_269_952).toBe(1_294_740_992);
});

it('counts DeepSeek-V3 to the byte, by format', () => {
  const preset = findModel('deepseek-ai/DeepSeek-V3');
  if (preset === undefined) throw new Error('no preset');
  expect(checkpointOf(preset.model, preset.quantization)).toEqual({
    elements: 684_531_386_000,
    bytes: 688_574_839_360,
    elementsByDtype: { BF16: 3_918_786_560, F8_E4M3: 680_571_043_840, F32: 41_555_600 },
  });
});

it('counts the indexer of DeepSeek-V3.2: two of its three matrices in FP8', () => {
  const preset = findModel('DeepSeek-V3.2-Exp');
  if (preset === undefined) throw new Error('no preset');
  expect(checkpointOf(preset.model, preset.quantization).elements).toBe(685_396_921_376);
});

it('counts gpt-oss-120b to the byte', () => {
  const preset = findModel('gpt-oss-120b');
  if (preset === undefined) throw new Error('no preset');
  expect(checkpointOf(preset.model, preset.quantization).bytes).toBe(65_248_815_744);
});
