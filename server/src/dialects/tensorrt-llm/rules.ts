import { wordFix } from '../common/findings';
import { checkConditions, coverageOf, type Condition, type Coverage } from '../common/conditions';
import type { Finding } from '../../plan/finding';
import { trtDegrees } from './layout';
import { trtModelCoverage } from './rules-model';
import { KV_DTYPES } from './serving';
import { trtSource } from './source';
import { layoutIsHere, type TrtValues } from './values';

type Rule = Condition<TrtValues>;

const MAPPING = trtSource('mapping.py', 'Mapping.__init__');
const CACHE = trtSource('llmapi/llm_args.py', 'KvCacheConfig');
const ARGS = trtSource('llmapi/llm_args.py', 'TorchLlmArgs');
const BALANCER = trtSource('_torch/modules/fused_moe/moe_load_balancer.py', 'MoeLoadBalancerConfig');

const TP = 'tensor_parallel_size';
const EP = 'moe_expert_parallel_size';
const MOE_TP = 'moe_tensor_parallel_size';
const CLUSTER = 'moe_cluster_parallel_size';
const CP = 'context_parallel_size';
const BALANCE = 'moe_config.load_balancer';

const LAYOUT: readonly Rule[] = [
  {
    rule: 'expert-groups-not-filling',
    severity: 'error',
    covers: ['TR-PAR02'],
    keys: [EP, MOE_TP, CLUSTER, TP],
    source: MAPPING,
    says: (values) => {
      const { tensor, experts, expertTensor, clusters, context } = trtDegrees(values);
      if (
        !layoutIsHere(values) ||
        tensor === undefined ||
        experts === undefined ||
        expertTensor === undefined ||
        clusters === undefined
      )
        return undefined;
      const product = experts * expertTensor * clusters;
      // Ranks of context parallelism may serve as expert ranks too.
      if (product === tensor || product === tensor * (context ?? 1)) return undefined;
      return `${MOE_TP} ${expertTensor} × ${EP} ${experts}${clusters === 1 ? '' : ` × ${CLUSTER} ${clusters}`} = ${product}, and experts live in the ${tensor} ranks of ${TP}: the product has to be ${tensor}; leave one of them out and it is filled in.`;
    },
  },
  {
    rule: 'context-parallel-conflict',
    severity: 'error',
    covers: ['TR-PAR03'],
    keys: [CP, EP],
    source: MAPPING,
    says: (values) =>
      (values.integer(CP) ?? 1) > 1 && (values.integer(EP) ?? 1) > 1 && values.text('cp_config.cp_type') !== 'HELIX'
        ? `${CP} ${values.integer(CP) ?? ''} cannot go with ${EP} ${values.integer(EP) ?? ''}.`
        : undefined,
  },
  {
    rule: 'stage-layers-mismatch',
    severity: 'error',
    covers: ['TR-PAR05'],
    keys: ['pp_partition', 'pipeline_parallel_size'],
    source: trtSource('mapping.py', 'Mapping.pp_layers'),
    says: (values) => {
      const parts = values.words('pp_partition');
      const stages =
        values.entry('pipeline_parallel_size') === undefined ? 1 : values.integer('pipeline_parallel_size');
      return layoutIsHere(values) && parts !== undefined && stages !== undefined && parts.length !== stages
        ? `pp_partition has ${parts.length} entries for ${stages} pipeline stages.`
        : undefined;
    },
  },
  {
    rule: 'cache-setting-conflict',
    severity: 'error',
    covers: ['TR-PAR06'],
    keys: ['cp_config.tokens_per_block', 'kv_cache_config.tokens_per_block'],
    source: trtSource('llmapi/llm_args.py', 'CpConfig'),
    says: (values) => {
      const own = values.integer('cp_config.tokens_per_block');
      const cache = values.integer('kv_cache_config.tokens_per_block') ?? 32;
      return values.text('cp_config.cp_type') === 'HELIX' && own !== undefined && own !== cache
        ? `HELIX shares cache blocks, so \`cp_config.tokens_per_block: ${own}\` has to be the cache's ${cache}.`
        : undefined;
    },
  },
];

