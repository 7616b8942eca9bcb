import { expertsJson, FP8_BLOCKS, int4, modelJson } from '../../unit/dialects/served';

/** A launch that failed in public, rebuilt as small as it fails, and the finding that would have saved it. */
export interface ServingThread {
  /** `owner/repository#number`; pull requests and issues share numbers. */
  readonly thread: string;
  readonly kind?: 'pull';
  /** What went wrong, in a few words. */
  readonly symptom: string;
  readonly file: string;
  readonly text: string;
  /** Files beside it, by relative path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Severity and rule of the finding; absent where no file decides it, with the reason. */
  readonly finding?: string;
  /** The part of the text that the finding marks. */
  readonly marks?: string;
  readonly because?: string;
}

const M = 'm/config.json';

/** A shell script that starts one server for the model beside it. */
function serve(options: string, gpu?: string): Pick<ServingThread, 'file' | 'text'> {
  const comment = gpu === undefined ? '' : `# shardlens: gpu=${gpu}\n`;
  return { file: 'serve.sh', text: `#!/bin/bash\n${comment}vllm serve ./m ${options}\n` };
}

function sglang(options: string, gpu?: string): Pick<ServingThread, 'file' | 'text'> {
  const comment = gpu === undefined ? '' : `# shardlens: gpu=${gpu}\n`;
  return {
    file: 'launch.sh',
    text: `#!/bin/bash\n${comment}python -m sglang.launch_server --model-path ./m ${options}\n`,
  };
}

const dense = (fields: Readonly<Record<string, unknown>>): Record<string, string> => ({ [M]: modelJson(fields) });
const experts = (fields: Readonly<Record<string, unknown>>): Record<string, string> => ({ [M]: expertsJson(fields) });

const DEEPSEEK = {
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  hidden_size: 7168,
  num_hidden_layers: 61,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  intermediate_size: 18432,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  moe_intermediate_size: 2048,
  first_k_dense_replace: 3,
  vocab_size: 129280,
  max_position_embeddings: 163840,
};
const QWEN_72B = {
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  hidden_size: 8192,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  num_key_value_heads: 8,
  intermediate_size: 29568,
  vocab_size: 152064,
  max_position_embeddings: 32768,
};
const QWEN_235B = {
  hidden_size: 4096,
  num_hidden_layers: 94,
  num_attention_heads: 64,
  moe_intermediate_size: 1536,
  intermediate_size: 12288,
  max_position_embeddings: 40960,
};
const QWEN_35 = {
  architectures: ['Qwen3NextForCausalLM'],
  model_type: 'qwen3_next',
  hidden_size: 4096,
  num_hidden_layers: 60,
  head_dim: 256,
  num_key_value_heads: 2,
  full_attention_interval: 4,
  linear_num_key_heads: 16,
  linear_num_value_heads: 64,
  linear_key_head_dim: 128,
  linear_value_head_dim: 128,
  linear_conv_kernel_dim: 4,
  num_experts: 512,
  num_experts_per_tok: 10,
  moe_intermediate_size: 1024,
  shared_expert_intermediate_size: 1024,
};

