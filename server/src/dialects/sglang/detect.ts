import type { Detection } from '../dialect';
import type { ConfigTree } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { isScalar, rootMap } from '../common/nodes';
import { flagOf } from './keys';

/** Flags that no other server has. */
const OWN = [
  'mem-fraction-static',
  'enable-dp-attention',
  'chunked-prefill-size',
  'moe-a2a-backend',
  'enable-dp-lm-head',
  'deepep-mode',
  'ep-num-redundant-experts',
  'init-expert-location',
  'ep-dispatch-algorithm',
  'moe-dense-tp-size',
  'disable-radix-cache',
  'cuda-graph-max-bs',
  'cuda-graph-max-bs-decode',
  'schedule-conservativeness',
  'moe-runner-backend',
  'speculative-eagle-topk',
  'speculative-num-draft-tokens',
  'speculative-draft-model-path',
  'enable-eplb',
  'eplb-algorithm',
  'max-running-requests',
  'dist-init-addr',
  'enable-hierarchical-cache',
  'disaggregation-transfer-backend',
  'enable-two-batch-overlap',
  'decode-attention-backend',
  'prefill-attention-backend',
  'attn-cp-size',
  'moe-dp-size',
  'enable-ep-moe',
  'enable-deepep-moe',
];
/** Flags that other servers and other programs share. */
const SHARED = [
  'model-path',
  'context-length',
  'attention-backend',
  'kv-cache-dtype',
  'trust-remote-code',
  'tp-size',
  'dp-size',
  'ep-size',
  'pp-size',
  'served-model-name',
  'quantization',
  'nnodes',
  'node-rank',
  'page-size',
  'max-total-tokens',
  'max-prefill-tokens',
  'schedule-policy',
  'disable-cuda-graph',
  'enable-torch-compile',
  'disaggregation-mode',
  'speculative-algorithm',
  'speculative-num-steps',
  'enable-nccl-nvls',
];
/** Flags of SGLang's diffusion server, which shares the spelling but not the arguments. */
export const DIFFUSION = [
  'num-gpus',
  'text-encoder-cpu-offload',
  'vae-cpu-offload',
  'dit-cpu-offload',
  'dit-layerwise-offload',
  'image-encoder-cpu-offload',
  'ulysses-degree',
  'ring-degree',
  'sp-degree',
  'enable-cfg-parallel',
  'vae-tiling',
];
/** Flags of vLLM and of other tools that also take flat kebab-case YAML. */
const FOREIGN = [
  'tensor-parallel-size',
  'gpu-memory-utilization',
  'max-model-len',
  'max-num-seqs',
  'max-num-batched-tokens',
  'compilation-config',
  'eplb-config',
  'enforce-eager',
  'enable-expert-parallel',
  'speculative-config',
  'kv-transfer-config',
  'tensor_parallel_size',
  'gpu_memory_utilization',
  'max_model_len',
  'kv_cache_config',
  'cuda_graph_config',
  'apiVersion',
  'kind',
  'jobs',
  'services',
  'MODEL_ARGS',
  'base_model',
  'architectures',
  'model_type',
];

/**
 * A flat mapping of SGLang arguments. Keys in snake_case count too: SGLang refuses them, and saying so is the point of reading such a file.
 * A mapping with nested sections is some other tool's file that holds arguments.
 */
export function detectSglang(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'yaml' || root.entries.length > 600) return undefined;
  const spelled = new Set(root.entries.map(({ key }) => key));
  if (FOREIGN.some((key) => spelled.has(key) && key !== 'tensor-parallel-size')) return undefined;
  const flat = root.entries.filter(({ value }) => value.kind !== 'map').length;
  if (flat < root.entries.length * 0.8 || root.entries.length === 0) return undefined;
  const keys = new Set(root.entries.flatMap(({ key }) => [key.replaceAll('_', '-'), flagOf(key) ?? key]));
  // An abbreviation such as `tp` is SGLang's way of writing only with a plain number behind it.
  const short = root.entries.some(({ key, value }) => ['tp', 'dp', 'ep', 'pp'].includes(key) && isScalar(value));
  const own = keysSeen(keys, OWN, 0.4, 0.8);
  const diffusion =
    DIFFUSION.filter((key) => keys.has(key)).length < 2 ? undefined : keysSeen(keys, DIFFUSION, 0.25, 0.75);
  const known = root.entries.filter(({ key }) => flagOf(key) !== undefined).length;
  // No other tool spells a degree `tp-size`, and none but SGLang has `model-path` beside `tp`.
  const sized =
    ['tp-size', 'dp-size', 'ep-size', 'pp-size'].some((key) => spelled.has(key)) ||
    (short && spelled.has('model-path'));
  const named = spelled.has('model-path') || spelled.has('model');
  return weigh('sglang', [
    own,
    diffusion,
    own === undefined && diffusion === undefined
      ? undefined
      : when(short, 0.15, 'a parallel size written as `tp`, `dp`, `ep` or `pp`'),
    own === undefined && diffusion === undefined
      ? keysSeen(keys, SHARED, 0.08, 0.4)
      : keysSeen(keys, SHARED, 0.08, 0.3),
    when(own !== undefined && known === root.entries.length, 0.1, 'every key is an argument of the SGLang server'),
    when(
      own === undefined && sized && named && known === root.entries.length,
      0.5,
      'a model with parallel sizes, and every key is an argument of the SGLang server',
    ),
    when(known < root.entries.length / 2 && diffusion === undefined, -0.4, 'most keys are no arguments'),
  ]);
}
