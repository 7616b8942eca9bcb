import { describe, expect, it } from 'vitest';
import { analyzeServing, expertsJson, FP8_BLOCKS, int4, modelJson, servingRules } from './served';

/** [rule with severity, arguments that bring it, arguments that do not, config.json of the model, words of the message] */
type Case = readonly [
  rule: string,
  fires: string,
  silent: string,
  model: string,
  says?: RegExp,
  gpu?: string,
  silentModel?: string,
];

const MLA = modelJson({
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  num_key_value_heads: 32,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
});
const SPARSE = JSON.stringify({
  ...(JSON.parse(MLA) as object),
  model_type: 'deepseek_v32',
  architectures: ['DeepseekV32ForCausalLM'],
  index_n_heads: 64,
  index_head_dim: 128,
  index_topk: 2048,
});
const MTP = JSON.stringify({ ...(JSON.parse(MLA) as object), num_nextn_predict_layers: 2 });

const text = (body: string, gpu = 'H200'): string =>
  `# shardlens: gpu=${gpu}\nmodel: ./m\nmax-num-seqs: 8\ngpu-memory-utilization: 0.9\n${body}`;

const CASES: readonly Case[] = [
  ['error heads-not-divisible', 'tensor-parallel-size: 6\n', 'tensor-parallel-size: 8\n', modelJson(), /4 or 8/],
  [
    'error kv-heads-not-divisible',
    'tensor-parallel-size: 12\n',
    'tensor-parallel-size: 16\n',
    modelJson({ num_attention_heads: 48 }),
  ],
  ['error no-experts-to-spread', 'enable-expert-parallel: true\n', 'tensor-parallel-size: 2\n', modelJson()],
  [
    'error context-parallel-conflict',
    'tensor-parallel-size: 16\ndecode-context-parallel-size: 4\n',
    'tensor-parallel-size: 16\ndecode-context-parallel-size: 2\n',
    modelJson(),
  ],
  [
    'warning world-larger-than-node',
    'tensor-parallel-size: 16\n',
    'tensor-parallel-size: 16\nnnodes: 2\n',
    modelJson(),
  ],
  [
    'warning dense-model-data-rank',
    'data-parallel-size: 2\ndata-parallel-rank: 1\n',
    'data-parallel-size: 2\n',
    modelJson(),
  ],
  [
    'information experts-cut-by-data-ranks',
    'data-parallel-size: 4\n',
    'data-parallel-size: 4\nenable-expert-parallel: true\n',
    expertsJson(),
    /768 \/ 4 = 192/,
  ],
  [
    'error experts-not-divisible',
    'tensor-parallel-size: 8\nenable-expert-parallel: true\nenable-eplb: true\neplb-config: \'{"num_redundant_experts": 4}\'\n',
    'tensor-parallel-size: 8\nenable-expert-parallel: true\nenable-eplb: true\neplb-config: \'{"num_redundant_experts": 8}\'\n',
    expertsJson(),
    /0 or 8/,
  ],
  [
    'error intermediate-not-divisible',
    'tensor-parallel-size: 4\ndata-parallel-size: 5\n',
    'tensor-parallel-size: 4\ndata-parallel-size: 5\nenable-expert-parallel: true\n',
    expertsJson(),
  ],
  ['error context-beyond-model', 'max-model-len: 256K\n', 'max-model-len: 128K\n', modelJson()],
  [
    'error context-beyond-model',
    'max-model-len: 256K\n',
    'max-model-len: 256K\nhf-overrides: \'{"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}\'\n',
    modelJson(),
  ],
  [
    'error speculation-invalid',
    'speculative-config: \'{"method": "mtp", "num_speculative_tokens": 3}\'\n',
    'speculative-config: \'{"method": "mtp", "num_speculative_tokens": 4}\'\n',
    MTP,
    /2 or 4/,
  ],
  ['error quantization-mismatch', 'quantization: gguf\n', 'quantization: fp8\n', modelJson(FP8_BLOCKS)],
  [
    'error quantization-mismatch',
    'quantization: auto-round\n',
    'quantization: gptq_marlin\n',
    modelJson(int4('gptq', 128)),
  ],
  ['error gpu-lacks-format', 'quantization: modelopt\n', 'quantization: fp8\n', modelJson(), /8\.9; A100/, 'A100-80GB'],
  [
    'error fp8-block-misaligned',
    'tensor-parallel-size: 4\n',
    'tensor-parallel-size: 4\nenable-expert-parallel: true\n',
    expertsJson(FP8_BLOCKS),
    /768 \/ 4 = 192/,
  ],
  [
    'error group-not-dividing',
    'tensor-parallel-size: 2\n',
    'tensor-parallel-size: 1\n',
    modelJson({ intermediate_size: 29568, ...int4('awq', 128) }),
    /14784/,
  ],
  [
    'warning kernel-not-tiling',
    'seed: 1\n',
    'seed: 1\n',
    modelJson({ intermediate_size: 10944, ...int4('awq', 64) }),
    /10944/,
    'H200',
    modelJson(int4('awq', 64)),
  ],
  ['error kv-format-unsupported', 'kv-cache-dtype: fp8_ds_mla\n', 'kv-cache-dtype: fp8\n', modelJson()],
  ['error kv-format-unsupported', 'kv-cache-dtype: nvfp4\n', 'kv-cache-dtype: fp8\n', MLA, /latent/],
  ['error kv-format-unsupported', 'kv-cache-dtype: fp8_e4m3\n', 'kv-cache-dtype: fp8\n', SPARSE, /H200/],
  [
    'error kv-format-unsupported',
    'kv-cache-dtype: fp8_e5m2\nattention-backend: FLASH_ATTN\n',
    'kv-cache-dtype: fp8_e5m2\nattention-backend: FLASHINFER\n',
    modelJson(),
  ],
  [
    'error attention-backend-unsupported',
    'attention-backend: FLASH_ATTN\n',
    'attention-backend: FLASHMLA\n',
    MLA,
    /MLA/,
  ],
  [
    'error attention-backend-unsupported',
    'attention-backend: CUTLASS_MLA\n',
    'attention-backend: TRITON_MLA\n',
    MLA,
    /H200/,
  ],
  [
    'error block-size-unsupported',
    'attention-backend: FLASHMLA\nblock-size: 16\n',
    'attention-backend: FLASHMLA\nblock-size: 64\n',
    MLA,
  ],
];

