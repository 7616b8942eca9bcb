import { CONFIG, LAUNCHER, OPTIMIZER_CONFIG, PARALLEL_CONFIG, PARALLEL_STATE } from './sources';
import { above, checks, degreeOf, isAbsent, isGiven, label, off, on, wordOf, type Check } from './values';

const TENSOR = 'tensor_model_parallel_size';
const PIPELINE = 'pipeline_model_parallel_size';
const CONTEXT = 'context_parallel_size';
const EXPERT = 'expert_model_parallel_size';
const DISTRIBUTED = 'use_distributed_optimizer';
const FSDP2 = 'use_torch_fsdp2';
const FSDP = 'use_megatron_fsdp';
const FORMAT = 'ckpt_format';
const GATHER = 'overlap_param_gather';
const STEP = 'overlap_param_gather_with_optimizer_step';
const CONNECTIONS = 'env.CUDA_DEVICE_MAX_CONNECTIONS';

/** FSDP2 of torch beside what Megatron has for the same purpose. */
const torchFsdp: readonly Check[] = checks(LAUNCHER, [
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-024'],
    keys: [FSDP2, PIPELINE],
    when: (values) => on(values, FSDP2) && above(values, PIPELINE),
    says: 'FSDP2 shards whole models and does not work with pipeline parallelism; the nearest legal pipeline size is 1.',
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-025'],
    keys: [FSDP2, EXPERT],
    when: (values) => on(values, FSDP2) && above(values, EXPERT),
    says: 'FSDP2 does not work with expert parallelism; the nearest legal expert-parallel size is 1.',
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-026'],
    keys: [FSDP2, DISTRIBUTED],
    when: (values) => on(values, FSDP2) && on(values, DISTRIBUTED),
    says: "FSDP2 shards the optimizer itself: Megatron's distributed optimizer must be off.",
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-027'],
    keys: [FSDP2, 'gradient_accumulation_fusion'],
    when: (values) => on(values, FSDP2) && on(values, 'gradient_accumulation_fusion'),
    says: 'FSDP2 has no buffers to fuse gradient accumulation into: add `--no-gradient-accumulation-fusion`.',
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-028'],
    keys: [FORMAT, FSDP2],
    when: (values) => on(values, FSDP2) && !['torch_dist', 'torch_dcp', undefined].includes(wordOf(values, FORMAT)),
    says: (values) => `FSDP2 saves as torch_dist or torch_dcp, not ${wordOf(values, FORMAT) ?? ''}.`,
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-029'],
    keys: [FSDP2, 'untie_embeddings_and_output_weights'],
    when: (values) => on(values, FSDP2) && off(values, 'untie_embeddings_and_output_weights'),
    says: 'FSDP2 cannot shard weights that embedding and head share: add `--untie-embeddings-and-output-weights`.',
  },
  {
    rule: 'fsdp-conflict',
    covers: [],
    keys: [FSDP2, 'fp16'],
    when: (values) => on(values, FSDP2) && on(values, 'fp16'),
    says: 'FSDP2 does not scale losses: it trains in BF16 or FP32, not in FP16.',
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-059'],
    keys: [FORMAT, FSDP2, TENSOR, PIPELINE],
    when: (values) =>
      values.text(FORMAT) === 'torch_dcp' && (off(values, FSDP2) || above(values, TENSOR) || above(values, PIPELINE)),
    says: 'Checkpoints of format torch_dcp are for FSDP2 without tensor or pipeline parallelism; torch_dist is the nearest legal format.',
  },
]);