const BLOCKS: readonly ServingThread[] = [
  {
    thread: 'sgl-project/sglang#26107',
    symptom: 'FP8 with TP 4: an output partition is no multiple of 128',
    ...sglang('--tp-size 4'),
    files: experts({
      num_attention_heads: 64,
      num_key_value_heads: 8,
      moe_intermediate_size: 1280,
      shared_expert_intermediate_size: 1280,
      ...FP8_BLOCKS,
    }),
    finding: 'error fp8-block-misaligned',
    marks: '4',
  },
  {
    thread: 'vllm-project/llm-compressor#1817',
    symptom: 'a checkpoint quantized with FP8_BLOCK does not load',
    file: 'recipe.yaml',
    text: '# shardlens: model=deepseek-ai/DeepSeek-V2-Lite\nquant_stage:\n  quant_modifiers:\n    QuantizationModifier:\n      targets: [Linear]\n      ignore: [lm_head, "re:.*mlp.gate$"]\n      scheme: FP8_BLOCK\n',
    finding: 'warning fp8-block-misaligned',
    marks: 'FP8_BLOCK',
  },
  {
    thread: 'vllm-project/vllm#54178',
    symptom: 'experts of width 320 with FP8 blocks',
    ...serve('--tensor-parallel-size 2'),
    files: experts({ moe_intermediate_size: 320, ...FP8_BLOCKS }),
    finding: 'error fp8-block-misaligned',
    marks: '2',
  },
  {
    thread: 'sgl-project/sglang#19045',
    symptom: 'TP 8: the gates of linear attention are 8 rows a rank and were quantized all the same',
    ...sglang('--tp-size 8'),
    files: dense({ ...QWEN_35, ...FP8_BLOCKS }),
    finding: 'error fp8-block-misaligned',
    marks: '8',
  },
  {
    thread: 'vllm-project/vllm#44763',
    symptom: 'online block FP8 with TP 4: 768 / 4 = 192',
    ...serve('--quantization fp8_per_block --tensor-parallel-size 4'),
    files: experts({}),
    finding: 'error fp8-block-misaligned',
    marks: '4',
  },
  {
    thread: 'vllm-project/vllm#17569',
    symptom: 'Qwen3-235B FP8 with TP 8: 1536 / 8 = 192',
    ...serve('--tensor-parallel-size 8'),
    files: experts({ ...QWEN_235B, ...FP8_BLOCKS }),
    finding: 'error fp8-block-misaligned',
    marks: '8',
  },
  {
    thread: 'sgl-project/sglang#3345',
    symptom: 'DeepSeek-V3 over 32 GPUs: 2048 / 32 = 64',
    ...sglang('--tp-size 32 --nnodes 4 --node-rank 0 --dist-init-addr 10.0.0.1:5000'),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'error fp8-block-misaligned',
    marks: '32',
  },
  {
    thread: 'vast-ai/base-image#283',
    symptom: 'a template starts TP 4 for experts of width 640',
    ...sglang('--tp 4'),
    files: experts({ moe_intermediate_size: 640, ...FP8_BLOCKS }),
    finding: 'error fp8-block-misaligned',
    marks: '4',
  },
];

const GROUPS: readonly ServingThread[] = [
  {
    thread: 'vllm-project/vllm#9913',
    symptom: 'AWQ on one GPU: a width of 10944 is no multiple of 128',
    ...serve('--quantization awq_marlin'),
    files: dense({ intermediate_size: 10944, ...int4('awq', 64) }),
    finding: 'warning kernel-not-tiling',
    marks: './m',
  },
  {
    thread: 'vllm-project/vllm#1258',
    symptom: 'WizardCoder-7B AWQ with TP 4: 11008 / 4 cuts a group',
    ...serve('--quantization awq --tensor-parallel-size 4'),
    files: dense({ num_key_value_heads: 32, intermediate_size: 11008, ...int4('awq', 128) }),
    finding: 'error group-not-dividing',
    marks: '4',
  },
  {
    thread: 'vllm-project/vllm#13640',
    symptom: 'Qwen2.5-VL-72B AWQ with TP 2: 29568 / 2 cuts a group',
    ...serve('--tensor-parallel-size 2'),
    files: dense({ ...QWEN_72B, ...int4('awq', 128) }),
    finding: 'error group-not-dividing',
    marks: '2',
  },
  {
    thread: 'sgl-project/sglang#3571',
    symptom: 'the same model with TP 2 on SGLang',
    ...sglang('--tp-size 2'),
    files: dense({ ...QWEN_72B, ...int4('awq', 128) }),
    finding: 'error group-not-dividing',
    marks: '2',
  },
  {
    thread: 'vllm-project/llm-compressor#57',
    symptom: 'Qwen2-72B W8A16 with TP 4: 7392 is no multiple of 128',
    ...serve('--tensor-parallel-size 4 --max-model-len 8192 --max-num-seqs 4 --max-num-batched-tokens 32768'),
    files: dense({
      ...QWEN_72B,
      quantization_config: { quant_method: 'gptq', bits: 8, group_size: -1, desc_act: false, sym: true },
    }),
    finding: 'warning kernel-not-tiling',
    marks: '4',
  },
  {
    thread: 'vllm-project/vllm#17604',
    symptom: 'Qwen3-235B GPTQ with TP 8 starts, and stops at the first request',
    ...serve('--tensor-parallel-size 8'),
    files: experts({ ...QWEN_235B, ...int4('gptq', 128) }),
    finding: 'warning group-not-dividing',
    marks: '8',
  },
  {
    thread: 'nlzy/vllm-gfx906#22',
    symptom: 'a 4-bit MoE runs with TP 2 and not with TP 4 or 8',
    ...serve('--tensor-parallel-size 4'),
    files: experts({ ...int4('gptq', 128) }),
    finding: 'warning group-not-dividing',
    marks: '4',
  },
  {
    thread: 'intel/auto-round#643',
    symptom: 'groups of 128 cannot be served with TP 2, groups of 32 can',
    ...serve('--tensor-parallel-size 2'),
    files: dense({
      hidden_size: 896,
      num_attention_heads: 14,
      num_key_value_heads: 2,
      head_dim: 64,
      intermediate_size: 4864,
      ...int4('gptq', 128),
    }),
    finding: 'error group-not-dividing',
    marks: '2',
  },
];

