import type { DType } from './numbers';

/** Storage formats of a training job. */
export interface PrecisionSpec {
  /** Model weights as kept on the device between steps. */
  readonly weights: DType;
  /** Format of matrix multiplications: the FP8 recipe, or BF16. */
  readonly compute: DType;
  /** Accumulated (main) gradients. */
  readonly gradients: DType;
  readonly masterWeights: DType | 'none';
  readonly firstMoment: DType;
  readonly secondMoment: DType;
  readonly fp8Recipe: 'none' | 'delayed' | 'tensorwise' | 'rowwise' | 'blockwise' | 'mxfp8' | 'nvfp4';
  /** FP8 weights are the primary copy (Megatron `--fp8-param-gather`, DeepSeek-V3). */
  readonly fp8Weights: boolean;
  /** Activations saved for the weight gradient are kept in FP8 (DeepSeek-V3 recipe). */
  readonly fp8Activations: boolean;
}

/** Which framework's memory behaviour is modelled. */
export type TrainingStack = 'megatron' | 'fsdp2' | 'fsdp1' | 'ddp' | 'deepspeed' | 'hai-llm' | 'nanotron';

export interface OptimizerSpec {
  readonly kind: 'adam' | 'muon' | 'sgd' | 'adam8bit' | 'adafactor' | 'lion';
  /** 0 none, 1 optimizer states, 2 plus gradients, 3 plus parameters. */
  readonly zeroStage: 0 | 1 | 2 | 3;
  readonly stack: TrainingStack;
  readonly offloadOptimizer: boolean;
  readonly offloadParameters: boolean;
  /** FSDP: parameters are freed after forward. */
  readonly reshardAfterForward: boolean;
  /** Megatron/TE fused weight-gradient accumulation, which keeps dummy gradients alive. */
  readonly gradientAccumulationFusion: boolean;
}

export interface RecomputeSpec {
  readonly granularity: 'none' | 'selective' | 'full';
  readonly method?: 'uniform' | 'block';
  /** Layers a chunk (`uniform`) or a stage (`block`). */
  readonly layers?: number;
  /** Megatron module names: core_attn, moe_act, layernorm, mla_up_proj, mlp, moe, shared_experts. */
  readonly modules?: readonly string[];
}

export interface BatchSpec {
  /** Samples of one microbatch on one data-parallel rank. */
  readonly microBatch: number;
  /** Samples of one optimizer step over all ranks. */
  readonly globalBatch: number;
  /** Microbatches a data-parallel rank runs in one step. */
  readonly microbatches: number;
  readonly sequenceLength: number;
  /** Samples of one evaluation step over all ranks, where they differ from those of training. */
  readonly evalGlobalBatch?: number;
  /** Samples of one evaluation microbatch, where they differ from those of training. */
  readonly evalMicroBatch?: number;
}

export type ScheduleKind =
  | 'gpipe'
  | '1f1b'
  | 'interleaved'
  | 'looped-bfs'
  | 'zb-h1'
  | 'zb-h2'
  | 'zb-v'
  | 'v-half'
  | 'v-min'
  | 'dualpipe'
  | 'dualpipev'
  | '1f1b-ep-overlap'
  | 'interleaved-torch'
  | 'interleaved-zb-torch'
  | 'zbv-torch';

/** Durations of one stage pass, in the unit the caller chooses. `B` is a full backward, `FB` one overlapped block. */
export interface Durations {
  readonly F: number;
  readonly B: number;
  readonly I: number;
  readonly W: number;
  readonly FB: number;
  /** Latency of one point-to-point transfer between different ranks. */
  readonly comm: number;
}

export interface PipelineSpec {
  readonly kind: ScheduleKind;
  /** Megatron `microbatch_group_size_per_vp_stage`; defaults to the pipeline size. */
  readonly groupSize?: number;
  /** Typed-in durations; absent when the cost model supplies them. */
  readonly durations?: Durations;
}