const megatronFsdp: readonly Check[] = checks(LAUNCHER, [
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-035'],
    keys: ['megatron_fsdp_version', FSDP, DISTRIBUTED],
    when: (values) =>
      on(values, FSDP) && values.integer('megatron_fsdp_version') === 2 && values.flag(DISTRIBUTED) === true,
    says: "Version 2 of Megatron FSDP does not work with Megatron's distributed optimizer.",
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-036'],
    keys: ['optimizer', FSDP],
    when: (values) => on(values, FSDP) && !['adam', 'sgd', undefined].includes(values.text('optimizer')),
    says: (values) => `Megatron FSDP steps with adam or sgd, not ${values.text('optimizer') ?? ''}.`,
  },
  {
    rule: 'fsdp-conflict',
    covers: ['MEG-037'],
    keys: [FORMAT, FSDP],
    when: (values) => on(values, FSDP) && !['fsdp_dtensor', undefined].includes(wordOf(values, FORMAT)),
    says: (values) =>
      `Megatron FSDP saves as fsdp_dtensor, not ${wordOf(values, FORMAT) ?? ''}${values.entry(FORMAT) === undefined ? ', which is the default' : ''}.`,
  },
  {
    rule: 'environment-conflict',
    covers: ['MEG-030'],
    keys: [CONNECTIONS, FSDP, FSDP2],
    when: (values) => (on(values, FSDP) || on(values, FSDP2)) && values.text(CONNECTIONS) === '1',
    says: 'FSDP hides its gathers behind compute, which needs more than one queue: CUDA_DEVICE_MAX_CONNECTIONS must not be 1.',
  },
]);