const HEADS: readonly ServingThread[] = [
  {
    thread: 'vllm-project/vllm#2652',
    symptom: '52 heads over 8 GPUs',
    ...serve('--tensor-parallel-size 8'),
    files: dense({ hidden_size: 6656, num_attention_heads: 52, num_key_value_heads: 52, intermediate_size: 17920 }),
    finding: 'error heads-not-divisible',
    marks: '8',
  },
  {
    thread: 'vllm-project/vllm#414',
    symptom: '52 heads over 3 GPUs',
    ...serve('--tensor-parallel-size 3'),
    files: dense({ hidden_size: 6656, num_attention_heads: 52, num_key_value_heads: 52, intermediate_size: 17920 }),
    finding: 'error heads-not-divisible',
    marks: '3',
  },
  {
    thread: 'vllm-project/vllm#596',
    symptom: 'Llama-2-13B, 40 heads, over 3 GPUs',
    ...serve('--tensor-parallel-size 3'),
    files: dense({ hidden_size: 5120, num_attention_heads: 40, num_key_value_heads: 40, intermediate_size: 13824 }),
    finding: 'error heads-not-divisible',
    marks: '3',
  },
  {
    thread: 'vllm-project/vllm#4232',
    symptom: 'Qwen1.5-32B, 40 heads, over 6 GPUs',
    ...serve('--tensor-parallel-size 6'),
    files: dense({ hidden_size: 5120, num_attention_heads: 40, num_key_value_heads: 8, intermediate_size: 27392 }),
    finding: 'error heads-not-divisible',
    marks: '6',
  },
  {
    thread: 'vllm-project/vllm#11797',
    symptom: 'Qwen2-7B, 28 heads, over 8 GPUs',
    ...serve('--tensor-parallel-size 8'),
    files: dense({ hidden_size: 3584, num_attention_heads: 28, num_key_value_heads: 4, intermediate_size: 18944 }),
    finding: 'error heads-not-divisible',
    marks: '8',
  },
  {
    thread: 'gpustack/gpustack#2259',
    symptom: 'a scheduler picks 3 GPUs for gemma-3-27b',
    ...serve('--max-model-len 8192 --tensor-parallel-size 3'),
    files: dense({ hidden_size: 5376, num_attention_heads: 32, num_key_value_heads: 16, intermediate_size: 21504 }),
    finding: 'error heads-not-divisible',
    marks: '3',
  },
  {
    thread: 'THU-KEG/AdaptThink#1',
    symptom: 'a README asks for TP 8 with 28 heads',
    ...serve('--tensor-parallel-size 8'),
    files: dense({ hidden_size: 3584, num_attention_heads: 28, num_key_value_heads: 4, intermediate_size: 18944 }),
    finding: 'error heads-not-divisible',
    marks: '8',
  },
  {
    thread: 'MIV-XJTU/FSDrive#21',
    symptom: '12 heads over 8 GPUs',
    ...serve('--tensor-parallel-size 8'),
    files: dense({ hidden_size: 1536, num_attention_heads: 12, num_key_value_heads: 2, intermediate_size: 8960 }),
    finding: 'error heads-not-divisible',
    marks: '8',
  },
  {
    thread: 'vllm-project/vllm#52435',
    symptom: '64 heads and 256 experts over 3 GPUs',
    ...serve('--tensor-parallel-size 3 --enable-expert-parallel --enable-eplb'),
    files: experts({ num_attention_heads: 64, num_experts: 256, moe_intermediate_size: 2048 }),
    finding: 'error heads-not-divisible',
    marks: '3',
  },
];

