import type { ModelSpec } from '../model/spec';
import type { ClusterSpec } from '../spec/cluster';
import type { LayoutSpec } from '../spec/layout';
import type { QuantizationSpec } from '../spec/numbers';
import type { ExpertsSpec, ServingSpec } from '../spec/serving';
import type { BatchSpec, OptimizerSpec, PipelineSpec, PrecisionSpec, RecomputeSpec } from '../spec/training';

/**
 * Facts that only one stack's memory depends on. All are optional: the default is what the stack does when its file is silent.
 */
export interface TrainingDetails {
  /** Megatron `--transformer-impl`: fused Transformer Engine modules, or plain PyTorch ones. Default `te`. */
  readonly transformerImpl?: 'te' | 'local';
  /** Attention that keeps S x S scores (`unfused`) or only the log-sum-exp (`flash`). Default `flash`; `unfused` with Megatron's plain modules. */
  readonly attentionKernel?: 'flash' | 'unfused' | 'math';
  /** Transformer Engine's in-place loss, Megatron's fused or plain vocab-parallel loss, or torch's. Default by stack. */
  readonly crossEntropy?: 'te-fused' | 'fused' | 'native';
  /** transformers: head and loss in one kernel that never holds all logits, of `cut_cross_entropy` or of Liger. Default: neither. */
  readonly linearLoss?: 'cut' | 'liger';
  /** Megatron `--make-vocab-size-divisible-by`; 1 where the stack does not pad. Default 128 on Megatron, else 1. */
  readonly vocabDivisor?: number;
  /** Dropout after attention and feed-forward (keeps one mask byte an element). Default false. */
  readonly hiddenDropout?: boolean;
  readonly attentionDropout?: boolean;
  /** Megatron's data loader makes one S x S boolean mask a microbatch. Default false. */
  readonly dataloaderMask?: boolean;
  /** Rotary embedding in one kernel; plain PyTorch keeps the tables of every layer. Default true on `te`. */
  readonly ropeFusion?: boolean;
  readonly positions?: 'rope' | 'learned' | 'none';
  readonly dispatcher?: 'allgather' | 'alltoall' | 'deepep';
  /** Experts in one grouped matrix multiplication. Default true. */
  readonly groupedGemm?: boolean;
  /** `moe-expert-capacity-factor`: tokens an expert takes are capped at this times the mean. */
  readonly capacityFactor?: number;
  /** Tokens on this rank's experts over the mean (1 = balanced routing). Default 1. */
  readonly expertImbalance?: number;
  /** Context parallelism by all-to-all keeps one more attention output. Default true, as TE's p2p path does too. */
  readonly contextKeepsOutput?: boolean;
  /** torchtitan `fsdp_reshard_after_forward`. Default `default`: always without pipeline stages, never with them. */
  readonly reshard?: 'default' | 'always' | 'never';
  /** torchtitan selective recompute keeps matrix products (`op`) or every n-th layer. */
  readonly selective?: 'op' | number;
  /** `torch.compile` of every layer, as torchtitan does it. Default false. */
  readonly compile?: boolean;
  /** The loss is compiled too. Default: as the layers. */
  readonly compileLoss?: boolean;
  /** Cross entropy computed on vocabulary shards (torchtitan loss parallel). Default true with tensor parallelism. */
  readonly lossParallel?: boolean;
  /** FSDP gathers in this many bytes an element. Default 2 (BF16). */
  readonly lowPrecisionBytes?: number;
  /** torchao `enable_fsdp_float8_all_gather`: FSDP gathers the weights of Linear layers in FP8. Default false. */
  readonly gatherInFp8?: boolean;
  /** DeepSpeed buckets, in elements. Defaults 5e8, 5e8, 5e7 and 1e5. */
  readonly reduceBucketSize?: number;
  readonly allgatherBucketSize?: number;
  readonly prefetchBucketSize?: number;
  readonly persistenceThreshold?: number;
  /** DeepSpeed `stage3_max_live_parameters` and `stage3_max_reuse_distance`, in elements. Default 1e9. */
  readonly maxLiveParameters?: number;
  readonly maxReuseDistance?: number;
  readonly overlapComm?: boolean;
  /** Megatron: workspace of one cuBLAS handle in bytes where the environment fixes it. */
  readonly cublasWorkspaceBytes?: number;
  /** Megatron `--tp-comm-overlap`: products of tensor parallelism run on three streams, each with a workspace of its own. Default false. */
  readonly tensorOverlap?: boolean;
  /** Megatron `--num-distributed-optimizer-instances`: copies of the sharded optimizer state. Default 1. */
  readonly optimizerInstances?: number;
  /** Megatron `--wgrad-deferral-limit` of `--defer-embedding-wgrad-compute`: microbatches whose logit gradients wait. Default 0. */
  readonly deferredHeadGradients?: number;
  /**
   * Whose model code runs: Megatron's modules, torchtitan's, or transformers'. Default by stack: `titan` on fsdp2, `transformers` on
   * fsdp1, ddp and deepspeed without tensor or pipeline parallelism, else `megatron`. `dualpipe`: plain PyTorch modules under
   * deepseek-ai/DualPipe's runtime, schedule `dualpipe` or `dualpipev`.
   */
  readonly modelCode?: 'megatron' | 'titan' | 'transformers' | 'dualpipe';
  /** `dualpipe`: embedding and head belong to the first and last stage. Default true; false as in DualPipe's own example. */
  readonly pipelinedTables?: boolean;
  /** Mixed precision by `torch.autocast` over FP32 parameters (transformers' `bf16: true` on FP32 weights). Default false. */
  readonly autocast?: boolean;
  /** Low-rank adapters on frozen weights: module names (`q_proj`; empty or absent: every Linear of a layer), bytes of an adapter weight (default 4: peft keeps them in FP32). */
  readonly lora?: { readonly rank: number; readonly targets?: readonly string[]; readonly bytes?: number };
  /** QLoRA: frozen Linear weights stored in 4 bits (bitsandbytes NF4) or 8, opened to BF16 for every product. Default false. */
  readonly quantizedBase?: boolean;
  /** Bytes an element of a quantized base weight, its scales included. Default 0.5 + 0.5/64 × ... of NF4 with double quantization. */
  readonly baseBytes?: number;
  /** How torch's optimizer runs: one kernel, lists of tensors with one temporary list, or tensor by tensor. Default `foreach`; `fused` under DeepSpeed. */
  readonly optimizerStep?: 'fused' | 'foreach' | 'for-loop';
  /** DistributedDataParallel `gradient_as_bucket_view`: gradients live in the buckets. Default false: beside them. */
  readonly gradientBucketView?: boolean;
  /** FSDP: communication of gradients in this many bytes an element. Default 4, or the parameters' own. */
  readonly reduceBytes?: number;
  /** Megatron `activation_func_fp8_input_store`: what the activation function reads is kept in FP8, without scales. Default false. */
  readonly activationInFp8?: boolean;
  /** Transformer Engine's attention in FP8 (`fp8_dot_product_attention`): query, key and value are kept in FP8. Default false. */
  readonly attentionInFp8?: boolean;
  /** Megatron `use_precision_aware_optimizer`: the step reads gradients in their own format and makes no FP32 copy. Default false. */
  readonly decoupledGradients?: boolean;
  /** Megatron `cuda_graph_scope` under `cuda_graph_impl=transformer_engine`: parts of a layer captured in graphs. Default none. */
  readonly graphedModules?: readonly string[];
  /** Megatron `offload_modules` of `fine_grained_activation_offloading`: modules whose inputs wait in host memory. Default none. */
  readonly offloadedModules?: readonly string[];
  /** Megatron `optimizer_offload_fraction`: share of the optimizer's states in host memory where they are offloaded. Default 1. */
  readonly offloadFraction?: number;
  /** Communicators a rank opens; each holds device memory outside the allocator. Default counted from the layout. */
  readonly communicators?: number;
}