/** Gathers and reductions behind compute, and what they are built on. */
const overlaps: readonly Check[] = checks(LAUNCHER, [
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-022'],
    keys: [GATHER, DISTRIBUTED, FSDP, 'optimizer'],
    when: (values) =>
      on(values, GATHER) &&
      off(values, DISTRIBUTED) &&
      off(values, FSDP) &&
      wordOf(values, 'optimizer') !== 'dist_muon',
    says: `Parameters are gathered only where they are sharded: \`--overlap-param-gather\` needs \`--use-distributed-optimizer\`.`,
  },
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-023'],
    keys: [GATHER, 'overlap_grad_reduce'],
    when: (values) => on(values, GATHER) && off(values, 'overlap_grad_reduce'),
    says: '`--overlap-param-gather` needs `--overlap-grad-reduce`.',
  },
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-031'],
    keys: [STEP, DISTRIBUTED, GATHER],
    when: (values) => on(values, STEP) && (off(values, DISTRIBUTED) || off(values, GATHER)),
    says: '`--overlap-param-gather-with-optimizer-step` needs `--use-distributed-optimizer` and `--overlap-param-gather`.',
  },
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-031'],
    keys: [
      STEP,
      'num_layers_per_virtual_pipeline_stage',
      'num_virtual_stages_per_pipeline_rank',
      'pipeline_model_parallel_layout',
      'hybrid_layer_pattern',
    ],
    when: (values) =>
      on(values, STEP) &&
      [
        'num_layers_per_virtual_pipeline_stage',
        'num_virtual_stages_per_pipeline_rank',
        'pipeline_model_parallel_layout',
        'hybrid_layer_pattern',
      ].every((name) => isAbsent(values, name)),
    says: '`--overlap-param-gather-with-optimizer-step` works with interleaved pipelines only.',
  },
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-031'],
    keys: [STEP, FORMAT],
    when: (values) => on(values, STEP) && !['torch', undefined].includes(wordOf(values, FORMAT)),
    says: '`--overlap-param-gather-with-optimizer-step` cannot save distributed checkpoints: `--ckpt-format` must be torch.',
  },
  {
    rule: 'overlap-prerequisite',
    covers: ['MEG-054'],
    keys: ['tp_comm_overlap', 'sequence_parallel', TENSOR],
    when: (values) =>
      on(values, 'tp_comm_overlap') && (off(values, 'sequence_parallel') || degreeOf(values, TENSOR) === 1),
    says: (values) =>
      `Tensor-parallel communication is overlapped only with sequence parallelism${on(values, 'sequence_parallel') ? ', which Megatron-LM switches off while TP is 1' : ''}.`,
  },
  {
    rule: 'setting-without-effect',
    severity: 'warning',
    covers: ['MEG-053'],
    keys: ['sequence_parallel', TENSOR],
    when: (values) => values.flag('sequence_parallel') === true && degreeOf(values, TENSOR) === 1,
    says: 'Sequence parallelism shares the work of tensor-parallel ranks: with TP 1 Megatron-LM switches it off.',
  },
  {
    rule: 'environment-conflict',
    severity: 'warning',
    covers: ['MEG-056'],
    keys: [CONNECTIONS, TENSOR, CONTEXT, FSDP, FSDP2, 'overlap_moe_expert_parallel_comm'],
    when: (values) =>
      (above(values, TENSOR) || above(values, CONTEXT)) &&
      values.entry(CONNECTIONS) !== undefined &&
      values.text(CONNECTIONS) !== '1' &&
      off(values, FSDP) &&
      off(values, FSDP2) &&
      off(values, 'overlap_moe_expert_parallel_comm'),
    says: (values) =>
      `On GPUs before Blackwell, tensor and context parallelism stop without CUDA_DEVICE_MAX_CONNECTIONS=1; here it is ${values.text(CONNECTIONS) ?? ''}.`,
  },
  {
    rule: 'hybrid-context-conflict',
    covers: ['MEG-055'],
    keys: [
      'hybrid_context_parallel',
      PIPELINE,
      FSDP,
      'enable_cuda_graph',
      'dataloader_type',
      'calculate_per_token_loss',
    ],
    when: (values) =>
      on(values, 'hybrid_context_parallel') &&
      (above(values, PIPELINE) ||
        on(values, FSDP) ||
        on(values, 'enable_cuda_graph') ||
        !['single', undefined].includes(values.text('dataloader_type')) ||
        off(values, 'calculate_per_token_loss')),
    says: 'Hybrid context parallelism needs one pipeline rank, the single dataloader and `--calculate-per-token-loss`, and neither CUDA graphs nor Megatron FSDP.',
  },
  {
    rule: 'context-hierarchy-mismatch',
    covers: ['MEG-002'],
    keys: ['hierarchical_context_parallel_sizes', CONTEXT],
    when: (values) => {
      const sizes = values.words('hierarchical_context_parallel_sizes')?.map(Number);
      const context = degreeOf(values, CONTEXT);
      if (sizes === undefined || sizes.length === 0 || context === undefined) return false;
      const product = sizes.reduce((total, size) => total * size, 1);
      return Number.isFinite(product) && product !== context;
    },
    says: (values) =>
      `The levels ${values.words('hierarchical_context_parallel_sizes')?.join(' × ') ?? ''} must multiply to the context-parallel size ${degreeOf(values, CONTEXT) ?? 0}.`,
  },
  {
    rule: 'context-hierarchy-mismatch',
    covers: ['MEG-003'],
    keys: ['cp_comm_type', 'hierarchical_context_parallel_sizes'],
    when: (values) =>
      (values.words('cp_comm_type') ?? []).includes('a2a+p2p') &&
      isAbsent(values, 'hierarchical_context_parallel_sizes'),
    says: 'The exchange a2a+p2p works on two levels: `--hierarchical-context-parallel-sizes` must name their sizes.',
  },
]);