const SGLANG: readonly ServingThread[] = [
  {
    thread: 'deepseek-ai/DeepEP#165',
    symptom: 'low-latency dispatch asserts on the first long prompt',
    ...sglang(
      '--tp-size 8 --dp-size 8 --enable-dp-attention --moe-a2a-backend deepep --deepep-mode low_latency --chunked-prefill-size 8192',
    ),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'warning dispatch-tokens-exceeded',
    marks: '8192',
  },
  {
    thread: 'sgl-project/sglang#6017',
    symptom: 'prefill servers started in low-latency mode',
    ...sglang(
      '--disaggregation-mode prefill --tp-size 16 --dp-size 16 --nnodes 2 --node-rank 0 --dist-init-addr 10.0.0.1:5000 --enable-dp-attention --moe-a2a-backend deepep --deepep-mode low_latency --chunked-prefill-size 32768',
    ),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'warning dispatch-tokens-exceeded',
    marks: '32768',
  },
  {
    thread: 'sgl-project/sglang#4599',
    kind: 'pull',
    symptom: 'the prefill size is divided by the data ranks without the user knowing',
    ...sglang('--tp-size 8 --dp-size 8 --enable-dp-attention --chunked-prefill-size 8192'),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'information prefill-chunk-divided',
    marks: '8192',
  },
  {
    thread: 'sgl-project/sglang#18550',
    symptom: 'fp8_e5m2 with FlashAttention 3 silently becomes Triton',
    ...sglang('--kv-cache-dtype fp8_e5m2 --attention-backend fa3'),
    files: dense({}),
    finding: 'information attention-backend-replaced',
    marks: 'fa3',
  },
];

const CACHES: readonly ServingThread[] = [
  {
    thread: 'vllm-project/vllm#42587',
    symptom: 'a cache format that no backend of the model takes, accepted by the parser',
    ...serve('--kv-cache-dtype fp8_ds_mla'),
    files: dense({}),
    finding: 'error kv-format-unsupported',
    marks: 'fp8_ds_mla',
  },
  {
    thread: 'vllm-project/vllm#12543',
    symptom: 'an FP8 cache for DeepSeek-R1 with a backend that is not for latent attention',
    ...serve('--tensor-parallel-size 8 --kv-cache-dtype fp8 --attention-backend FLASH_ATTN', 'H200'),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'error attention-backend-unsupported',
    marks: 'FLASH_ATTN',
  },
  {
    thread: 'vllm-project/vllm#14221',
    kind: 'pull',
    symptom: 'an FP8 cache was ignored without a word',
    ...serve('--kv-cache-dtype fp8'),
    files: dense({}),
    because: 'One release ignored the option; the same words are right for every later one.',
  },
  {
    thread: 'vllm-project/vllm#40094',
    symptom: 'TurboQuant formats with the Triton backend',
    ...serve('--kv-cache-dtype turboquant_k8v4 --attention-backend TRITON_ATTN', 'H100'),
    files: dense({}),
    finding: 'error kv-format-unsupported',
    marks: 'turboquant_k8v4',
  },
  {
    thread: 'vllm-project/recipes#565',
    symptom: 'fp8_e4m3 for sparse latent attention on Hopper, where only fp8 is known',
    ...serve('--tensor-parallel-size 8 --kv-cache-dtype fp8_e4m3', 'H200'),
    files: dense({
      ...DEEPSEEK,
      model_type: 'deepseek_v32',
      architectures: ['DeepseekV32ForCausalLM'],
      index_n_heads: 64,
      index_head_dim: 128,
      index_topk: 2048,
      ...FP8_BLOCKS,
    }),
    finding: 'error kv-format-unsupported',
    marks: 'fp8_e4m3',
  },
];

const LIMITS: readonly ServingThread[] = [
  {
    thread: 'unslothai/unsloth-zoo#1211',
    symptom: 'no chunked prefill, and a batch below the longest prompt',
    ...serve('--no-enable-chunked-prefill --max-num-batched-tokens 2048 --max-model-len 8192'),
    files: dense({}),
    finding: 'error batch-limits-conflict',
    marks: '2048',
  },
  {
    thread: 'vllm-project/vllm#28981',
    symptom: 'the same where the platform switches chunked prefill off',
    ...serve('--no-enable-chunked-prefill --max-num-batched-tokens 2048 --max-model-len 40960'),
    files: dense({ max_position_embeddings: 40960 }),
    finding: 'error batch-limits-conflict',
    marks: '2048',
  },
  {
    thread: 'verl-project/verl#7632',
    kind: 'pull',
    symptom: 'the same with the length that the model brings',
    ...serve('--no-enable-chunked-prefill --max-num-batched-tokens 8192'),
    files: dense({ max_position_embeddings: 128000 }),
    finding: 'error batch-limits-conflict',
    marks: '8192',
  },
  {
    thread: 'vllm-project/vllm#3676',
    symptom: 'a length of 131072 for a model of 8192 positions',
    ...serve('--max-model-len 131072'),
    files: dense({ max_position_embeddings: 8192 }),
    finding: 'error context-beyond-model',
    marks: '131072',
  },
  {
    thread: 'vllm-project/vllm#7303',
    symptom: 'a length of 16384 for Phi-3-mini-4k',
    ...serve('--max-model-len 16384'),
    files: dense({
      hidden_size: 3072,
      num_key_value_heads: 32,
      head_dim: 96,
      intermediate_size: 8192,
      vocab_size: 32064,
      max_position_embeddings: 4096,
    }),
    finding: 'error context-beyond-model',
    marks: '16384',
  },
  {
    thread: 'vllm-project/vllm#27347',
    symptom: 'an option that the installed release did not have yet',
    ...serve('--data-parallel-size 8 --enable-expert-parallel --all2all-backend deepep_low_latency'),
    files: experts({}),
    because: 'The option is right; the installed release was older, and no file says which one it is.',
  },
];