/** Everything the training estimate reads. */
export interface TrainingInput {
  readonly model: ModelSpec;
  readonly layout: LayoutSpec;
  readonly precision: PrecisionSpec;
  readonly optimizer: OptimizerSpec;
  readonly recompute: RecomputeSpec;
  readonly batch: BatchSpec;
  readonly pipeline: PipelineSpec;
  readonly quantization?: QuantizationSpec;
  readonly experts?: ExpertsSpec;
  readonly cluster?: ClusterSpec;
  readonly details?: TrainingDetails;
}

/** Everything the serving estimate reads. */
export interface ServingInput {
  readonly model: ModelSpec;
  readonly layout: LayoutSpec;
  readonly serving: ServingSpec;
  readonly quantization?: QuantizationSpec;
  readonly experts?: ExpertsSpec;
  readonly cluster?: ClusterSpec;
}

/** A value the estimate cannot work with. Data, not text: the caller words the message. */
export interface MemoryRefusal {
  /** Dotted plan field, such as `layout.tensor`. */
  readonly field: string;
  readonly value: number | string;
  /** `positive-integer`, `not-negative`, `too-large`, `not-a-number`, `divides`, `unknown`. */
  readonly rule: 'positive-integer' | 'not-negative' | 'too-large' | 'not-a-number' | 'divides' | 'unknown';
  readonly nearest?: number;
}

