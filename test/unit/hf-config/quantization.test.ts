import { describe, expect, it } from 'vitest';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';
import { bytesOf, storedParts, type MatrixFormat } from '../../../server/src/engine/model/stored-parts';
import type { QuantizationSpec } from '../../../server/src/engine/spec/numbers';
import { modelFromConfig } from '../../../server/src/dialects/hf-config/model';
import { resolveQuantization } from '../../../server/src/plan/resolve-model';
import { parseConfig } from '../../../server/src/syntax/parse';
import { LLAMA, read, specIn } from './read';

function quantizationOf(quantization_config: object): QuantizationSpec {
  return resolveQuantization(read({ ...LLAMA, quantization_config }).plan.quantization, []);
}

const GROUP = { targets: ['Linear'], input_activations: null };

describe('quantization_config', () => {
  it.each<[object, Partial<QuantizationSpec>]>([
    [
      { quant_method: 'fp8', weight_block_size: [128, 128], modules_to_not_convert: ['lm_head'] },
      { method: 'fp8-block', blockRows: 128, blockColumns: 128, excluded: ['lm_head'], scaleDType: 'F32' },
    ],
    [{ quant_method: 'fp8' }, { method: 'fp8-tensor' }],
    [
      { quant_method: 'fbgemm_fp8', modules_to_not_convert: ['model.layers.0.mlp.down_proj'] },
      { method: 'fp8-channel', excluded: ['model.layers.0.mlp.down_proj'] },
    ],
    [
      { quant_method: 'mxfp4', modules_to_not_convert: ['lm_head'] },
      { method: 'mxfp4', source: 'mxfp4' },
    ],
    [
      { quant_method: 'gptq', bits: 4, group_size: 128, desc_act: true, sym: true },
      { method: 'int4-group', groupSize: 128, activationOrder: true, zeroPoints: true, source: 'gptq' },
    ],
    [
      { quant_method: 'gptq', bits: 3, group_size: -1 },
      { method: 'int4-group', weightBits: 3, groupSize: -1 },
    ],
    [
      { quant_method: 'gptq', bits: 8, group_size: 32 },
      { method: 'int8', weightBits: 8, groupSize: 32 },
    ],
    [
      { quant_method: 'gptq', bits: 4, group_size: 128, dynamic: { '-:.*experts.*': {} } },
      { excluded: ['re:.*experts.*'] },
    ],
    [
      { quant_method: 'awq', bits: 4, group_size: 128, zero_point: true, modules_to_not_convert: ['vision'] },
      { method: 'int4-group', groupSize: 128, source: 'awq', excluded: ['vision'] },
    ],
    [{ quant_method: 'bitsandbytes', load_in_4bit: true }, { method: 'bnb-4bit' }],
    [
      { load_in_8bit: true, llm_int8_skip_modules: ['lm_head'] },
      { method: 'bnb-8bit', excluded: ['lm_head'] },
    ],
    [
      { quant_method: 'modelopt', quant_algo: 'NVFP4', ignore: ['lm_head'] },
      { method: 'nvfp4', staticActivations: true, excluded: ['lm_head'] },
    ],
    [{ quant_algo: 'FP8' }, { method: 'fp8-tensor', staticActivations: true, source: 'modelopt' }],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: { group_0: { ...GROUP, weights: { num_bits: 8, type: 'float', strategy: 'channel' } } },
        format: 'float-quantized',
      },
      { method: 'fp8-channel' },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: {
            ...GROUP,
            weights: { num_bits: 8, type: 'float', strategy: 'block', block_structure: [128, 128] },
          },
        },
      },
      { method: 'fp8-block', blockRows: 128 },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: {
            ...GROUP,
            weights: { num_bits: 4, type: 'int', strategy: 'group', group_size: 32, symmetric: false },
          },
        },
        format: 'pack-quantized',
      },
      { method: 'int4-group', groupSize: 32, zeroPoints: true },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: { group_0: { ...GROUP, weights: { num_bits: 8, type: 'int', strategy: 'channel' } } },
      },
      { method: 'int8' },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: { ...GROUP, weights: { num_bits: 4, type: 'float', strategy: 'tensor_group', group_size: 16 } },
        },
        format: 'nvfp4-pack-quantized',
      },
      { method: 'nvfp4', groupSize: 16 },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: {
          group_0: { ...GROUP, weights: { num_bits: 4, type: 'float', strategy: 'group', group_size: 32 } },
        },
        format: 'mxfp4-pack-quantized',
      },
      { method: 'mxfp4' },
    ],
    [
      {
        quant_method: 'compressed-tensors',
        config_groups: { group_0: { ...GROUP, weights: { num_bits: 4, type: 'int' } } },
        format: 'dense',
      },
      { method: 'none' },
    ],
  ])('%j', (config, expected) => {
    expect(quantizationOf(config)).toMatchObject(expected);
  });

  it('gathers mixed precision by algorithm', () => {
    const found = quantizationOf({
      quant_method: 'modelopt',
      quant_algo: 'MIXED_PRECISION',
      quantized_layers: {
        'model.layers.0.mlp.up_proj': { quant_algo: 'NVFP4' },
        'model.layers.0.mlp.gate_proj': { quant_algo: 'NVFP4' },
        'model.layers.0.self_attn.q_proj': { quant_algo: 'FP8' },
      },
    });
    expect(found).toMatchObject({
      method: 'nvfp4',
      included: ['model.layers.0.mlp.up_proj', 'model.layers.0.mlp.gate_proj'],
      overrides: [{ modules: ['model.layers.0.self_attn.q_proj'], method: 'fp8-tensor' }],
    });
    const stored = checkpoint(specIn(LLAMA), found).elementsByDtype;
    expect(stored['U8']).toBe((2 * 4096 * 14336) / 2);
    expect(stored['F8_E4M3']).toBe(4096 * 4096 + (2 * 4096 * 14336) / 16);
  });

  it('tells the KV format that the checkpoint asks for', () => {
    const config = {
      ...LLAMA,
      quantization_config: {
        quant_method: 'modelopt',
        quant_algo: 'NVFP4',
        kv_cache_scheme: { type: 'float', num_bits: 8 },
      },
    };
    expect(modelFromConfig(parseConfig(JSON.stringify(config), 'json')).kvDType?.value).toBe('F8_E4M3');
  });

  it('takes the file of ModelOpt beside a config that has none, at its place there', () => {
    const beside = {
      'hf_quant_config.json': {
        producer: { name: 'modelopt' },
        quantization: { quant_algo: 'NVFP4', group_size: 16, exclude_modules: ['lm_head'] },
      },
    };
    const { quantization } = read(LLAMA, beside).plan;
    expect(quantization.method).toMatchObject({
      value: 'nvfp4',
      origin: 'companion',
      at: { uri: 'file:///hf_quant_config.json' },
    });
    expect(
      read({ ...LLAMA, quantization_config: { quant_method: 'fp8' } }, beside).plan.quantization.method?.value,
    ).toBe('fp8-tensor');
  });

  it('reads that file alone, and names the config it belongs to', () => {
    const reading = read({ producer: { name: 'modelopt' }, quantization: { quant_algo: 'FP8_PB_WO' } });
    expect(reading.plan.quantization.method?.value).toBe('fp8-block');
    expect(reading.references.map(({ target }) => target)).toEqual(['config.json']);
  });

  it('reads quantize_config.json of GPTQ', () => {
    expect(read({ bits: 4, group_size: 128, desc_act: false, sym: true }).plan.quantization).toMatchObject({
      method: { value: 'int4-group' },
      groupSize: { value: 128 },
    });
  });
});

