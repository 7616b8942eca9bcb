import { CONFIG, LAUNCHER, YAML_LAUNCHER } from './sources';
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
  wordOf,
  setTo,
  type Check,
  type MegatronValues,
} from './values';

const GRANULARITY = 'recompute_granularity';
const METHOD = 'recompute_method';
const MODULES = 'recompute_modules';
const SAVED = 'distribute_saved_activations';
const OFFLOADED = 'cpu_offloading_num_layers';
const GRAPHS = 'cuda_graph_impl';

const KNOWN_MODULES = [
  'core_attn',
  'moe_act',
  'layernorm',
  'mla_up_proj',
  'mlp',
  'moe',
  'shared_experts',
  'gdn_norm_out',
  'gdp_in_proj',
  'gdp_qkv',
  'mhc',
];

const modules = (values: MegatronValues): readonly string[] => values.words(MODULES) ?? [];
const selective = (values: MegatronValues): boolean =>
  values.text(GRANULARITY) === 'selective' || values.flag('recompute_activations') === true;
const fullRecompute = (values: MegatronValues): boolean =>
  values.text(GRANULARITY) === 'full' && values.flag('recompute_activations') !== true;
const recomputes = (values: MegatronValues, module: string): boolean =>
  selective(values) && modules(values).includes(module);

const recompute: readonly Check[] = [
  ...checks(CONFIG, [
    {
      rule: 'recompute-invalid',
      covers: ['MEG-115'],
      keys: [GRANULARITY],
      when: (values) =>
        !['full', 'selective', 'none', undefined].includes(values.text(GRANULARITY)) &&
        values.flag(GRANULARITY) === undefined,
      says: (values) => `Recompute granularity \`${values.text(GRANULARITY) ?? ''}\` is neither full nor selective.`,
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-116'],
      keys: [GRANULARITY, METHOD],
      when: (values) => fullRecompute(values) && isAbsent(values, METHOD),
      says: 'Full recompute needs `--recompute-method`: uniform or block.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-117'],
      keys: [GRANULARITY, 'recompute_num_layers'],
      when: (values) => fullRecompute(values) && isAbsent(values, 'recompute_num_layers'),
      says: 'Full recompute needs `--recompute-num-layers`; 1 keeps the input of every layer.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-119'],
      keys: [SAVED, 'sequence_parallel', 'tensor_model_parallel_size'],
      when: (values) =>
        on(values, SAVED) && on(values, 'sequence_parallel') && above(values, 'tensor_model_parallel_size'),
      says: 'Sequence parallelism already shares out what is saved: drop `--distribute-saved-activations`.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-120'],
      keys: [MODULES, GRANULARITY],
      when: (values) => selective(values) && modules(values).some((name) => !KNOWN_MODULES.includes(name)),
      says: (values) =>
        `\`${modules(values).find((name) => !KNOWN_MODULES.includes(name)) ?? ''}\` is no module that can be recomputed; there are ${KNOWN_MODULES.join(', ')}.`,
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-121'],
      keys: [MODULES, 'moe_grouped_gemm'],
      when: (values) => recomputes(values, 'moe_act') && off(values, 'moe_grouped_gemm'),
      says: 'The activation of experts (moe_act) is recomputed only with `--moe-grouped-gemm`.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-122'],
      keys: [MODULES, 'multi_latent_attention'],
      when: (values) =>
        recomputes(values, 'mla_up_proj') &&
        values.sized &&
        off(values, 'multi_latent_attention') &&
        isAbsent(values, 'hybrid_layer_pattern'),
      says: 'The up-projection mla_up_proj exists only with `--multi-latent-attention`.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-123'],
      keys: [MODULES, 'moe_shared_expert_overlap', 'moe_shared_expert_intermediate_size'],
      when: (values) =>
        recomputes(values, 'shared_experts') &&
        on(values, 'moe_shared_expert_overlap') &&
        isGiven(values, 'moe_shared_expert_intermediate_size'),
      says: 'Shared experts that run beside the exchange cannot be recomputed: drop shared_experts or `--moe-shared-expert-overlap`.',
    },
    {
      rule: 'recompute-invalid',
      covers: ['MEG-124'],
      keys: [MODULES, 'fp8_recipe', 'fp8'],
      when: (values) =>
        isGiven(values, 'fp8') &&
        wordOf(values, 'fp8_recipe') === 'delayed' &&
        (recomputes(values, 'moe_act') || recomputes(values, 'layernorm')),
      says: 'Delayed FP8 scaling cannot recompute moe_act or layernorm.',
    },
  ]),
  ...checks(LAUNCHER, [
    {
      rule: 'recompute-invalid',
      covers: ['MEG-051'],
      keys: [SAVED, 'tensor_model_parallel_size', GRANULARITY, METHOD],
      when: (values) =>
        on(values, SAVED) &&
        (degreeOf(values, 'tensor_model_parallel_size') === 1 ||
          isAbsent(values, GRANULARITY) ||
          selective(values) ||
          isAbsent(values, METHOD)),
      says: '`--distribute-saved-activations` needs tensor parallelism above 1 and full recompute with a method.',
    },
  ]),
];

