/** Training GFLOPs a token that the models' makers or Megatron-Bridge's published TFLOP/s and tokens/s state. */
export const FLOPS_ANCHORS = [
  { model: 'deepseek-ai/DeepSeek-V2', sequence: 4096, mtp: false, stated: 155 },
  { model: 'deepseek-ai/DeepSeek-V3', sequence: 4096, mtp: false, stated: 250 },
  { model: 'deepseek-ai/DeepSeek-V3', sequence: 4096, mtp: true, stated: 260 },
  { model: 'meta-llama/Llama-3.1-405B', sequence: 8192, mtp: false, stated: 2521.5 },
  { model: 'Qwen/Qwen3-235B-A22B', sequence: 4096, mtp: false, stated: 148.1 },
  { model: 'Qwen/Qwen3-30B-A3B', sequence: 4096, mtp: false, stated: 23.1 },
] as const;

/** Dense BF16 peak of an H800, FLOP/s. */
export const H800_BF16 = 989.5e12;

/** DeepSeek-V3's tokens a second on one GPU: 14.8 T tokens in 2.664 M GPU-hours (arXiv 2412.19437, table 1). */
export const DEEPSEEK_RATE = 14.8e12 / (2.664e6 * 3600);