const BALANCING: readonly Rule[] = [
  {
    rule: 'slots-not-divisible',
    severity: 'error',
    covers: ['TR-EPLB01'],
    keys: [`${BALANCE}.num_slots`, EP, MOE_TP, TP],
    source: BALANCER,
    says: (values) => {
      const slots = values.integer(`${BALANCE}.num_slots`);
      const { experts } = trtDegrees(values);
      return slots !== undefined && experts !== undefined && experts > 1 && slots % experts !== 0
        ? `num_slots ${slots} does not divide over ${experts} expert ranks; the nearest legal values are ${Math.floor(slots / experts) * experts} or ${Math.ceil(slots / experts) * experts}.`
        : undefined;
    },
  },
  {
    rule: 'placement-wrong-slots',
    severity: 'error',
    covers: ['TR-EPLB02'],
    keys: [`${BALANCE}.initial_global_assignments`, `${BALANCE}.num_slots`],
    source: BALANCER,
    says: (values) => {
      const slots = values.integer(`${BALANCE}.num_slots`);
      const rows = values.node(`${BALANCE}.initial_global_assignments`);
      if (slots === undefined || rows?.kind !== 'map') return undefined;
      const wrong = rows.entries.find(({ value }) => value.kind === 'list' && value.items.length !== slots);
      return wrong?.value.kind === 'list'
        ? `Layer ${wrong.key} assigns ${wrong.value.items.length} slots, and num_slots is ${slots}.`
        : undefined;
    },
  },
  {
    rule: 'load-balancer-ignored',
    severity: 'information',
    covers: ['TR-EPLB05'],
    keys: [BALANCE, 'enable_attention_dp', EP, MOE_TP, TP],
    source: trtSource('_torch/modules/fused_moe/moe_load_balancer.py', 'maybe_create_moe_load_balancer'),
    says: (values) => {
      if (values.entry(BALANCE) === undefined || !layoutIsHere(values)) return undefined;
      const { experts, attentionData } = trtDegrees(values);
      if (experts !== undefined && experts <= 1)
        return `load_balancer has no effect: ${EP} is 1, so there is nothing to balance.`;
      return attentionData === false
        ? 'load_balancer has no effect without enable_attention_dp: experts stay where they are.'
        : undefined;
    },
  },
];