const offloading: readonly Check[] = checks(CONFIG, [
  {
    rule: 'offload-conflict',
    covers: ['MEG-112'],
    keys: [OFFLOADED, 'cpu_offloading', 'pipeline_model_parallel_size'],
    when: (values) => offloads(values) && above(values, 'pipeline_model_parallel_size'),
    says: 'Activations are offloaded without pipeline parallelism only.',
  },
  {
    rule: 'offload-conflict',
    covers: ['MEG-113'],
    keys: [OFFLOADED, 'cpu_offloading', GRANULARITY, 'recompute_activations'],
    when: (values) => offloads(values) && (selective(values) || fullRecompute(values)),
    says: 'Activations are either offloaded or recomputed, not both.',
  },
  {
    rule: 'offload-conflict',
    covers: ['MEG-114'],
    keys: [OFFLOADED, 'num_layers'],
    when: (values) => {
      if (values.flag('cpu_offloading') === false) return false;
      const count = values.integer(OFFLOADED);
      const layers = values.integer('num_layers');
      return count !== undefined && count !== 0 && (count < 0 || (layers !== undefined && count >= layers));
    },
    says: (values) =>
      `${label(values, OFFLOADED)} ${values.integer(OFFLOADED) ?? 0} must be less than the ${values.integer('num_layers') ?? ''} layers of the model.`,
  },
]);

function offloads(values: MegatronValues): boolean {
  // Configurations that have a switch of its own keep the number of layers while it is off.
  if (values.flag('cpu_offloading') === false) return false;
  return (values.integer(OFFLOADED) ?? 0) > 0 || values.flag('cpu_offloading') === true;
}

const graphs: readonly Check[] = [
  ...checks(LAUNCHER, [
    {
      rule: 'cuda-graph-conflict',
      covers: ['MEG-041'],
      keys: [GRAPHS, 'check_for_nan_in_loss_and_grad', 'fp16', 'loss_scale'],
      // Dynamic loss scaling under FP16 switches the check off by itself.
      when: (values) =>
        values.text(GRAPHS) === 'full_iteration' &&
        on(values, 'check_for_nan_in_loss_and_grad') &&
        !(on(values, 'fp16') && isAbsent(values, 'loss_scale')),
      says: 'A graph of the whole step cannot stop to look for NaN: add `--no-check-for-nan-in-loss-and-grad`.',
    },
    {
      rule: 'environment-conflict',
      covers: ['MEG-070'],
      keys: ['env.PYTORCH_CUDA_ALLOC_CONF', 'env.NCCL_GRAPH_REGISTER', GRAPHS],
      when: (values) =>
        (values.text(GRAPHS) === 'transformer_engine' || on(values, 'external_cuda_graph')) &&
        /expandable_segments:True/.test(values.text('env.PYTORCH_CUDA_ALLOC_CONF') ?? '') &&
        values.text('env.NCCL_GRAPH_REGISTER') !== '0',
      says: 'CUDA graphs over expandable segments need NCCL_GRAPH_REGISTER=0, or NCCL would keep addresses that move.',
    },
    {
      rule: 'environment-conflict',
      severity: 'warning',
      covers: ['MEG-065'],
      keys: ['env.NVTE_CPU_OFFLOAD_V1', 'fine_grained_activation_offloading'],
      when: (values) =>
        on(values, 'fine_grained_activation_offloading') &&
        values.entry('env.NVTE_CPU_OFFLOAD_V1') !== undefined &&
        values.text('env.NVTE_CPU_OFFLOAD_V1') !== '1',
      says: 'From Transformer Engine 2.10 on, fine-grained offloading stops without NVTE_CPU_OFFLOAD_V1=1.',
    },
  ]),
  ...checks(CONFIG, [
    {
      rule: 'cuda-graph-conflict',
      covers: ['MEG-140'],
      keys: [GRAPHS, GRANULARITY],
      when: (values) => ['local', 'transformer_engine'].includes(values.text(GRAPHS) ?? '') && fullRecompute(values),
      says: (values) =>
        `Full recompute is captured by graphs of the full iteration only, not \`${values.text(GRAPHS) ?? ''}\`.`,
    },
  ]),
];

