import { readHfConfig } from '../../../server/src/dialects/hf-config/read';
import { specOf } from '../../../server/src/dialects/hf-config/model';
import type { Companion, DialectReading } from '../../../server/src/dialects/dialect';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import { parseConfig } from '../../../server/src/syntax/parse';

/** Reads an object as if it stood in a config.json. */
export function read(config: object, beside: Readonly<Record<string, object>> = {}): DialectReading {
  const companion = (path: string): Companion | undefined => {
    const found = beside[path];
    return found === undefined
      ? undefined
      : { uri: `file:///${path}`, tree: parseConfig(JSON.stringify(found), 'json') };
  };
  return readHfConfig(parseConfig(JSON.stringify(config, undefined, 2), 'json'), companion);
}

export function specIn(config: object): ModelSpec {
  const { spec, missing } = specOf(read(config).plan.model);
  if (spec === undefined) throw new Error(`missing: ${missing.join(', ')}`);
  return spec;
}

/** A small Llama. */
export const LLAMA = {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  num_key_value_heads: 8,
  vocab_size: 128256,
  torch_dtype: 'bfloat16',
} as const;

/** The shape of DeepSeek-V3 with fewer layers. */
export const DEEPSEEK = {
  architectures: ['DeepseekV3ForCausalLM'],
  model_type: 'deepseek_v3',
  hidden_size: 7168,
  intermediate_size: 18432,
  moe_intermediate_size: 2048,
  num_hidden_layers: 8,
  num_attention_heads: 128,
  num_key_value_heads: 128,
  q_lora_rank: 1536,
  kv_lora_rank: 512,
  qk_nope_head_dim: 128,
  qk_rope_head_dim: 64,
  v_head_dim: 128,
  n_routed_experts: 256,
  n_shared_experts: 1,
  num_experts_per_tok: 8,
  n_group: 8,
  topk_group: 4,
  topk_method: 'noaux_tc',
  first_k_dense_replace: 3,
  num_nextn_predict_layers: 1,
  vocab_size: 129280,
} as const;
