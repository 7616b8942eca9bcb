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
        !on(values, FSDP) &&
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

export const optimizerChecks: readonly Check[] = [...optimizer, ...formats];