const lengths: readonly Check[] = checks(LAUNCHER, [
  {
    rule: 'required-key-missing',
    covers: ['MEG-009'],
    keys: ['micro_batch_size', 'tensor_model_parallel_size'],
    when: (values) =>
      isAbsent(values, 'micro_batch_size') &&
      values.args.form === 'model-args' &&
      isGiven(values, 'num_layers') &&
      isGiven(values, 'seq_length'),
    says: 'Megatron-LM stops without `--micro-batch-size`.',
  },
  {
    rule: 'required-key-missing',
    covers: ['MEG-009'],
    keys: ['micro_batch_size'],
    when: (values) => (values.number('micro_batch_size') ?? 1) <= 0,
    says: (values) =>
      `${label(values, 'micro_batch_size')} ${values.number('micro_batch_size') ?? 0} must be at least 1.`,
  },
  {
    rule: 'global-batch-defaults',
    severity: 'information',
    covers: ['MEG-011'],
    keys: ['micro_batch_size', 'global_batch_size', 'step_batch_size_schedule', 'rampup_batch_size'],
    when: (values) =>
      isGiven(values, 'micro_batch_size') &&
      (isGiven(values, 'train_iters') || isGiven(values, 'train_samples')) &&
      ['global_batch_size', 'step_batch_size_schedule', 'rampup_batch_size'].every((name) => isAbsent(values, name)),
    says: (values) =>
      `Without \`--global-batch-size\` a step is one microbatch on each data rank: ${values.number('micro_batch_size') ?? 1} × DP samples, and no accumulation fills a pipeline.`,
  },
  {
    rule: 'head-width-not-whole',
    covers: ['MEG-045'],
    keys: ['hidden_size', 'num_attention_heads', 'kv_channels'],
    when: (values) => {
      const hidden = values.integer('hidden_size');
      const heads = values.integer('num_attention_heads');
      if (!isAbsent(values, 'kv_channels') || hidden === undefined || heads === undefined) return false;
      return heads > 0 && hidden > 0 && hidden % heads !== 0;
    },
    says: (values) =>
      `${label(values, 'hidden_size')} ${values.integer('hidden_size') ?? 0} does not divide by ${values.integer('num_attention_heads') ?? 0} heads, and no \`--kv-channels\` says how wide they are.`,
  },
  {
    rule: 'positions-fewer-than-sequence',
    covers: ['MEG-047'],
    keys: ['max_position_embeddings', 'seq_length'],
    when: (values) => {
      const most = values.integer('max_position_embeddings');
      const length = values.integer('seq_length');
      return most !== undefined && length !== undefined && most < length;
    },
    says: (values) =>
      `Sequences of ${values.integer('seq_length') ?? 0} tokens are longer than ${label(values, 'max_position_embeddings')} ${values.integer('max_position_embeddings') ?? 0}; the nearest legal value is ${values.integer('seq_length') ?? 0}.`,
    fixes: setTo('max_position_embeddings', (values) => values.text('seq_length')),
  },
  {
    rule: 'learning-rate-out-of-order',
    covers: ['MEG-048'],
    keys: ['min_lr', 'lr'],
    when: (values) => {
      const peak = values.number('lr');
      const least = countOf(values, 'min_lr');
      return peak !== undefined && least !== undefined && least > peak;
    },
    says: (values) =>
      `${label(values, 'min_lr')} ${countOf(values, 'min_lr') ?? 0} is above ${label(values, 'lr')} ${values.number('lr') ?? 0}.`,
  },
  {
    rule: 'required-key-missing',
    covers: ['MEG-049'],
    keys: ['save', 'save_interval'],
    when: (values) =>
      isGiven(values, 'save') && (isAbsent(values, 'save_interval') || (values.number('save_interval') ?? 1) <= 0),
    says: '`--save` needs `--save-interval`, the steps between two checkpoints.',
  },
]);

