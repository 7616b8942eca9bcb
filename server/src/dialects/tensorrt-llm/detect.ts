import type { ConfigTree } from '../../syntax/tree';
import type { Detection } from '../dialect';
import { keysSeen, weigh, when } from '../common/evidence';
import { hasKey, mapOf, rootMap, textOf, childOf } from '../common/nodes';
import { isDisaggregated } from './disaggregated';
import { trtSchema } from './schema-data';
import { isWrapper } from './values';

/** Fields that no other framework's file has at its top. */
const OWN = [
  'kv_cache_config',
  'cuda_graph_config',
  'moe_config',
  'moe_expert_parallel_size',
  'moe_tensor_parallel_size',
  'enable_attention_dp',
  'cache_transceiver_config',
  'disable_overlap_scheduler',
  'print_iter_log',
  'attention_dp_config',
  'use_cuda_graph',
  'cuda_graph_padding_enabled',
  'cuda_graph_batch_sizes',
  'pytorch_backend_config',
  'moe_load_balancer',
  'torch_compile_config',
  'enable_lm_head_tp_in_adp',
  'peft_cache_config',
  'nvfp4_gemm_config',
];
const WRAPPER = ['tp_size', 'pp_size', 'ep_size', 'kv_cache_free_gpu_mem_fraction', 'llm_api_args', 'cp_size'];
const SHARED = [
  'tensor_parallel_size',
  'pipeline_parallel_size',
  'max_num_tokens',
  'max_seq_len',
  'max_batch_size',
  'trust_remote_code',
  'speculative_config',
];
const FOREIGN = [
  'apiVersion',
  'kind',
  'jobs',
  'services',
  'architectures',
  'trainer',
  'defaults',
  'gpu_memory_utilization',
  'max_model_len',
  'mem_fraction_static',
  'num_slots',
];

/** LLM API options of `trtllm-serve`, of this year's or last year's layout, or the wrapper that benchmark recipes put around them. */
export function detectTrt(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml' || FOREIGN.some((key) => hasKey(root, key))) return undefined;
  const keys = new Set(root.entries.map(({ key }) => key));
  const known = [...keys].filter(
    (key) => key in (trtSchema.properties ?? {}) || key in trtSchema['x-removed'] || key in trtSchema['x-wrapper'],
  ).length;
  const share = keys.size === 0 ? 0 : known / keys.size;
  const backend = ['pytorch', 'tensorrt', '_autodeploy'].includes(textOf(childOf(root, 'backend')) ?? '');
  if (isDisaggregated(root))
    return weigh('tensorrt-llm', [
      when(true, 0.7, '`context_servers` and `generation_servers`'),
      when(backend, 0.2, '`backend` names an engine of TensorRT-LLM'),
    ]);
  if (isWrapper(root)) {
    const inner = mapOf(root, 'llm_api_args');
    return weigh('tensorrt-llm', [
      keysSeen(keys, WRAPPER, 0.2, 0.5),
      when(backend, 0.3, '`backend` names an engine of TensorRT-LLM'),
      when(hasKey(root, 'kv_cache_free_gpu_mem_fraction') || inner !== undefined, 0.2, 'options of TensorRT-LLM'),
      when(!backend && inner === undefined && !hasKey(root, 'kv_cache_free_gpu_mem_fraction'), -0.5, 'no engine named'),
    ]);
  }
  if (share < 0.6) return undefined;
  return weigh('tensorrt-llm', [
    keysSeen(keys, OWN, 0.4, 0.8),
    keysSeen(keys, SHARED, 0.05, 0.15),
    when(backend, 0.2, '`backend` names an engine of TensorRT-LLM'),
    when(share === 1, 0.1, 'every key is an option of TensorRT-LLM'),
  ]);
}
