import type { TrainingDetails } from '../../engine/memory/input';
import type { DType } from '../../engine/spec/numbers';
import type { BatchSpec, OptimizerSpec, PipelineSpec, PrecisionSpec, RecomputeSpec } from '../../engine/spec/training';
import type { Planned, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { MegatronArguments } from './arguments';
import { positionsOf, switchOr } from './model';

/** A value as the file states it, or as the profile's default says; nothing where neither does. */
function stated<T>(args: MegatronArguments, destination: string, value: T | undefined): Sourced<T> | undefined {
  const entry = args.entry(destination);
  if (value === undefined) return undefined;
  return entry === undefined ? byDefault(value, args.profile.note) : written(value, entry);
}

function weights(args: MegatronArguments): Sourced<DType> {
  if (args.flag('bf16') === true) return stated(args, 'bf16', 'BF16' as const) ?? byDefault('BF16', args.profile.note);
  if (args.flag('fp16') === true) return stated(args, 'fp16', 'F16' as const) ?? byDefault('F16', args.profile.note);
  return byDefault('F32', 'neither --bf16 nor --fp16 is given');
}

function dtype(args: MegatronArguments, destination: string): Sourced<DType> | undefined {
  return stated(args, destination, dtypeOf(args.text(destination) ?? ''));
}

/** Accumulated gradients: FP32 under BF16 unless told otherwise (validate_args switches FP32 accumulation on by itself). */
function gradients(args: MegatronArguments, base: DType): Sourced<DType> {
  const precise = args.flag('use_precision_aware_optimizer') === true ? dtype(args, 'main_grads_dtype') : undefined;
  if (precise !== undefined) return precise;
  if (base === 'BF16') {
    if (args.flag('grad_reduce_in_bf16') === true)
      return stated(args, 'grad_reduce_in_bf16', 'BF16' as const) ?? byDefault('BF16', args.profile.note);
    return byDefault('F32', 'Megatron-LM accumulates gradients in FP32 under BF16');
  }
  if (base === 'F16')
    return args.flag('accumulate_allreduce_grads_in_fp32') === true
      ? (stated(args, 'accumulate_allreduce_grads_in_fp32', 'F32' as const) ?? byDefault('F32', args.profile.note))
      : byDefault('F16', args.profile.note);
  return byDefault('F32', args.profile.note);
}

const RECIPES: Readonly<Record<string, PrecisionSpec['fp8Recipe']>> = {
  delayed: 'delayed',
  tensorwise: 'tensorwise',
  mxfp8: 'mxfp8',
  blockwise: 'blockwise',
};

function recipe(args: MegatronArguments): Sourced<PrecisionSpec['fp8Recipe']> | undefined {
  if (args.entry('fp4') !== undefined)
    return args.unknown('fp4') ? undefined : derived('nvfp4', 'the FP4 recipe', args.entry('fp4'));
  if (args.entry('fp8') === undefined) return byDefault('none', args.profile.note);
  if (args.unknown('fp8') || args.unknown('fp8_recipe')) return undefined;
  const entry = args.entry('fp8_recipe');
  if (entry === undefined) return byDefault('delayed', `${args.profile.note} with --fp8-format`);
  return stated(args, 'fp8_recipe', RECIPES[args.text('fp8_recipe') ?? '']);
}

/** Number formats. Source: Megatron-LM, megatron/training/arguments.py, `validate_args`; megatron/core/optimizer/optimizer_config.py. */
export function readPrecision(args: MegatronArguments): Planned<PrecisionSpec> {
  const base = weights(args);
  const scheme = recipe(args);
  const precise = args.flag('use_precision_aware_optimizer') === true;
  const moment = (destination: string): Sourced<DType> =>
    (precise ? dtype(args, destination) : undefined) ?? byDefault('F32', args.profile.note);
  const low = scheme !== undefined && scheme.value !== 'none';
  const transformerEngine = args.text('transformer_impl') !== 'local';
  return present<Planned<PrecisionSpec>>({
    weights: base,
    compute:
      args.entry('fp4') !== undefined
        ? stated(args, 'fp4', 'F4_E2M1' as const)
        : args.entry('fp8') !== undefined
          ? stated(args, 'fp8', 'F8_E4M3' as const)
          : derived(base.value, 'the format of the weights'),
    gradients: gradients(args, base.value),
    masterWeights:
      base.value === 'F32'
        ? derived('none', 'weights are FP32 themselves')
        : ((precise ? dtype(args, 'main_params_dtype') : undefined) ?? byDefault('F32', args.profile.note)),
    firstMoment: moment('exp_avg_dtype'),
    secondMoment: moment('exp_avg_sq_dtype'),
    fp8Recipe: scheme,
    fp8Weights: switchOr(args, 'fp8_param_gather', false),
    // Transformer Engine keeps what its FP8 products read in FP8; local modules have no FP8 at all.
    fp8Activations:
      scheme === undefined
        ? undefined
        : scheme.value === 'blockwise' && low && transformerEngine
          ? derived(true, 'Transformer Engine keeps quantized inputs for the weight gradient')
          : byDefault(false, args.profile.note),
  });
}

const KINDS: Readonly<Record<string, OptimizerSpec['kind']>> = {
  adam: 'adam',
  sgd: 'sgd',
  muon: 'muon',
  dist_muon: 'muon',
  adaptive_muon: 'muon',
  lion: 'lion',
};
const STAGES: Readonly<Record<string, OptimizerSpec['zeroStage']>> = {
  no_shard: 0,
  optim: 1,
  optim_grads: 2,
  optim_grads_params: 3,
};

function zeroStage(args: MegatronArguments): Sourced<OptimizerSpec['zeroStage']> | undefined {
  if (args.flag('use_torch_fsdp2') === true)
    return derived(3, 'FSDP2 shards parameters, gradients and optimizer states', args.entry('use_torch_fsdp2'));
  if (args.flag('use_megatron_fsdp') === true) {
    const strategy = args.text('data_parallel_sharding_strategy');
    return (
      stated(args, 'data_parallel_sharding_strategy', STAGES[strategy ?? '']) ??
      derived(
        3,
        'Megatron FSDP shards everything unless --data-parallel-sharding-strategy says less',
        args.entry('use_megatron_fsdp'),
      )
    );
  }
  const asked = args.flag('use_distributed_optimizer');
  if (asked === undefined && args.entry('use_distributed_optimizer') !== undefined) return undefined;
  return stated(args, 'use_distributed_optimizer', asked === true ? 1 : 0);
}

export function readOptimizer(args: MegatronArguments): Planned<OptimizerSpec> {
  const offloaded = args.flag('optimizer_cpu_offload') === true && (args.number('optimizer_offload_fraction') ?? 1) > 0;
  return present<Planned<OptimizerSpec>>({
    kind:
      args.entry('optimizer') === undefined
        ? byDefault('adam', args.profile.note)
        : stated(args, 'optimizer', KINDS[args.text('optimizer') ?? '']),
    zeroStage: zeroStage(args),
    stack:
      args.flag('use_torch_fsdp2') === true
        ? derived('fsdp2', '--use-torch-fsdp2', args.entry('use_torch_fsdp2'))
        : byDefault('megatron', args.profile.note),
    offloadOptimizer: offloaded ? stated(args, 'optimizer_cpu_offload', true) : byDefault(false, args.profile.note),
    offloadParameters: byDefault(false, args.profile.note),
    reshardAfterForward: switchOr(args, 'torch_fsdp2_reshard_after_forward', true),
    gradientAccumulationFusion: switchOr(args, 'gradient_accumulation_fusion', true),
  });
}

export function readRecompute(args: MegatronArguments): Planned<RecomputeSpec> {
  const word = args.text('recompute_granularity');
  const short = args.flag('recompute_activations') === true;
  const granularity: Sourced<RecomputeSpec['granularity']> | undefined =
    word !== undefined || args.entry('recompute_granularity') !== undefined
      ? stated<RecomputeSpec['granularity']>(
          args,
          'recompute_granularity',
          word === 'full' || word === 'selective' || word === 'none' ? word : undefined,
        )
      : short
        ? derived('selective' as const, '--recompute-activations', args.entry('recompute_activations'))
        : byDefault('none' as const, args.profile.note);
  const method = args.text('recompute_method');
  const modules = args.words('recompute_modules');
  return present<Planned<RecomputeSpec>>({
    granularity,
    method: stated(args, 'recompute_method', method === 'uniform' || method === 'block' ? method : undefined),
    layers: stated(args, 'recompute_num_layers', args.integer('recompute_num_layers')),
    modules:
      stated(args, 'recompute_modules', modules) ??
      (granularity?.value === 'selective' && !args.unknown('recompute_modules')
        ? byDefault(['core_attn'], args.profile.note)
        : undefined),
  });
}

/** Batch and sequence. A global batch that nobody gives is one microbatch a data rank (validate_args), unless it grows by a schedule. */
export function readBatch(args: MegatronArguments): Planned<BatchSpec> {
  const micro = stated(args, 'micro_batch_size', args.integer('micro_batch_size'));
  const silent =
    args.entry('global_batch_size') === undefined &&
    args.integer('global_batch_size') === undefined &&
    args.entry('step_batch_size_schedule') === undefined &&
    args.entry('rampup_batch_size') === undefined;
  return present<Planned<BatchSpec>>({
    microBatch: micro,
    globalBatch: stated(args, 'global_batch_size', args.integer('global_batch_size')),
    microbatches:
      silent && micro !== undefined ? byDefault(1, 'without --global-batch-size a step is one microbatch') : undefined,
    sequenceLength: stated(args, 'seq_length', args.integer('seq_length')),
    evalGlobalBatch: stated(args, 'eval_global_batch_size', args.integer('eval_global_batch_size')),
    evalMicroBatch: stated(args, 'eval_micro_batch_size', args.integer('eval_micro_batch_size')),
  });
}

export function readPipeline(args: MegatronArguments, virtual: number | undefined): Planned<PipelineSpec> {
  const overlap = args.entry('overlap_moe_expert_parallel_comm');
  const interleaved = (virtual ?? 1) > 1;
  const kind: Sourced<PipelineSpec['kind']> =
    args.flag('overlap_moe_expert_parallel_comm') === true && interleaved
      ? derived('1f1b-ep-overlap', 'expert communication is hidden behind another microbatch', overlap)
      : interleaved
        ? derived('interleaved', 'several chunks a pipeline rank')
        : byDefault('1f1b', args.profile.note);
  return present<Planned<PipelineSpec>>({
    kind,
    groupSize: stated(args, 'microbatch_group_size_per_vp_stage', args.integer('microbatch_group_size_per_vp_stage')),
  });
}

/** Parts of a layer that Transformer Engine captures: those that are named, or with none named the whole layer. */
function graphedModules(args: MegatronArguments): Pick<TrainingDetails, 'graphedModules'> {
  if (args.text('cuda_graph_impl') !== 'transformer_engine') return {};
  const named = args.words('cuda_graph_scope') ?? args.words('cuda_graph_modules') ?? [];
  return { graphedModules: named.length > 0 ? named : ['attn', 'mlp', 'moe_router'] };
}

/** What waits in host memory: inputs of named modules, and a share of the optimizer's states. */
function offloading(args: MegatronArguments): Pick<TrainingDetails, 'offloadedModules' | 'offloadFraction'> {
  const modules = args.flag('fine_grained_activation_offloading') === true ? args.words('offload_modules') : undefined;
  const fraction = args.flag('optimizer_cpu_offload') === true ? args.number('optimizer_offload_fraction') : undefined;
  return {
    ...(modules === undefined ? {} : { offloadedModules: modules }),
    ...(fraction === undefined ? {} : { offloadFraction: fraction }),
  };
}

/** Facts that decide saved tensors and buffers of this stack alone. */
export function readDetails(args: MegatronArguments): TrainingDetails {
  const local = args.text('transformer_impl') === 'local';
  const dispatcher = args.text('moe_token_dispatcher_type') ?? 'allgather';
  const capacity = args.number('moe_expert_capacity_factor');
  const fused = args.flag('cross_entropy_loss_fusion') === true;
  return {
    transformerImpl: local ? 'local' : 'te',
    attentionKernel: local || args.text('attention_backend') === 'unfused' ? 'unfused' : 'flash',
    crossEntropy: !fused ? 'native' : args.text('cross_entropy_fusion_impl') === 'te' ? 'te-fused' : 'fused',
    vocabDivisor:
      args.integer('padded_vocab_size') === undefined ? (args.integer('make_vocab_size_divisible_by') ?? 128) : 1,
    hiddenDropout: (args.number('hidden_dropout') ?? 0.1) > 0,
    attentionDropout: (args.number('attention_dropout') ?? 0.1) > 0,
    dataloaderMask: args.flag('create_attention_mask_in_dataloader') !== false,
    ropeFusion: args.flag('apply_rope_fusion') !== false && !local,
    positions: positionsOf(args),
    dispatcher:
      dispatcher === 'flex' || args.flag('moe_enable_deepep') === true
        ? 'deepep'
        : dispatcher === 'alltoall'
          ? 'alltoall'
          : 'allgather',
    groupedGemm: args.flag('moe_grouped_gemm') === true,
    tensorOverlap: args.flag('tp_comm_overlap') === true,
    activationInFp8: args.flag('activation_func_fp8_input_store') === true,
    attentionInFp8: args.flag('fp8_dot_product_attention') === true,
    // Under FP8, other than with delayed scaling, the optimizer copies gradients all the same (`use_precision_aware_optimizer_no_fp8_or_ds_fp8`).
    decoupledGradients:
      args.flag('use_precision_aware_optimizer') === true && /^(?:none|delayed)$/.test(recipe(args)?.value ?? 'none'),
    optimizerInstances: args.integer('num_distributed_optimizer_instances') ?? 1,
    deferredHeadGradients:
      args.flag('defer_embedding_wgrad_compute') === true ? (args.integer('wgrad_deferral_limit') ?? 0) : 0,
    ...graphedModules(args),
    ...offloading(args),
    ...(capacity === undefined || capacity < 0 ? {} : { capacityFactor: capacity }),
  };
}