const rest: readonly Check[] = checks(LAUNCHER, [
  {
    rule: 'kv-heads-copied',
    severity: 'information',
    covers: ['MEG-101'],
    keys: ['num_query_groups', 'tensor_model_parallel_size', 'group_query_attention'],
    when: (values) => {
      const groups = values.integer('num_query_groups');
      const tensor = degreeOf(values, 'tensor_model_parallel_size');
      if (groups === undefined || tensor === undefined || groups < 1 || off(values, 'group_query_attention'))
        return false;
      return groups < tensor && tensor % groups === 0;
    },
    says: (values) => {
      const groups = values.integer('num_query_groups') ?? 1;
      const tensor = degreeOf(values, 'tensor_model_parallel_size') ?? 1;
      return `${groups} key/value groups over ${tensor} tensor-parallel ranks: each is copied onto ${tensor / groups}. Older releases stop here and want a multiple of TP.`;
    },
  },
  {
    rule: 'loss-fusion-refused',
    severity: 'warning',
    covers: ['MEG-060'],
    keys: ['cross_entropy_fusion_impl', 'cross_entropy_loss_fusion'],
    when: (values) => on(values, 'cross_entropy_loss_fusion') && values.text('cross_entropy_fusion_impl') === 'te',
    says: "Releases since 2026 refuse Transformer Engine's fused loss; `--cross-entropy-fusion-impl native` is accepted by all.",
    fixes: setTo('cross_entropy_fusion_impl', 'native'),
  },
  {
    rule: 'position-embedding-with-mtp',
    covers: ['MEG-066'],
    keys: ['position_embedding_type', 'mtp_num_layers', 'use_rotary_position_embeddings'],
    when: (values) =>
      (values.integer('mtp_num_layers') ?? 0) > 0 &&
      ['relative', 'yarn'].includes(values.text('position_embedding_type') ?? '') &&
      off(values, 'use_rotary_position_embeddings'),
    says: (values) =>
      `Multi-token prediction works with rope or no position embedding, not ${values.text('position_embedding_type') ?? ''}.`,
  },
  {
    rule: 'setting-without-effect',
    severity: 'information',
    covers: [],
    keys: ['fp8_recipe', 'fp8_margin', 'fp8_amax_history_len', 'fp8_amax_compute_algo', 'fp8_wgrad', 'fp8'],
    when: (values) =>
      isAbsent(values, 'fp8') &&
      isAbsent(values, 'fp4') &&
      values.args.form !== 'sections' &&
      ['fp8_recipe', 'fp8_margin', 'fp8_amax_history_len', 'fp8_amax_compute_algo'].some((name) =>
        isGiven(values, name),
      ),
    says: 'Without `--fp8-format` no FP8 is used: what is said about it here has no effect.',
  },
]);

const clamped: Check = {
  rule: 'setting-without-effect',
  severity: 'information',
  covers: ['MEG-165'],
  keys: ['tensor_model_parallel_size', 'pipeline_model_parallel_size', 'world_size'],
  source: YAML_LAUNCHER,
  says: (values) => {
    const world = values.integer('world_size');
    const tensor = degreeOf(values, 'tensor_model_parallel_size');
    const pipeline = degreeOf(values, 'pipeline_model_parallel_size');
    if (values.args.form !== 'sections' || world === undefined || tensor === undefined || pipeline === undefined)
      return undefined;
    const inner = Math.min(tensor, world);
    const outer = Math.min(pipeline, Math.floor(world / inner));
    return inner === tensor && outer === pipeline
      ? undefined
      : `A YAML configuration is cut to the ${world} GPUs there are: TP ${tensor} × PP ${pipeline} becomes TP ${inner} × PP ${outer}.`;
  },
};

export const jobChecks: readonly Check[] = [...lengths, ...rest, clamped];
export const memoryChecks: readonly Check[] = [...recompute, ...offloading, ...graphs];
