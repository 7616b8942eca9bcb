import { expect, it } from 'vitest';
import { findModel } from '../../server/src/dialects/presets';
import { modelFromConfig, specOf } from '../../server/src/dialects/hf-config/model';
import { checkpoint } from '../../server/src/engine/model/checkpoint';
import type { CheckpointReport } from '../../server/src/engine/memory/report';
import type { ModelSpec } from '../../server/src/engine/model/spec';
import type { QuantizationSpec } from '../../server/src/engine/spec/numbers';
import type { Planned } from '../../server/src/plan/plan';
import { resolveQuantization } from '../../server/src/plan/resolve-model';
import { parseConfig } from '../../server/src/syntax/parse';
import { describeShared, sharedJson } from '../shared';

interface Row {
  readonly model: string;
  readonly config?: object;
  readonly match: boolean | null;
  readonly known_total_elements?: number;
  readonly known_bytes?: number | null;
  readonly formula_elements?: number;
  readonly formula_tensor_bytes?: number;
  readonly by_dtype?: Readonly<Record<string, number>>;
  readonly scale_elements?: number;
  readonly diff_elements?: number;
}

function report(model: Planned<ModelSpec>, quantization: Planned<QuantizationSpec>): CheckpointReport {
  const { spec, missing } = specOf(model);
  if (spec === undefined) throw new Error(`unknown: ${missing.join(', ')}`);
  return checkpoint(spec, resolveQuantization(quantization, []));
}

/** Rows without a config are quantized releases of models that ship as presets. */
const PRESET_OF: Readonly<Record<string, string>> = {
  'Kimi-K2 FP8 128x128': 'moonshotai/Kimi-K2-Base',
  'Qwen3-235B-A22B FP8 128x128': 'Qwen/Qwen3-235B-A22B-Instruct-2507-FP8',
  'GLM-4.7-FP8 (compressed-tensors, one scale per output channel)': 'zai-org/GLM-4.7-FP8',
  'gpt-oss-20b MXFP4': 'openai/gpt-oss-20b',
};

function reportOf(row: Row): CheckpointReport {
  if (row.config !== undefined) {
    const { model, quantization } = modelFromConfig(parseConfig(JSON.stringify(row.config), 'json'));
    return report(model, quantization);
  }
  const preset = findModel(PRESET_OF[row.model] ?? row.model);
  if (preset === undefined) throw new Error(`no preset for ${row.model}`);
  return report(preset.model, preset.quantization);
}

describeShared('checkpoints of published models', ['truth', 'checkpoints.json'], () => {
  const rows = sharedJson<Row[]>('truth', 'checkpoints.json');

  it('covers every row', () => {
    expect(rows.length).toBeGreaterThan(0);
    for (const row of rows) expect(() => reportOf(row), row.model).not.toThrow();
  });

  for (const row of rows.filter(({ match }) => match === true)) {
    it(`${row.model}: elements`, () => {
      const found = reportOf(row);
      expect(found.elements).toBe(row.known_total_elements);
      if (typeof row.known_bytes === 'number') expect(found.bytes).toBe(row.known_bytes);
      if (row.formula_tensor_bytes !== undefined) expect(found.bytes).toBe(row.formula_tensor_bytes);
    });
  }

  it('keeps the unexplained difference of Kimi-K2 in sight: 3,416 BF16 values more than the formula', () => {
    const row = rows.find(({ model }) => model === 'Kimi-K2 FP8 128x128');
    if (row === undefined) throw new Error('the row of Kimi-K2 is missing');
    const found = reportOf(row);
    expect(found.elementsByDtype).toEqual(row.by_dtype);
    expect((row.known_total_elements ?? 0) - found.elements).toBe(3416);
    expect((row.known_bytes ?? 0) - found.bytes).toBe(2 * 3416);
  });

  it('counts the packed experts of gpt-oss-20b to the byte', () => {
    const row = rows.find(({ model }) => model === 'gpt-oss-20b MXFP4');
    if (row === undefined) throw new Error('the row of gpt-oss-20b is missing');
    const found = reportOf(row);
    const { BF16 = 0, U8blocks = 0, U8scales = 0 } = row.by_dtype ?? {};
    expect(found.elementsByDtype).toEqual({ BF16, U8: U8blocks + U8scales });
    expect(found.bytes).toBe(row.formula_tensor_bytes);
  });
});

it('counts the scales of Qwen FP8 in BF16', () => {
  const preset = findModel('Qwen3-235B-A22B-FP8');
  if (preset === undefined) throw new Error('no preset');
  const { BF16 = 0, F8_E4M3 = 0 } = report(preset.model, preset.quantization).elementsByDtype;
  expect(F8_E4M3).toBe(233_798_893_568);
  expect(BF16 - 14_269_952).toBe(1_294_740_992);
});

it('counts DeepSeek-V3 to the byte, by format', () => {
  const preset = findModel('deepseek-ai/DeepSeek-V3');
  if (preset === undefined) throw new Error('no preset');
  expect(report(preset.model, preset.quantization)).toEqual({
    elements: 684_531_386_000,
    bytes: 688_574_839_360,
    elementsByDtype: { BF16: 3_918_786_560, F8_E4M3: 680_571_043_840, F32: 41_555_600 },
  });
});

it('counts the indexer of DeepSeek-V3.2: two of its three matrices in FP8', () => {
  const preset = findModel('DeepSeek-V3.2-Exp');
  if (preset === undefined) throw new Error('no preset');
  expect(report(preset.model, preset.quantization).elements).toBe(685_396_921_376);
});

it('counts gpt-oss-120b to the byte', () => {
  const preset = findModel('gpt-oss-120b');
  if (preset === undefined) throw new Error('no preset');
  expect(report(preset.model, preset.quantization).bytes).toBe(65_248_815_744);
});