const MEMORY: readonly ServingThread[] = [
  {
    thread: 'vllm-project/vllm#23278',
    symptom: 'gpt-oss-120b on one H100 leaves no cache',
    file: 'serve.sh',
    text: '#!/bin/bash\n# shardlens: gpu=H100\nvllm serve openai/gpt-oss-120b --gpu-memory-utilization 0.9\n',
    finding: 'warning context-above-cache',
  },
  {
    thread: 'vllm-project/vllm#10517',
    symptom: 'Llama-3.1-70B in 16 bits on two H100: 131072 tokens do not fit',
    file: 'serve.sh',
    text: '#!/bin/bash\n# shardlens: gpu=H100\nvllm serve meta-llama/Llama-3.1-70B --dtype float16 --tensor-parallel-size 2 --gpu-memory-utilization 0.95\n',
    finding: 'warning context-above-cache',
  },
  {
    thread: 'QwenLM/Qwen3#295',
    symptom: 'Qwen1.5-7B: 32768 tokens in room for 7344',
    ...serve('--port 8000'),
    files: dense({
      model_type: 'qwen2',
      num_key_value_heads: 32,
      intermediate_size: 11008,
      vocab_size: 151936,
      max_position_embeddings: 32768,
    }),
    because: 'The thread does not say which GPU it was.',
  },
  {
    thread: 'vllm-project/vllm#13061',
    symptom: 'a 14B model on two RTX 4090: 131072 tokens in room for 81536',
    ...serve('--tensor-parallel-size 2', 'RTX-4090'),
    files: dense({
      hidden_size: 5120,
      num_hidden_layers: 48,
      num_attention_heads: 40,
      intermediate_size: 13824,
      vocab_size: 152064,
    }),
    finding: 'warning context-above-cache',
  },
];

const FORMATS: readonly ServingThread[] = [
  {
    thread: 'vllm-project/vllm#19050',
    symptom: 'a GGUF file beside a config that says fp8',
    ...serve('--quantization gguf'),
    files: dense({ ...DEEPSEEK, ...FP8_BLOCKS }),
    finding: 'error quantization-mismatch',
    marks: 'gguf',
  },
  {
    thread: 'intel/auto-round#2242',
    symptom: 'auto-round asked for, gptq in the checkpoint',
    ...serve('--quantization auto-round'),
    files: dense(int4('gptq', 128) as Record<string, unknown>),
    finding: 'error quantization-mismatch',
    marks: 'auto-round',
  },
  {
    thread: 'vllm-project/vllm#3331',
    symptom: 'gptq asked for, marlin in the checkpoint',
    ...serve('--quantization gptq'),
    files: dense({ quantization_config: { quant_method: 'marlin', group_size: 128 } }),
    finding: 'error quantization-mismatch',
    marks: 'gptq',
  },
  {
    thread: 'NVIDIA/TensorRT-LLM#7492',
    kind: 'pull',
    symptom: 'nobody could say at which level an option belongs',
    file: 'extra_llm_api_options.yaml',
    text: 'print_iter_log: true\nkv_cache_config:\n  free_gpu_memory_fraction: 0.8\n  max_batch_size: 1\n',
    finding: 'warning unknown-key',
    marks: 'max_batch_size',
  },
  {
    thread: 'SemiAnalysisAI/InferenceX#1683',
    kind: 'pull',
    symptom: 'the decode workers were given the size of the prefill ones',
    file: 'disagg.yaml',
    text: 'prefill: { tp: 4 }\ndecode: { tp: 4 }\n',
    because: 'Both sizes are legal; only the author knows which was meant.',
  },
];

export const SERVING_THREADS: readonly ServingThread[] = [
  ...BLOCKS,
  ...GROUPS,
  ...HEADS,
  ...SGLANG,
  ...CACHES,
  ...LIMITS,
  ...MEMORY,
  ...FORMATS,
];
