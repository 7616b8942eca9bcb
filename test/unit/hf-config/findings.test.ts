import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HF_CONFIG_RULES } from '../../../server/src/dialects/hf-config/findings';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { DEEPSEEK, LLAMA, read } from './read';

function findings(config: object): string[] {
  return read(config).findings.map(({ severity, rule, message }) => `${severity} ${rule}: ${message}`);
}

describe('findings in a model config', () => {
  it('are none where nothing is wrong', () => {
    expect(findings(LLAMA)).toEqual([]);
    expect(findings(DEEPSEEK)).toEqual([]);
  });

  it.each([
    [{ num_hidden_layers: 0 }, 'error size-not-positive', '1 is the nearest'],
    [{ hidden_size: -4096 }, 'error size-not-positive', '`hidden_size: -4096`'],
    [{ vocab_size: 128256.5 }, 'error size-not-positive', '128257 is the nearest'],
    [{ intermediate_size: 1e300 }, 'error size-not-positive', '2147483648 is the nearest'],
    [{ hidden_size: '4096' }, 'error wrong-type', '`hidden_size` is "4096"'],
    [{ hidden_size: [4096] }, 'error wrong-type', 'a list'],
    [{ num_attention_heads: 48 }, 'error head-width-not-whole', '32 heads would be 128 wide each'],
    [{ num_key_value_heads: 12 }, 'error kv-heads-not-dividing-heads', '8 does'],
    [{ torch_dtype: 'bfloat17' }, 'error unknown-dtype', 'bfloat16'],
    [{ layer_types: ['full_attention'] }, 'error layer-pattern-length', '1 entries for 32 layers'],
    [{ quantization_config: { quant_method: 'magic' } }, 'warning unknown-quantization', 'magic'],
    [
      { quantization_config: { quant_method: 'fp8', weight_block_size: [128, 0] } },
      'error quantization-block-invalid',
      '[128, 0]',
    ],
    [
      { quantization_config: { quant_method: 'fp8', weight_block_size: 128 } },
      'error quantization-block-invalid',
      'something else',
    ],
    [
      { quantization_config: { quant_method: 'gptq', bits: 4, group_size: 0 } },
      'error quantization-block-invalid',
      '`group_size: 0`',
    ],
  ])('%j', (change, rule, words) => {
    const [first = '', ...rest] = findings({ ...LLAMA, ...change });
    expect(first).toMatch(new RegExp(`^${rule}: `));
    expect(first).toContain(words);
    expect(rest).toEqual([]);
  });

  it.each([
    [{ first_k_dense_replace: 9 }, 'warning dense-layers-beyond-model', 'none of the 8 layers'],
    [{ num_experts_per_tok: 300 }, 'error experts-per-token-too-many', '256 is the most'],
    [{ n_group: 7 }, 'error expert-groups-not-divisible', '4 does'],
    [{ topk_group: 9 }, 'error expert-groups-not-divisible', '8 is the most'],
    [{ moe_layer_freq: [0, 1] }, 'error layer-pattern-length', '2 entries for 8 layers'],
  ])('%j in a mixture of experts', (change, rule, words) => {
    const [first = '', ...rest] = findings({ ...DEEPSEEK, ...change });
    expect(first).toMatch(new RegExp(`^${rule}: `));
    expect(first).toContain(words);
    expect(rest).toEqual([]);
  });

  it('stand at the value, with the key', () => {
    const [finding] = read({ ...LLAMA, num_key_value_heads: 12 }).findings;
    const text = JSON.stringify({ ...LLAMA, num_key_value_heads: 12 }, undefined, 2);
    const { span, keySpan } = finding?.at ?? { span: { start: 0, end: 0 } };
    expect(text.slice(span.start, span.end)).toBe('12');
    expect(text.slice(keySpan?.start, keySpan?.end)).toBe('"num_key_value_heads"');
  });

  it('say one hint for families that are not described, and nothing is computed from them', () => {
    const reading = read({ ...LLAMA, model_type: 'mamba2', architectures: ['Mamba2ForCausalLM'] });
    expect(reading.findings.map(({ severity, rule }) => [severity, rule])).toEqual([['hint', 'model-not-modelled']]);
    expect(reading.plan.model.heads).toBeUndefined();
    expect(reading.plan.model.layers?.value).toBe(32);
  });

  it('each have a page', () => {
    for (const rule of Object.keys(HF_CONFIG_RULES)) {
      expect(existsSync(resolve(import.meta.dirname, '../../../docs/rules', `${rule}.md`)), rule).toBe(true);
    }
  });

  it('never come with a throw or a number that is none, whatever stands in the file', () => {
    const key = fc.constantFrom(
      ...Object.keys(DEEPSEEK),
      'quantization_config',
      'text_config',
      'layer_types',
      'moe_layer_freq',
      'head_dim',
      'sliding_window',
      'hybrid_override_pattern',
      'mlp_layer_types',
    );
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom(-1, 0, 1e300, 'x', true, [], {}, [[1]], { quant_method: 'fp8', weight_block_size: [] }),
    );
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 6 }), (changes) => {
        const { plan } = read({ ...DEEPSEEK, ...changes });
        const numbers = [...Object.values(plan.model), ...Object.values(plan.quantization)].map(
          (sourced) => sourced?.value,
        );
        return numbers.every((number) => typeof number !== 'number' || Number.isFinite(number));
      }),
      { numRuns: 300 },
    );
  });
});