/** The optimizer and what it may keep where, and in which format. */
const optimizer: readonly Check[] = [
  ...checks(LAUNCHER, [
    {
      rule: 'optimizer-prerequisite',
      covers: ['MEG-062'],
      keys: ['optimizer_cpu_offload', 'use_precision_aware_optimizer'],
      when: (values) => on(values, 'optimizer_cpu_offload') && off(values, 'use_precision_aware_optimizer'),
      says: '`--optimizer-cpu-offload` needs `--use-precision-aware-optimizer`, whose code it shares.',
    },
    {
      rule: 'optimizer-prerequisite',
      covers: ['MEG-063'],
      keys: ['optimizer_cpu_offload', 'fp8_param_gather', 'fp8_recipe'],
      when: (values) =>
        on(values, 'optimizer_cpu_offload') &&
        on(values, 'fp8_param_gather') &&
        !['delayed', undefined].includes(wordOf(values, 'fp8_recipe')),
      says: (values) =>
        `Offloading the optimizer with FP8 parameters works with delayed scaling only, not ${wordOf(values, 'fp8_recipe') ?? ''}.`,
    },
    {
      rule: 'optimizer-prerequisite',
      covers: ['MEG-061'],
      keys: ['optimizer', FSDP, FSDP2, FORMAT],
      when: (values) =>
        !['adam', 'sgd', undefined].includes(values.text('optimizer')) &&
        (on(values, FSDP2) || !['torch', 'torch_dist', undefined].includes(wordOf(values, FORMAT))),
      says: (values) =>
        `The optimizer ${values.text('optimizer') ?? ''} works with Megatron's own sharding and checkpoints of format torch or torch_dist only.`,
    },
  ]),
  ...checks(OPTIMIZER_CONFIG, [
    {
      rule: 'optimizer-prerequisite',
      covers: ['MEG-162'],
      keys: ['optimizer', 'use_precision_aware_optimizer'],
      when: (values) =>
        on(values, 'use_precision_aware_optimizer') && !['adam', undefined].includes(values.text('optimizer')),
      says: (values) =>
        `The precision-aware optimizer is an Adam; \`${values.text('optimizer') ?? ''}\` has no such form.`,
    },
    {
      rule: 'optimizer-prerequisite',
      covers: ['MEG-163'],
      keys: [
        'main_grads_dtype',
        'main_params_dtype',
        'exp_avg_dtype',
        'exp_avg_sq_dtype',
        'use_precision_aware_optimizer',
      ],
      when: (values) =>
        off(values, 'use_precision_aware_optimizer') &&
        ['main_grads_dtype', 'main_params_dtype', 'exp_avg_dtype', 'exp_avg_sq_dtype'].some(
          (name) => !['fp32', undefined].includes(values.text(name)),
        ),
      says: 'Gradients, master weights and moments in other formats than fp32 need `--use-precision-aware-optimizer`.',
    },
  ]),
  ...checks(PARALLEL_CONFIG, [
    {
      rule: 'weight-gradient-delay',
      covers: ['MEG-085'],
      keys: ['defer_embedding_wgrad_compute', PIPELINE],
      when: (values) =>
        on(values, 'defer_embedding_wgrad_compute') &&
        (degreeOf(values, PIPELINE) === 1 || values.flag('gradient_accumulation_fusion') === false),
      says: 'The embedding gradient is deferred into the pipeline flush: more than one pipeline rank and gradient accumulation fusion are needed.',
    },
  ]),
  ...checks(PARALLEL_STATE, [
    {
      rule: 'rank-order-conflict',
      covers: ['MEG-082'],
      keys: ['use_tp_pp_dp_mapping', EXPERT, 'expert_tensor_parallel_size', TENSOR, CONTEXT, PIPELINE],
      when: (values) => {
        const tensor = degreeOf(values, TENSOR);
        const context = degreeOf(values, CONTEXT);
        const experts = degreeOf(values, EXPERT);
        const written = values.integer('expert_tensor_parallel_size');
        const inner = written ?? (isAbsent(values, 'expert_tensor_parallel_size') ? tensor : undefined);
        if (!on(values, 'use_tp_pp_dp_mapping') || !above(values, PIPELINE)) return false;
        if (tensor === undefined || context === undefined || experts === undefined || inner === undefined) return false;
        return inner * experts !== tensor * context;
      },
      says: 'With pipeline ranks inside data ranks (`--use-tp-pp-dp-mapping`), expert groups must be as large as dense ones: ETP × EP must equal TP × CP.',
    },
  ]),
];

