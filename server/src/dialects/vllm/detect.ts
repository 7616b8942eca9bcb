import { parseArguments } from '../../syntax/arguments';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import type { Detection } from '../dialect';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, isList, isScalar, mapOf, rootMap } from '../common/nodes';
import { closest } from '../common/spelling';
import { matchVllmKey, vllmArity, vllmOptions } from './keys';

/** Options that make a flat file vLLM's: no other server has them, or none spells them so. */
const OWN = [
  'tensor-parallel-size',
  'pipeline-parallel-size',
  'data-parallel-size',
  'decode-context-parallel-size',
  'enable-expert-parallel',
  'gpu-memory-utilization',
  'max-model-len',
  'max-num-seqs',
  'max-num-batched-tokens',
  'enforce-eager',
  'compilation-config',
  'speculative-config',
  'kv-transfer-config',
  'eplb-config',
  'enable-eplb',
  'enable-prefix-caching',
  'async-scheduling',
  'max-cudagraph-capture-size',
  'cudagraph-capture-sizes',
  'all2all-backend',
  'limit-mm-per-prompt',
  'hf-overrides',
  'tool-call-parser',
  'structured-outputs-config',
  'enable-auto-tool-choice',
  'swap-space',
  'max-seq-len-to-capture',
  'disable-log-requests',
];
/** Keys of other tools that share words with vLLM. */
const FOREIGN = [
  'model-path',
  'mem-fraction-static',
  'tp-size',
  'kv_cache_config',
  'cuda_graph_config',
  'moe_expert_parallel_size',
  'enable_attention_dp',
  'max_num_tokens',
  'max_batch_size',
  'backend',
  'apiVersion',
  'kind',
  'jobs',
  'services',
  'base_model',
  'architectures',
  'model_type',
  'defaults',
  'trainer',
  'rollout',
];

function flagIsOwn(key: string): boolean {
  const match = matchVllmKey(key);
  return 'flag' in match && OWN.includes(match.flag);
}

function flat(root: MapNode): Detection | undefined {
  if (FOREIGN.some((key) => hasKey(root, key)) || root.entries.length > 300) return undefined;
  const flags = root.entries.map(({ key }) => {
    const match = matchVllmKey(key);
    return match.kind === 'removed' || 'flag' in match ? match.flag : undefined;
  });
  const known = new Set(flags.filter((flag) => flag !== undefined));
  // An abbreviation may be any word.
  const whole = new Set(
    root.entries.map(({ key }) => (key.split('.')[0] ?? key).replaceAll('_', '-').replace(/^no-/, '')),
  );
  const own = OWN.filter((flag) => known.has(flag) && whole.has(flag));
  const near = root.entries.filter(
    ({ key }, index) => flags[index] === undefined && closest(key.replaceAll('_', '-'), vllmOptions) !== undefined,
  );
  // A slip in a key of a file that is vLLM's otherwise speaks for vLLM, not against it.
  const seen = flags.filter((flag) => flag !== undefined).length + (own.length > 1 ? near.length : 0);
  const share = root.entries.length === 0 ? 0 : seen / flags.length;
  // A deployment file of something else may carry a few of these words; a vLLM file holds nothing else.
  if (share < (root.entries.length < 4 ? 1 : 0.7) || own.length === 0) return undefined;
  const mapped = root.entries.some(({ key, value }) => {
    const match = matchVllmKey(key);
    return value.kind === 'map' && match.kind === 'known' && match.schema.type !== 'object' && match.rest.length === 0;
  });
  if (mapped) return undefined;
  return weigh('vllm', [
    keysSeen(known, OWN, 0.3, 0.6),
    keysSeen(
      known,
      [...known].filter((flag) => !OWN.includes(flag)),
      0.05,
      0.15,
    ),
    when(share === 1, 0.25, 'every key is an argument of vLLM'),
    when(
      root.entries.some(({ key }) => key.includes('-')),
      0.1,
      'keys with hyphens',
    ),
  ]);
}

/** True for `server_args` that hold vLLM's options and no others. */
function holdsOptions(tree: ConfigTree, root: MapNode): boolean {
  const node = childOf(root, 'server_args');
  if (!isScalar(node) && !isList(node)) return false;
  const options = parseArguments(node, tree.text, vllmArity).entries;
  const known = options.filter(({ key }) => !['unknown', 'ambiguous'].includes(matchVllmKey(key).kind));
  return known.length > 0 && known.length >= options.length * 0.7;
}

function evaluation(tree: ConfigTree, root: MapNode): Detection | undefined {
  if (!hasKey(root, 'model_name') || !hasKey(root, 'server_args') || !holdsOptions(tree, root)) return undefined;
  return weigh('vllm', [
    when(true, 0.6, '`model_name` with vLLM options in `server_args`'),
    keysSeen(
      new Set(root.entries.map(({ key }) => key)),
      ['accuracy_threshold', 'num_questions', 'num_fewshot'],
      0.1,
      0.3,
    ),
  ]);
}

function recipe(root: MapNode): Detection | undefined {
  const model = mapOf(root, 'model');
  if (mapOf(root, 'meta') === undefined || !hasKey(model, 'model_id')) return undefined;
  const vllm = hasKey(model, 'min_vllm_version') || hasKey(model, 'base_args');
  return weigh('vllm', [
    when(vllm, 0.6, '`model.model_id` with the vLLM version or arguments it needs'),
    keysSeen(
      new Set(root.entries.map(({ key }) => key)),
      ['features', 'variants', 'compatible_strategies', 'strategy_overrides', 'hardware_overrides', 'opt_in_features'],
      0.1,
      0.3,
    ),
  ]);
}

/** A `--config` file of `vllm serve`, an evaluation of vLLM's own tests, or a recipe of the vLLM recipes site. */
export function detectVllm(tree: ConfigTree, _fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language === 'toml') return undefined;
  // Engine arguments of a Triton or Ray deployment are JSON; few keys of them are too little to go by.
  const few = tree.language === 'json' && root.entries.filter(({ key }) => flagIsOwn(key)).length < 2;
  return evaluation(tree, root) ?? recipe(root) ?? (few ? undefined : flat(root));
}