describe('stored matrices', () => {
  const of = (format: Partial<MatrixFormat> & Pick<MatrixFormat, 'method'>, rows = 1024, columns = 512): string =>
    storedParts(rows, columns, { baseDType: 'BF16', ...format })
      .map(({ dtype, elements }) => `${dtype} ${elements}`)
      .join(', ');

  it('hold what each format writes', () => {
    expect(of({ method: 'none' })).toBe('BF16 524288');
    expect(of({ method: 'fp8-block' })).toBe('F8_E4M3 524288, F32 32');
    expect(of({ method: 'fp8-block' }, 1025, 513)).toBe('F8_E4M3 525825, F32 45');
    expect(of({ method: 'fp8-channel', scaleDType: 'BF16' })).toBe('F8_E4M3 524288, BF16 1024');
    expect(of({ method: 'fp8-tensor', staticActivations: true })).toBe('F8_E4M3 524288, F32 1, F32 1');
    expect(of({ method: 'mxfp8' })).toBe('F8_E4M3 524288, U8 16384');
    expect(of({ method: 'mxfp4' })).toBe('U8 278528');
    expect(of({ method: 'nvfp4' })).toBe('U8 262144, F8_E4M3 32768, F32 1');
    expect(of({ method: 'int4-group', groupSize: 128, source: 'gptq' })).toBe('I32 65536, F16 4096, I32 512, I32 512');
    expect(of({ method: 'int4-group', groupSize: 128, source: 'awq' })).toBe('I32 65536, F16 4096, I32 512');
    expect(of({ method: 'int4-group', groupSize: 32, source: 'compressed-tensors' })).toBe(
      'I32 65536, BF16 16384, I64 2',
    );
    expect(of({ method: 'int8' })).toBe('I8 524288, F32 1024');
    expect(of({ method: 'bnb-8bit' })).toBe('I8 524288, F32 1024');
    expect(of({ method: 'bnb-4bit' })).toBe('U8 270336, F32 304');
  });

  it('cost the bits a weight that the formats are known for', () => {
    const bits = (format: Partial<MatrixFormat> & Pick<MatrixFormat, 'method'>): number =>
      (8 * bytesOf(storedParts(8192, 8192, { baseDType: 'BF16', ...format }))) / 8192 ** 2;
    expect(bits({ method: 'fp8-block' })).toBeCloseTo(8.002, 3);
    expect(bits({ method: 'mxfp4' })).toBe(4.25);
    expect(bits({ method: 'nvfp4' })).toBeCloseTo(4.5, 4);
    expect(bits({ method: 'mxfp8' })).toBe(8.25);
    expect(bits({ method: 'int4-group', groupSize: 128, source: 'awq' })).toBeCloseTo(4.156, 3);
  });
});