const CACHES: readonly Rule[] = [
  {
    rule: 'cache-window-invalid',
    severity: 'error',
    covers: ['TR-KV02'],
    keys: ['kv_cache_config.max_attention_window'],
    source: CACHE,
    says: (values) => {
      const bad = values.words('kv_cache_config.max_attention_window')?.find((word) => !(Number(word) > 0));
      return bad === undefined || Number.isNaN(Number(bad))
        ? undefined
        : `max_attention_window holds ${bad}; every window has to be positive.`;
    },
  },
  {
    rule: 'cache-window-invalid',
    severity: 'error',
    covers: ['TR-KV02'],
    keys: ['kv_cache_config.pool_ratio'],
    source: CACHE,
    says: (values) => {
      const shares = values.words('kv_cache_config.pool_ratio')?.map(Number) ?? [];
      const sum = shares.reduce((total, share) => total + share, 0);
      return shares.length > 0 && Number.isFinite(sum) && Math.abs(sum - 1) > 1e-6
        ? `pool_ratio adds up to ${Number(sum.toPrecision(6))}; the shares of the pools have to add up to 1.`
        : undefined;
    },
  },
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['TR-KV03'],
    keys: ['kv_cache_config.dtype'],
    source: trtSource('llmapi/llm_args.py', 'KvCacheConfig.validate_dtype'),
    says: (values) => {
      const word = values.text('kv_cache_config.dtype');
      return word === undefined || word === 'auto' || Object.hasOwn(KV_DTYPES, word.replace(/^torch\./, ''))
        ? undefined
        : `\`dtype: ${word}\` is no format of the KV cache: auto, fp8, nvfp4 or a torch type such as bfloat16.`;
    },
  },
  {
    rule: 'graph-sizes-conflict',
    severity: 'error',
    covers: ['TR-GR01'],
    keys: ['cuda_graph_config.max_batch_size', 'cuda_graph_config.batch_sizes'],
    source: trtSource('llmapi/llm_args.py', 'CudaGraphConfig'),
    says: (values) => {
      const most = values.integer('cuda_graph_config.max_batch_size');
      const sizes = values.words('cuda_graph_config.batch_sizes')?.map(Number) ?? [];
      const largest = sizes.length === 0 ? undefined : Math.max(...sizes);
      return most !== undefined && most > 0 && largest !== undefined && Number.isFinite(largest) && largest !== most
        ? `The largest captured batch is said twice: max_batch_size ${most}, and ${largest} in batch_sizes; leave one of them out.`
        : undefined;
    },
  },
  {
    rule: 'batch-limits-conflict',
    severity: 'warning',
    covers: ['TR-GR02'],
    keys: ['max_batch_size', 'max_num_tokens'],
    source: ARGS,
    says: (values) => {
      const [batch, tokens] = [values.integer('max_batch_size') ?? 2048, values.integer('max_num_tokens') ?? 8192];
      return values.entry('max_batch_size') !== undefined && batch > tokens
        ? `max_batch_size ${batch} is more than max_num_tokens ${tokens}: every request needs a token in a step, so no batch gets that large.`
        : undefined;
    },
  },
];

const FEATURES: readonly Rule[] = [
  {
    rule: 'speculation-replaced',
    severity: 'information',
    covers: ['TR-SPEC01'],
    keys: ['speculative_config.decoding_type'],
    source: trtSource('llmapi/llm_args.py', 'EagleDecodingConfig'),
    fixes: (values) => wordFix(values.entry('speculative_config.decoding_type'), 'Eagle3'),
    says: (values) =>
      values.text('speculative_config.decoding_type') === 'Eagle'
        ? '`decoding_type: Eagle` runs as Eagle3 on the PyTorch backend; write Eagle3.'
        : undefined,
  },
  {
    rule: 'lora-conflict',
    severity: 'error',
    covers: ['TR-LORA01'],
    keys: ['lora_config', 'enable_lora', 'enable_attention_dp', 'cuda_graph_config'],
    source: ARGS,
    says: (values) => {
      const lora = values.entry('lora_config') !== undefined || values.flag('enable_lora') === true;
      return lora && values.flag('enable_attention_dp') === true && values.node('cuda_graph_config')?.kind === 'map'
        ? 'LoRA adapters cannot go with CUDA graphs and enable_attention_dp together; leave one of the three out.'
        : undefined;
    },
  },
];

const CONDITIONS: readonly Rule[] = [...LAYOUT, ...BALANCING, ...CACHES, ...FEATURES];

/** What TensorRT-LLM refuses, changes or passes over, as far as its options alone decide it. */
export function checkTrt(values: TrtValues): Finding[] {
  return checkConditions(CONDITIONS, values);
}

/** Gathered start-up rules that TensorRT-LLM's own rules, and those it shares, stand for. */
export const tensorrtLlmCoverage: readonly Coverage[] = [
  ...coverageOf([...CONDITIONS, ...trtModelCoverage]),
  { rule: 'unknown-key', covers: ['TR-CFG01'] },
  { rule: 'wrong-value', covers: ['TR-CFG02', 'TR-CT01'] },
  { rule: 'option-over-file', covers: ['TR-CFG03'] },
  { rule: 'fraction-out-of-range', covers: ['TR-KV01'] },
  { rule: 'placement-layer-missing', covers: ['TR-EPLB03'] },
  { rule: 'placement-expert-missing', covers: ['TR-EPLB06'] },
];
