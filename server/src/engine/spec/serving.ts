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
  /** Tensor-parallel degree of shared experts; 1 where every rank keeps them whole (DeepEP and other all-to-all backends of SGLang). */
  readonly sharedTensor?: number;
  /** DP attention also splits the LM head by data rank. */
  readonly dataParallelLmHead?: boolean;
  readonly speculativeTokens?: number;

  /** vLLM `enforce_eager`, SGLang `disable_cuda_graph`: no graphs are captured. */
  readonly eager?: boolean;
  /** Release of the engine, such as `0.11.0`, where an image tag or a requirement names it. Absent: the newest known. */
  readonly version?: string;
  /** Ranks over which the tokens of one sequence's cache are interleaved (vLLM `decode_context_parallel_size`). */
  readonly decodeContext?: number;
  /** vLLM `enable_prefix_caching` (default true); hybrids keep one more state block a sequence for it. */
  readonly prefixCaching?: boolean;
  /** Format of recurrent states (vLLM `mamba_ssm_cache_dtype`, SGLang `mamba_ssm_dtype`); FP32 where the model's config says nothing. */
  readonly stateDType?: DType;
  /** SGLang `mamba_full_memory_ratio`: bytes of states over bytes of the token cache. */
  readonly stateRatio?: number;
  /** SGLang `max_mamba_cache_size`: sequences whose state is kept. */
  readonly stateSlots?: number;
  /** SGLang `swa_full_tokens_ratio`: tokens of sliding-window layers over those of full layers. */
  readonly slidingRatio?: number;
  /** The cache keeps all tokens of sliding-window layers (vLLM `disable_hybrid_kv_cache_manager`, SGLang `disable_hybrid_swa_memory`). */
  readonly uniformCache?: boolean;
  /** Bytes given to the cache outright (vLLM `kv_cache_memory_bytes`, TensorRT-LLM `max_gpu_total_bytes`). */
  readonly poolBytes?: number;
  /** Largest capacity in tokens whatever the bytes (SGLang `max_total_tokens`, TensorRT-LLM `max_tokens`). */
  readonly maxCacheTokens?: number;
  /** Bytes on one rank of an encoder for images or sound, and of a draft model that is a file of its own. */
  readonly encoderBytes?: number;
  readonly draftBytes?: number;
  /** Bytes that one token adds to the cache of a draft model of its own, on one rank. */
  readonly draftBytesPerToken?: number;
  /** The encoder is not loaded (vLLM `language_model_only`). */
  readonly languageOnly?: boolean;
  /** One forward of a plain transformers process: sequences of so many tokens, with the last logits or all of them. */
  readonly prompt?: {
    readonly sequences: number;
    readonly tokens: number;
    readonly allLogits?: boolean;
    /** Tokens a sequence that a static cache is made for; absent: as many as the prompt has. */
    readonly cacheTokens?: number;
  };
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
