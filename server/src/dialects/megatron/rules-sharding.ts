import { LAUNCHER } from './sources';
import { above, checks, degreeOf, isAbsent, off, on, wordOf, setTo, type Check } from './values';

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
    fixes: setTo('ckpt_format', 'fsdp_dtensor'),
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
    severity: 'information',
    covers: ['MEG-053'],
    keys: ['sequence_parallel', TENSOR],
    when: (values) => values.flag('sequence_parallel') === true && degreeOf(values, TENSOR) === 1,
    says: 'Sequence parallelism shares the work of tensor-parallel ranks: with TP 1 Megatron-LM switches it off.',
  },
  {
    rule: 'environment-conflict',
    severity: 'information',
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

export const shardingChecks: readonly Check[] = [...torchFsdp, ...megatronFsdp, ...overlaps];