/** Largest size the arithmetic stays exact with: beyond it products leave the range of exact integers by far. */
export const LARGEST_SIZE = 2 ** 40;

/** Most decoder layers that an estimate walks through one by one. */
export const LARGEST_LAYERS = 65_536;

function checkSize(refusals: MemoryRefusal[], field: string, value: number | undefined, least: number): void {
  if (value === undefined) return;
  if (typeof value !== 'number' || Number.isNaN(value))
    refusals.push({ field, value: String(value), rule: 'not-a-number' });
  else if (value < least)
    refusals.push({ field, value, rule: least > 0 ? 'positive-integer' : 'not-negative', nearest: least });
  else if (!Number.isInteger(value))
    refusals.push({
      field,
      value: Number.isFinite(value) ? value : String(value),
      rule: 'positive-integer',
      nearest: Number.isFinite(value) ? Math.max(least, Math.round(value)) : LARGEST_SIZE,
    });
  else if (value > LARGEST_SIZE) refusals.push({ field, value, rule: 'too-large', nearest: LARGEST_SIZE });
}

/** Refusals for the sizes of a model; empty when the arithmetic can run. */
export function refuseModel(model: ModelSpec): MemoryRefusal[] {
  const out: MemoryRefusal[] = [];
  const need: readonly (keyof ModelSpec)[] = ['layers', 'hiddenSize', 'vocabSize', 'heads', 'kvHeads', 'headDim'];
  for (const key of need) checkSize(out, `model.${key}`, (model[key] as number | undefined) ?? Number.NaN, 1);
  const may: readonly (keyof ModelSpec)[] = [
    'intermediateSize',
    'qLoraRank',
    'kvLoraRank',
    'qkNopeHeadDim',
    'qkRopeHeadDim',
    'vHeadDim',
    'indexHeads',
    'indexHeadDim',
    'learnedPositions',
    'experts',
    'expertsPerToken',
    'expertIntermediateSize',
    'sharedExperts',
    'sharedExpertIntermediateSize',
    'mtpLayers',
    'normsPerLayer',
    'slidingWindow',
  ];
  for (const key of may) checkSize(out, `model.${key}`, model[key] as number | undefined, 0);
  if (model.layers > LARGEST_LAYERS && Number.isFinite(model.layers) && out.length === 0)
    out.push({ field: 'model.layers', value: model.layers, rule: 'too-large', nearest: LARGEST_LAYERS });
  if (model.moeLayers !== undefined && model.moeLayers.length > model.layers) {
    out.push({ field: 'model.moeLayers', value: model.moeLayers.length, rule: 'too-large', nearest: model.layers });
  }
  return out;
}

/** Refusals for the degrees of a layout. */
export function refuseLayout(layout: LayoutSpec): MemoryRefusal[] {
  const out: MemoryRefusal[] = [];
  const degrees: readonly (keyof LayoutSpec)[] = [
    'worldSize',
    'tensor',
    'pipeline',
    'virtualPipeline',
    'context',
    'expert',
    'expertTensor',
    'data',
    'attentionData',
  ];
  for (const key of degrees) checkSize(out, `layout.${key}`, (layout[key] as number | undefined) ?? Number.NaN, 1);
  checkSize(out, 'layout.dataShard', layout.dataShard, 1);
  checkSize(out, 'layout.dataReplicate', layout.dataReplicate, 1);
  for (const count of layout.stageLayers ?? []) checkSize(out, 'layout.stageLayers', count, 0);
  if (out.length === 0 && layout.pipeline * layout.virtualPipeline > 65_536) {
    out.push({ field: 'layout.pipeline', value: layout.pipeline, rule: 'too-large', nearest: 65_536 });
  }
  return out;
}

/** All refusals of a training input, in field order. */
export function refuseTraining(input: TrainingInput): MemoryRefusal[] {
  const out = [...refuseModel(input.model), ...refuseLayout(input.layout)];
  checkSize(out, 'batch.microBatch', input.batch.microBatch, 1);
  checkSize(out, 'batch.microbatches', input.batch.microbatches, 1);
  checkSize(out, 'batch.sequenceLength', input.batch.sequenceLength, 1);
  checkSize(out, 'recompute.layers', input.recompute.layers, 0);
  checkSize(out, 'pipeline.groupSize', input.pipeline.groupSize, 1);
  const { stageLayers } = input.layout;
  if (out.length === 0 && stageLayers !== undefined && stageLayers.reduce((a, b) => a + b, 0) > input.model.layers) {
    out.push({
      field: 'layout.stageLayers',
      value: stageLayers.reduce((a, b) => a + b, 0),
      rule: 'too-large',
      nearest: input.model.layers,
    });
  }
  return out;
}