describe('with the model and the GPU', () => {
  it.each(CASES.map((entry, index) => [`${entry[0]} (${index})`, entry] as const))('%s', (_name, entry) => {
    const [rule, fires, silent, model, says, gpu, silentModel] = entry;
    const { findings } = analyzeServing(text(fires, gpu), { 'm/config.json': model });
    const told = findings.filter((finding) => `${finding.severity} ${finding.rule}` === rule);
    expect(told.map(({ message }) => message)).not.toEqual([]);
    if (says !== undefined) expect(told.map(({ message }) => message).join('\n')).toMatch(says);
    expect(servingRules(text(silent, gpu), { 'm/config.json': silentModel ?? model })).toEqual(
      expect.not.arrayContaining([rule]),
    );
  });

  it('says nothing while the model is not known, or a value is an interpolation', () => {
    expect(servingRules(text('tensor-parallel-size: 6\n'))).toEqual(
      expect.not.arrayContaining(['error heads-not-divisible']),
    );
    expect(servingRules(text('tensor-parallel-size: ${TP}\n'), { 'm/config.json': modelJson() })).toEqual([]);
  });

  it('counts the positions that the model itself scales, and knows nothing of a namesake', () => {
    const scaled = modelJson({
      max_position_embeddings: 32768,
      rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 32768 },
    });
    const long = (length: number): string => text(`max-model-len: ${length}\ntensor-parallel-size: 8\n`);
    expect(servingRules(long(131072), { 'm/config.json': scaled })).not.toContain('error context-beyond-model');
    expect(servingRules(long(131073), { 'm/config.json': scaled })).toContain('error context-beyond-model');
    const old = `rope-scaling: '{"rope_type": "yarn", "factor": 4.0}'\n`;
    expect(
      servingRules(long(131073) + old, { 'm/config.json': modelJson({ max_position_embeddings: 32768 }) }),
    ).toEqual(['warning removed-key']);
    const named = (model: string): string => `model: ${model}\nmax-model-len: 262144\nmax-num-seqs: 8\n`;
    expect(servingRules(named('Qwen/Qwen3-32B-Instruct-2507'))).not.toContain('error context-beyond-model');
    expect(servingRules(named('Qwen/Qwen3-32B'))).toContain('error context-beyond-model');
  });

  it('takes the environment of an evaluation into account', () => {
    const body = (value: string): string =>
      `model_name: ./m\nserver_args: "--max-num-seqs 8 --kv-transfer-config '{\\"kv_connector\\": \\"NixlConnector\\", \\"kv_role\\": \\"kv_both\\"}'"\nenv: { PYTORCH_CUDA_ALLOC_CONF: "${value}" }\n`;
    const files = { 'm/config.json': modelJson() };
    expect(servingRules(body('expandable_segments:True'), files)).toContain('error cache-transfer-allocator');
    expect(servingRules(body('max_split_size_mb:128'), files)).toEqual([]);
  });
});
