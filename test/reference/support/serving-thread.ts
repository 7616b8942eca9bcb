import { expertsJson, modelJson } from '../../unit/dialects/served';

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
export function serve(options: string, gpu?: string): Pick<ServingThread, 'file' | 'text'> {
  const comment = gpu === undefined ? '' : `# shardlens: gpu=${gpu}\n`;
  return { file: 'serve.sh', text: `#!/bin/bash\n${comment}vllm serve ./m ${options}\n` };
}

export function sglang(options: string, gpu?: string): Pick<ServingThread, 'file' | 'text'> {
  const comment = gpu === undefined ? '' : `# shardlens: gpu=${gpu}\n`;
  return {
    file: 'launch.sh',
    text: `#!/bin/bash\n${comment}python -m sglang.launch_server --model-path ./m ${options}\n`,
  };
}

export const dense = (fields: Readonly<Record<string, unknown>>): Record<string, string> => ({
  [M]: modelJson(fields),
});
export const experts = (fields: Readonly<Record<string, unknown>>): Record<string, string> => ({
  [M]: expertsJson(fields),
});

export const DEEPSEEK = {
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
export const QWEN_72B = {
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
export const QWEN_235B = {
  hidden_size: 4096,
  num_hidden_layers: 94,
  num_attention_heads: 64,
  moe_intermediate_size: 1536,
  intermediate_size: 12288,
  max_position_embeddings: 40960,
};
export const QWEN_35 = {
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
