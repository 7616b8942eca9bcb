/** Names of Megatron-LM for what GPT-NeoX and DeepSpeed call otherwise. */
export const NEOX_NAMES: Readonly<Record<string, string>> = {
  pipe_parallel_size: 'pipeline_model_parallel_size',
  model_parallel_size: 'tensor_model_parallel_size',
  train_micro_batch_size_per_gpu: 'micro_batch_size',
  train_batch_size: 'global_batch_size',
  num_kv_heads: 'num_query_groups',
  intermediate_size: 'ffn_hidden_size',
  moe_num_experts: 'num_experts',
  no_weight_tying: 'untie_embeddings_and_output_weights',
  expert_parallel_size: 'expert_model_parallel_size',
};
