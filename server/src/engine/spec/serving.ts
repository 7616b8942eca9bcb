import type { DType } from './numbers';

export type ServingStack = 'sglang' | 'vllm' | 'tensorrt-llm' | 'generic';

/** How a model is served. Sizes in tokens unless named bytes. */
export interface ServingSpec {
  readonly stack: ServingStack;
  readonly kvDType: DType;
  /** Layout of one MLA cache entry: plain latent + rope, or FlashMLA's 656-byte FP8 record. */
  readonly kvLayout: 'plain' | 'fp8-ds-mla';
  /** Tokens a cache page. */
  readonly pageSize: number;
  /** SGLang `mem_fraction_static`, vLLM `gpu_memory_utilization`, TensorRT-LLM `free_gpu_memory_fraction`. */
  readonly memoryFraction?: number;
  readonly contextLength?: number;
  readonly maxConcurrency?: number;
  readonly chunkedPrefill?: number;
  readonly cudaGraphMaxBatch?: number;
  /** Tensor-parallel degree of dense feed-forward layers under DP attention (SGLang `moe_dense_tp_size`). */
  readonly denseTensor?: number;
  /** DP attention also splits the LM head by data rank. */
  readonly dataParallelLmHead?: boolean;
  readonly speculativeTokens?: number;
}

/** Placement of experts while serving or training. */
export interface ExpertsSpec {
  /** Physical slots beyond one a logical expert, over all ranks. */
  readonly redundant: number;
  readonly algorithm: 'trivial' | 'eplb' | 'eplb-global' | 'custom';
  /** File that holds loads or a placement, as written in the config. */
  readonly locationFile?: string;
  readonly dispatch?: 'static' | 'dynamic' | 'lp';
}
