import { describe, expect, it } from 'vitest';
import { dialectOf } from './reading';
import { analyzeServing, modelJson } from './served';

/** [severity and rule, a quantization_config that brings it, one that does not] */
type Case = readonly [rule: string, fires: object, silent: object];

const found = (text: string, name: string, files: Readonly<Record<string, string>> = {}): string[] =>
  analyzeServing(text, files, name).findings.map(({ severity, rule }) => `${severity} ${rule}`);

function tensors(weights: object, activations?: object, group: object = {}): object {
  return {
    quant_method: 'compressed-tensors',
    config_groups: {
      group_0: {
        targets: ['Linear'],
        weights,
        ...(activations === undefined ? {} : { input_activations: activations }),
        ...group,
      },
    },
  };
}

const INT4 = { num_bits: 4, type: 'int', strategy: 'group', group_size: 128 };
const FP8 = { num_bits: 8, type: 'float', strategy: 'channel' };
const TOKEN = { num_bits: 8, type: 'float', strategy: 'token', dynamic: true };

const CONFIGS: readonly Case[] = [
  ['error quantization-strategy', tensors(FP8, { ...TOKEN, dynamic: false }), tensors(FP8, TOKEN)],
  ['error quantization-strategy', tensors({ num_bits: 4, strategy: 'group' }), tensors(INT4)],
  [
    'error quantization-strategy',
    tensors({ ...INT4, strategy: 'channel' }),
    tensors({ num_bits: 4, strategy: 'channel' }),
  ],
  [
    'error quantization-strategy',
    tensors({ num_bits: 8, type: 'float', strategy: 'block' }),
    tensors({ num_bits: 8, type: 'float', strategy: 'block', block_structure: [128, 128] }),
  ],
  [
    'error quantization-block-invalid',
    tensors({ num_bits: 8, type: 'float', strategy: 'block', block_structure: [128, 0] }),
    tensors({ num_bits: 8, type: 'float', strategy: 'block', block_structure: '128x128' }),
  ],
  ['error quantization-strategy', tensors({ ...FP8, actorder: 'group' }), tensors({ ...INT4, actorder: 'group' })],
  ['error quantization-strategy', tensors({ ...FP8, dynamic: true }), tensors({ ...FP8, dynamic: false })],
  [
    'error quantization-strategy',
    tensors(FP8, { ...TOKEN, dynamic: 'local' }),
    tensors(
      { num_bits: 4, type: 'float', strategy: 'tensor_group', group_size: 16 },
      {
        num_bits: 4,
        type: 'float',
        strategy: 'tensor_group',
        group_size: 16,
        dynamic: 'local',
      },
    ),
  ],
  [
    'error quantization-strategy',
    tensors(FP8, { num_bits: 8, type: 'float', strategy: 'channel' }),
    tensors(FP8, TOKEN),
  ],
  [
    'error quantization-format',
    tensors(FP8, TOKEN, { format: 'mixed-precision' }),
    tensors(FP8, TOKEN, { format: 'float-quantized' }),
  ],
  ['error unknown-key', tensors({ ...INT4, groupsize: 128 }), tensors({ ...INT4, observer: 'minmax' })],
  [
    'error unknown-scheme',
    { quant_method: 'compressed-tensors', config_groups: { FP8_DYNAMC: ['Linear'] } },
    { quant_method: 'compressed-tensors', config_groups: { FP8_DYNAMIC: ['Linear'] } },
  ],
  ['error quantization-format', tensors({ num_bits: 6, type: 'float', strategy: 'channel' }), tensors(FP8)],
  [
    'warning group-size-mismatch',
    tensors(INT4, { num_bits: 8, type: 'int', strategy: 'group', group_size: 64, dynamic: true }),
    tensors(INT4, { num_bits: 8, type: 'int', strategy: 'group', group_size: 128, dynamic: true }),
  ],
  [
    'error quantization-scheme-refused',
    { quant_method: 'fp8', activation_scheme: 'static', weight_block_size: [128, 128] },
    { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
  ],
  [
    'warning quantization-group-unsupported',
    { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [64, 64] },
    { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
  ],
  [
    'warning quantization-group-unsupported',
    { quant_method: 'gptq', bits: 4, group_size: 48 },
    { quant_method: 'gptq', bits: 4, group_size: 64 },
  ],
];

describe('quantization_config', () => {
  it.each(CONFIGS.map((entry, index) => [`${entry[0]} (${index})`, entry] as const))(
    '%s',
    (_name, [rule, bad, good]) => {
      expect(found(modelJson({ quantization_config: bad }), 'config.json')).toContain(rule);
      expect(found(modelJson({ quantization_config: good }), 'config.json')).not.toContain(rule);
    },
  );
});

describe('hf_quant_config.json', () => {
  const file = (quantization: object): string =>
    JSON.stringify({ producer: { name: 'modelopt', version: '0.39' }, quantization });
  it.each<readonly [string, object, object]>([
    ['warning quantization-scheme-refused', { quant_algo: 'W4A8_AWQ' }, { quant_algo: 'NVFP4', group_size: 16 }],
    [
      'error quantization-scheme-refused',
      { quant_algo: 'FP8', exclude_modules: 'lm_head' },
      { quant_algo: 'FP8', exclude_modules: ['lm_head'] },
    ],
    [
      'error quantization-group-unsupported',
      { quant_algo: 'NVFP4', group_size: 32 },
      { quant_algo: 'NVFP4', group_size: 16 },
    ],
  ])('%s', (rule, bad, good) => {
    expect(found(file(bad), 'hf_quant_config.json')).toContain(rule);
    expect(found(file(good), 'hf_quant_config.json')).not.toContain(rule);
  });
});

describe('files that say the same twice', () => {
  const gptq = (group: number): string =>
    modelJson({ quantization_config: { quant_method: 'gptq', bits: 4, group_size: group, desc_act: false } });
  const own = '{"bits": 4, "group_size": 128, "desc_act": false, "sym": true}';
  it.each([
    ['config.json', gptq(64), gptq(128), { 'quantize_config.json': own }],
    ['quantize_config.json', own, own, { 'config.json': gptq(64) }],
  ] as const)('have to agree, seen from %s', (name, bad, good, files) => {
    expect(found(bad, name, files)).toContain('warning quantization-files-differ');
    const right = name === 'config.json' ? files : { 'config.json': gptq(128) };
    expect(found(good, name, right)).not.toContain('warning quantization-files-differ');
    expect(found(good, name)).not.toContain('warning quantization-files-differ');
  });
});

describe('recipes of llm-compressor', () => {
  const stage = (modifiers: string): string => `quant_stage:\n  quant_modifiers:\n${modifiers}`;
  const modifier = (fields: string, name = 'QuantizationModifier'): string => stage(`    ${name}:\n${fields}`);
  const SCHEME = '      targets: [Linear]\n      ignore: [lm_head]\n      scheme: FP8_BLOCK\n';
  const GROUPS =
    '      config_groups:\n        group_0:\n          targets: [Linear]\n          weights: { num_bits: 4, strategy: group, group_size: 128, actorder: static }\n';
  it.each<readonly [string, string, string]>([
    ['error exclusive-keys', modifier(SCHEME + GROUPS), modifier(SCHEME)],
    ['error unknown-scheme', modifier('      scheme: FP8_BLOC\n'), modifier(SCHEME)],
    [
      'warning target-matches-nothing',
      modifier('      targets: [linear]\n      scheme: FP8_BLOCK\n'),
      modifier('      targets: [Linear, "re:.*down_proj$"]\n      scheme: FP8_BLOCK\n'),
    ],
    [
      'error unknown-key',
      modifier(`${SCHEME}      observer: { weight: minmax }\n`),
      modifier(`${SCHEME}      observer: { weights: minmax }\n`),
    ],
    [
      'error exclusive-keys',
      modifier(`${SCHEME}      observer: { weights: minmax }\n      weight_observer: minmax\n`),
      modifier(`${SCHEME}      weight_observer: minmax\n`),
    ],
    [
      'error activation-order-conflict',
      modifier(`      actorder: group\n${GROUPS}`, 'GPTQModifier'),
      modifier(`      actorder: static\n${GROUPS}`, 'GPTQModifier'),
    ],
    [
      'error modifier-order',
      modifier('      ignore: [lm_head]\n', 'AWQModifier'),
      `${modifier('      ignore: [lm_head]\n', 'AWQModifier')}    QuantizationModifier:\n${SCHEME}`,
    ],
    [
      'information stage-name-ignored',
      `quantize:\n  quant_modifiers:\n    QuantizationModifier:\n${SCHEME}`,
      modifier(SCHEME),
    ],
    ['error unknown-key', modifier(`${SCHEME}      ignor: [lm_head]\n`), modifier(SCHEME)],
  ])('%s', (rule, bad, good) => {
    expect(dialectOf(bad, 'recipe.yaml')).toBe('llm-compressor');
    expect(found(bad, 'recipe.yaml')).toContain(rule);
    expect(found(good, 'recipe.yaml')).not.toContain(rule);
  });

  it('are checked against the model that they are for', () => {
    const wide = { 'config.json': modelJson({ intermediate_size: 11000 }) };
    const recipe = modifier('      targets: [Linear]\n      ignore: [lm_head]\n      scheme: W4A16\n');
    expect(found(recipe, 'recipe.yaml', wide)).toContain('error group-not-dividing');
    expect(found(recipe, 'recipe.yaml', { 'config.json': modelJson() })).not.toContain('error group-not-dividing');
  });
});

describe('recipes of ModelOpt', () => {
  const recipe = (name: string): string =>
    `imports:\n  nvfp4: configs/numerics/nvfp4\nquantize:\n  algorithm: max\n  quant_cfg:\n    - quantizer_name: '*weight_quantizer'\n      cfg: { $import: ${name} }\n`;
  it('name the fragments that they use', () => {
    expect(dialectOf(recipe('nvfp4'), 'recipe.yaml')).toBe('modelopt');
    expect(found(recipe('nvpf4'), 'recipe.yaml')).toContain('warning import-not-named');
    expect(found(recipe('nvfp4'), 'recipe.yaml')).toEqual([]);
  });
});