/** Number formats that do not go together. */
const formats: readonly Check[] = [
  ...checks(LAUNCHER, [
    {
      rule: 'format-conflict',
      covers: ['MEG-032'],
      keys: ['fp8_param_gather', DISTRIBUTED, FSDP, FSDP2],
      when: (values) =>
        on(values, 'fp8_param_gather') &&
        off(values, DISTRIBUTED) &&
        off(values, FSDP) &&
        off(values, FSDP2) &&
        // Inference runs without gradients, and then there is nothing to shard.
        isAbsent(values, 'inference_max_requests') &&
        isAbsent(values, 'inference_max_seq_length'),
      says: 'FP8 parameters are gathered only where they are sharded: `--fp8-param-gather` needs `--use-distributed-optimizer` or FSDP.',
    },
    {
      rule: 'format-conflict',
      covers: ['MEG-034'],
      keys: ['fp4_param_gather', 'fp4'],
      when: (values) => on(values, 'fp4_param_gather') && isAbsent(values, 'fp4'),
      says: '`--fp4-param-gather` needs `--fp4-format`.',
    },
    {
      rule: 'format-conflict',
      covers: ['MEG-039'],
      keys: ['main_grads_dtype', 'accumulate_allreduce_grads_in_fp32', 'bf16'],
      when: (values) =>
        on(values, 'bf16') &&
        on(values, 'accumulate_allreduce_grads_in_fp32') &&
        !['fp32', undefined].includes(values.text('main_grads_dtype')),
      says: (values) =>
        `Gradients that are accumulated in FP32 cannot be kept as ${values.text('main_grads_dtype') ?? ''}.`,
    },
    {
      rule: 'format-conflict',
      covers: ['MEG-050'],
      keys: ['fp32_residual_connection', 'fp16', 'bf16'],
      when: (values) => on(values, 'fp32_residual_connection') && off(values, 'fp16') && off(values, 'bf16'),
      says: 'A residual stream in FP32 is an option of FP16 and BF16 training only.',
    },
    {
      rule: 'gradients-become-fp32',
      severity: 'information',
      covers: ['MEG-040'],
      keys: ['accumulate_allreduce_grads_in_fp32', 'bf16', 'grad_reduce_in_bf16', 'main_grads_dtype'],
      when: (values) =>
        on(values, 'bf16') &&
        values.flag('accumulate_allreduce_grads_in_fp32') === false &&
        off(values, 'grad_reduce_in_bf16') &&
        ['fp32', undefined].includes(wordOf(values, 'main_grads_dtype')),
      says: 'Under BF16 Megatron-LM accumulates gradients in FP32 all the same, 4 instead of 2 bytes a parameter; `--grad-reduce-in-bf16` keeps them in BF16.',
    },
  ]),
  ...checks(CONFIG, [
    {
      rule: 'format-conflict',
      covers: ['MEG-102'],
      keys: ['first_last_layers_bf16', 'fp8_recipe', 'fp8'],
      when: (values) =>
        on(values, 'first_last_layers_bf16') && isGiven(values, 'fp8') && wordOf(values, 'fp8_recipe') === 'delayed',
      says: 'Delayed scaling cannot keep the first and last layers in BF16; take another `--fp8-recipe`.',
    },
    {
      rule: 'format-conflict',
      covers: ['MEG-104'],
      keys: ['fp8_recipe', 'fp8_quantizer_factory', 'fp8'],
      when: (values) =>
        isGiven(values, 'fp8') && values.text('fp8_recipe') === 'custom' && isAbsent(values, 'fp8_quantizer_factory'),
      says: 'A custom FP8 recipe needs `--fp8-quantizer-factory`, the Python path that makes its quantizers.',
    },
    {
      rule: 'format-conflict',
      covers: ['MEG-105'],
      keys: ['fp8_param_gather', 'fp8'],
      when: (values) => on(values, 'fp8_param_gather') && isAbsent(values, 'fp8'),
      says: (values) => `${label(values, 'fp8_param_gather')} keeps weights in FP8, but no FP8 format is asked for.`,
    },
  ]),
];

export const shardingChecks: readonly Check[] = [...torchFsdp, ...megatronFsdp, ...overlaps];
export const formatChecks: readonly Check[] = [...optimizer, ...formats];
