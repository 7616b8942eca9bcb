import { CONFIG, LAUNCHER, PARALLEL_CONFIG } from './sources';
import {
  above,
  checks,
  countOf,
  degreeOf,
  isAbsent,
  isGiven,
  label,
  off,
  on,
  switchOf,
  wordOf,
  setTo,
  type Check,
  type MegatronValues,
} from './values';

const EXPERT = 'expert_model_parallel_size';
const EXPERTS = 'num_experts';
const DISPATCHER = 'moe_token_dispatcher_type';
const BACKEND = 'moe_flex_dispatcher_backend';
const CAPACITY = 'moe_expert_capacity_factor';
const BALANCING = 'moe_router_load_balancing_type';
const OVERLAP = 'overlap_moe_expert_parallel_comm';
const DELAY = 'delay_wgrad_compute';
const SHARED = 'moe_shared_expert_overlap';
const GROUPS = 'moe_router_num_groups';
const CHUNKS = [
  'num_layers_per_virtual_pipeline_stage',
  'num_virtual_stages_per_pipeline_rank',
  'pipeline_model_parallel_layout',
  'virtual_pipeline_model_parallel_size',
  'hybrid_layer_pattern',
];

/** The model has no experts, as far as the file can tell: hybrid patterns name theirs by a letter. */
function dense(values: MegatronValues): boolean {
  return values.sized && isAbsent(values, EXPERTS);
}

const balanced = ['aux_loss', 'seq_aux_loss', 'global_aux_loss', 'none'];

/** The router, and the way of tokens to their experts. */
const routing: readonly Check[] = checks(CONFIG, [
  {
    rule: 'dispatcher-conflict',
    covers: ['MEG-107'],
    keys: ['moe_enable_deepep', DISPATCHER],
    when: (values) => on(values, 'moe_enable_deepep') && !['flex', undefined].includes(wordOf(values, DISPATCHER)),
    says: (values) =>
      `DeepEP is a backend of the flex dispatcher, but ${label(values, DISPATCHER)} is ${wordOf(values, DISPATCHER) ?? ''}.`,
    fixes: setTo('moe_token_dispatcher_type', 'flex'),
  },
  {
    rule: 'dispatcher-conflict',
    covers: ['MEG-108'],
    keys: ['moe_pad_expert_input_to_capacity', DISPATCHER, BACKEND],
    when: (values) =>
      on(values, 'moe_pad_expert_input_to_capacity') &&
      values.text(DISPATCHER) === 'flex' &&
      (on(values, 'moe_enable_deepep') || wordOf(values, BACKEND) === 'deepep'),
    says: 'DeepEP does not pad the inputs of experts to their capacity.',
  },
  {
    rule: 'dispatcher-conflict',
    covers: ['MEG-109'],
    keys: [SHARED, DISPATCHER, 'moe_shared_expert_intermediate_size'],
    when: (values) =>
      on(values, SHARED) &&
      isGiven(values, 'moe_shared_expert_intermediate_size') &&
      !['alltoall', 'flex', undefined].includes(wordOf(values, DISPATCHER)),
    says: (values) =>
      `Shared experts are overlapped with the alltoall or flex dispatcher only, not ${wordOf(values, DISPATCHER) ?? ''}.`,
  },
  {
    rule: 'expert-capacity-conflict',
    covers: ['MEG-110'],
    keys: [CAPACITY, BALANCING],
    when: (values) =>
      isGiven(values, CAPACITY) && (values.words(BALANCING) ?? []).some((word) => !balanced.includes(word)),
    says: (values) =>
      `An expert capacity works with the balancing ${balanced.join(', ')} only, not ${(values.words(BALANCING) ?? []).join(', ')}.`,
  },
  {
    rule: 'setting-without-effect',
    severity: 'information',
    covers: ['MEG-110'],
    keys: [CAPACITY],
    when: (values) => (values.number(CAPACITY) ?? 0) < 0,
    says: 'A negative expert capacity becomes none: no token is dropped.',
  },
  {
    rule: 'expert-capacity-conflict',
    covers: ['MEG-111'],
    keys: ['moe_pad_expert_input_to_capacity', CAPACITY],
    when: (values) =>
      on(values, 'moe_pad_expert_input_to_capacity') &&
      (isAbsent(values, CAPACITY) || (values.number(CAPACITY) ?? 0) < 0),
    says: 'Padding the inputs of experts to their capacity needs `--moe-expert-capacity-factor`.',
  },
  {
    rule: 'router-invalid',
    covers: ['MEG-129'],
    keys: ['moe_router_enable_expert_bias', 'moe_router_score_function'],
    when: (values) =>
      on(values, 'moe_router_enable_expert_bias') &&
      !['sigmoid', 'sqrtsoftplus', undefined].includes(wordOf(values, 'moe_router_score_function')),
    says: (values) =>
      `The expert bias of loss-free balancing needs sigmoid or sqrtsoftplus scores, not ${wordOf(values, 'moe_router_score_function') ?? ''}.`,
  },
  {
    rule: 'router-invalid',
    covers: ['MEG-130'],
    keys: ['moe_router_topk', 'moe_router_score_function', 'moe_router_pre_softmax', BALANCING],
    when: (values) =>
      values.integer('moe_router_topk') === 1 &&
      isGiven(values, EXPERTS) &&
      wordOf(values, 'moe_router_score_function') === 'softmax' &&
      off(values, 'moe_router_pre_softmax') &&
      !(values.words(BALANCING) ?? []).includes('sinkhorn'),
    says: 'A softmax over the one chosen expert is always 1: with top-1 routing `--moe-router-pre-softmax` is needed.',
  },
  {
    rule: 'router-invalid',
    covers: ['MEG-131'],
    keys: ['moe_router_group_topk', GROUPS],
    when: (values) => isGiven(values, 'moe_router_group_topk') && isAbsent(values, GROUPS),
    says: 'Routing limited to groups needs `--moe-router-num-groups`.',
  },
  {
    rule: 'router-invalid',
    covers: ['MEG-132'],
    keys: [GROUPS, EXPERTS, 'moe_router_group_topk'],
    when: (values) => {
      const experts = values.integer(EXPERTS);
      const groups = values.integer(GROUPS);
      if (!isGiven(values, 'moe_router_group_topk') || experts === undefined || groups === undefined) return false;
      return groups > 0 && experts % groups !== 0;
    },
    says: (values) =>
      `${values.integer(EXPERTS) ?? 0} experts do not divide into ${values.integer(GROUPS) ?? 0} routing groups.`,
  },
  {
    rule: 'expert-bias-with-tensor',
    // Releases until 2025 had no such check, and a file does not say its release.
    severity: 'warning',
    covers: ['MEG-128'],
    keys: ['expert_tensor_parallel_size', 'tensor_model_parallel_size', 'add_bias_linear', EXPERTS],
    when: (values) => {
      const inner =
        degreeOf(values, 'expert_tensor_parallel_size') !== 1 && isGiven(values, 'expert_tensor_parallel_size')
          ? degreeOf(values, 'expert_tensor_parallel_size')
          : isAbsent(values, 'expert_tensor_parallel_size')
            ? degreeOf(values, 'tensor_model_parallel_size')
            : undefined;
      return isGiven(values, EXPERTS) && switchOf(values, 'add_bias_linear') === true && (inner ?? 1) > 1;
    },
    says: 'Experts with biases cannot be split by tensor parallelism, and recent releases stop: add `--disable-bias-linear`, or set `--expert-tensor-parallel-size` to 1.',
  },
]);

