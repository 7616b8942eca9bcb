import { analyze } from '../../../server/src/features/analyze';
import type { Analysis } from '../../../server/src/features/analysis';

/** A small config.json: a dense model of 32 heads unless `fields` say otherwise. */
export function modelJson(fields: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 4096,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    intermediate_size: 14336,
    vocab_size: 128256,
    max_position_embeddings: 131072,
    ...fields,
  });
}

/** A small config.json with experts. */
export function expertsJson(fields: Readonly<Record<string, unknown>> = {}): string {
  return modelJson({
    architectures: ['Qwen3MoeForCausalLM'],
    model_type: 'qwen3_moe',
    num_key_value_heads: 4,
    num_experts: 128,
    num_experts_per_tok: 8,
    moe_intermediate_size: 768,
    ...fields,
  });
}

/** `quantization_config` of a block-quantized FP8 checkpoint. */
export const FP8_BLOCKS = {
  quantization_config: { quant_method: 'fp8', activation_scheme: 'dynamic', weight_block_size: [128, 128] },
} as const;

/** `quantization_config` of a 4-bit checkpoint. */
export function int4(method: 'gptq' | 'awq', group: number): Readonly<Record<string, unknown>> {
  return method === 'gptq'
    ? { quantization_config: { quant_method: 'gptq', bits: 4, group_size: group, desc_act: false, sym: true } }
    : {
        quantization_config: { quant_method: 'awq', bits: 4, group_size: group, zero_point: true, version: 'gemm' },
      };
}

/** What the editor would say about a file that starts a server, with the files beside it by relative path. */
export function analyzeServing(
  text: string,
  files: Readonly<Record<string, string>> = {},
  name = 'serve.yaml',
): Analysis {
  return analyze({
    uri: `file:///job/${name}`,
    version: 1,
    text,
    settings: { rules: {} },
    files: (uri) => files[uri.replace('file:///job/', '')] ?? null,
  });
}

/** `severity rule` of each finding, without those on memory. */
export function servingRules(text: string, files?: Readonly<Record<string, string>>, name?: string): string[] {
  return analyzeServing(text, files, name)
    .findings.filter(({ rule }) => rule !== 'out-of-memory')
    .map(({ severity, rule }) => `${severity} ${rule}`);
}
