import { FP8_BLOCKS, int4 } from '../../unit/dialects/served';
import { dense, experts, DEEPSEEK, serve, sglang, type ServingThread } from './serving-thread';

import { SHAPE_THREADS } from './serving-threads-shapes';
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
    files: dense(int4('gptq', 128)),
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
  ...SHAPE_THREADS,
  ...SGLANG,
  ...CACHES,
  ...LIMITS,
  ...MEMORY,
  ...FORMATS,
];