const missing: readonly Check[] = [
  ...checks(LAUNCHER, [
    {
      rule: 'experts-missing',
      covers: ['MEG-057'],
      keys: [EXPERT, EXPERTS, 'hybrid_layer_pattern'],
      when: (values) => above(values, EXPERT) && dense(values),
      says: (values) =>
        `${label(values, EXPERT)} ${degreeOf(values, EXPERT) ?? 0} splits experts, but \`--num-experts\` gives none.`,
    },
  ]),
  ...checks(CONFIG, [
    {
      rule: 'experts-missing',
      covers: ['MEG-106'],
      keys: ['moe_ffn_hidden_size', EXPERTS, 'moe_layer_freq'],
      // A mix of dense and expert layers is only warned of.
      when: (values) => isGiven(values, 'moe_ffn_hidden_size') && dense(values) && isAbsent(values, 'moe_layer_freq'),
      says: (values) =>
        `${label(values, 'moe_ffn_hidden_size')} is a width of experts, but \`--num-experts\` gives none.`,
    },
  ]),
];

const modules = (values: MegatronValues): readonly string[] => values.words('recompute_modules') ?? [];

/** Expert communication hidden behind another microbatch, and weight gradients put off for it. */
const overlap: readonly Check[] = [
  ...checks(CONFIG, [
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-133'],
      keys: [OVERLAP, EXPERT],
      when: (values) => on(values, OVERLAP) && degreeOf(values, EXPERT) === 1,
      says: 'There is no expert communication to overlap while the expert-parallel size is 1.',
    },
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-134'],
      keys: [OVERLAP, DISPATCHER],
      when: (values) => on(values, OVERLAP) && !['alltoall', 'flex', undefined].includes(wordOf(values, DISPATCHER)),
      says: (values) =>
        `Expert communication is overlapped with the alltoall or flex dispatcher only, not ${wordOf(values, DISPATCHER) ?? ''}.`,
    },
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-135'],
      keys: [OVERLAP, 'pipeline_model_parallel_size', ...CHUNKS],
      when: (values) =>
        on(values, OVERLAP) &&
        above(values, 'pipeline_model_parallel_size') &&
        CHUNKS.every((name) => isAbsent(values, name)),
      says: 'With a pipeline, expert communication is overlapped between chunks: virtual stages are needed.',
    },
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-136'],
      keys: [OVERLAP, 'recompute_granularity', 'recompute_method', 'recompute_num_layers', 'recompute_modules'],
      when: (values) =>
        on(values, OVERLAP) &&
        (values.text('recompute_granularity') === 'full' ||
          isGiven(values, 'recompute_method') ||
          isGiven(values, 'recompute_num_layers') ||
          modules(values).includes('moe')),
      says: 'Overlapped expert communication leaves no room to recompute whole layers or the module moe.',
    },
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-137'],
      keys: [OVERLAP, SHARED],
      when: (values) => on(values, OVERLAP) && on(values, SHARED),
      says: 'Shared experts and a second microbatch cannot both hide the same communication: drop `--moe-shared-expert-overlap`.',
    },
    {
      rule: 'expert-overlap-conflict',
      covers: ['MEG-138'],
      keys: [OVERLAP, 'mtp_num_layers'],
      when: (values) => on(values, OVERLAP) && (values.integer('mtp_num_layers') ?? 0) > 1,
      says: 'Overlapped expert communication works with at most one multi-token-prediction layer.',
    },
    {
      rule: 'weight-gradient-delay',
      covers: ['MEG-139'],
      keys: [DELAY, OVERLAP],
      when: (values) => on(values, DELAY) && off(values, OVERLAP),
      says: '`--delay-wgrad-compute` fills the time of `--overlap-moe-expert-parallel-comm`, which is not on.',
    },
  ]),
  ...checks(LAUNCHER, [
    {
      rule: 'weight-gradient-delay',
      covers: ['MEG-064'],
      keys: [DELAY, 'transformer_impl'],
      when: (values) =>
        on(values, DELAY) && !['transformer_engine', undefined].includes(wordOf(values, 'transformer_impl')),
      says: 'Only modules of Transformer Engine can put off their weight gradients.',
    },
  ]),
];

/** What the expert degrees become where the file leaves one out. */
const defaults: readonly Check[] = checks(PARALLEL_CONFIG, [
  {
    rule: 'expert-tensor-defaults',
    severity: 'information',
    covers: ['MEG-004'],
    keys: ['expert_model_parallel_size', 'tensor_model_parallel_size', 'expert_tensor_parallel_size', EXPERTS],
    when: (values) =>
      above(values, EXPERT) &&
      above(values, 'tensor_model_parallel_size') &&
      isAbsent(values, 'expert_tensor_parallel_size') &&
      !dense(values),
    says: (values) => {
      const tensor = degreeOf(values, 'tensor_model_parallel_size') ?? 1;
      const experts = degreeOf(values, EXPERT) ?? 1;
      const pipeline = degreeOf(values, 'pipeline_model_parallel_size') ?? 1;
      return `Left out, \`--expert-tensor-parallel-size\` becomes TP ${tensor}: experts span ETP ${tensor} × EP ${experts} × PP ${pipeline} = ${tensor * experts * pipeline} GPUs, and each expert is cut into ${tensor}.`;
    },
  },
]);

const shown = (values: MegatronValues): string => String(countOf(values, CAPACITY) ?? 'none');

/** CUDA graphs beside experts that take as many tokens as come. */
const graphs: readonly Check[] = checks(CONFIG, [
  {
    rule: 'cuda-graph-conflict',
    covers: ['MEG-141'],
    keys: ['cuda_graph_modules', CAPACITY, 'moe_pad_expert_input_to_capacity', 'cuda_graph_impl'],
    when: (values) =>
      isGiven(values, 'cuda_graph_impl') &&
      !['none', 'full_iteration'].includes(values.text('cuda_graph_impl') ?? '') &&
      (values.words('cuda_graph_modules') ?? []).includes('moe') &&
      (isAbsent(values, CAPACITY) || off(values, 'moe_pad_expert_input_to_capacity')),
    says: (values) =>
      `Experts whose input changes size cannot be captured: the graph module moe needs padding to a capacity (here ${shown(values)}).`,
  },
]);

export const expertChecks: readonly Check[] = [...missing, ...routing, ...overlap, ...defaults, ...graphs];
