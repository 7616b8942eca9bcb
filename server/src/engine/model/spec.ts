import type { EncoderSpec } from './encoder';

/** What mixes tokens in one decoder layer: attention, a gated delta rule (Qwen3-Next), a Mamba-2 block, or nothing. */
export type LayerMixer = 'attention' | 'delta' | 'mamba2' | 'none';

/**
 * The shape of one transformer model, in the vocabulary of a Hugging Face `config.json` but with one name a concept.
 * Every field is a plain value so that the Plan can attach provenance to each of them.
 */
export interface ModelSpec {
  /** Name shown to users, such as `deepseek-ai/DeepSeek-V3`. */
  readonly name: string;
  /** `architectures[0]` of the config, where known. */
  readonly architecture?: string;
  /** `model_type` of the config, where known. */
  readonly family?: string;

  /** Decoder layers, without multi-token-prediction layers. */
  readonly layers: number;
  readonly hiddenSize: number;
  /** Inner width of a dense feed-forward layer. */
  readonly intermediateSize: number;
  readonly vocabSize: number;
  /** Query heads. */
  readonly heads: number;
  /** Key/value heads; equal to `heads` for multi-head attention. */
  readonly kvHeads: number;
  /** Width of one head. Not always `hiddenSize / heads`. */
  readonly headDim: number;
  readonly attention: 'gqa' | 'mla';

  /** MLA: rank of the query down-projection; absent when queries are projected directly. */
  readonly qLoraRank?: number;
  readonly kvLoraRank?: number;
  readonly qkNopeHeadDim?: number;
  readonly qkRopeHeadDim?: number;
  readonly vHeadDim?: number;
  /** DeepSeek sparse attention indexer (V3.2). */
  readonly indexHeads?: number;
  readonly indexHeadDim?: number;
  readonly indexTopk?: number;

  readonly tiedEmbeddings: boolean;
  /** Gated (SwiGLU/GeGLU, three matrices) or plain (two matrices) feed-forward. */
  readonly gatedMlp: boolean;
  readonly mlpBias: boolean;
  readonly qkvBias: boolean;
  readonly attentionOutputBias: boolean;
  readonly attentionSinks: boolean;
  /** Norm over each head (`head`), over the whole projection (`full`), or none. */
  readonly qkNorm: 'none' | 'head' | 'full';
  /** RMS/LayerNorm modules a decoder layer (2, or 4 for Gemma 2/3). 0: norms without weights, the final one too (OLMo 1). */
  readonly normsPerLayer: number;
  /** LayerNorm with bias instead of RMSNorm. */
  readonly normBias: boolean;
  /** Learned absolute position table, rows; absent for rotary models. */
  readonly learnedPositions?: number;
  /** LayerNorm right after the embedding (BLOOM). */
  readonly embeddingNorm?: boolean;
  /** Bias of the output head (Phi, Phi-MoE). */
  readonly headBias?: boolean;
  /** Query projection also makes an output gate, so it is twice as wide (Qwen3-Next, Qwen3.5). */
  readonly attentionGate?: boolean;
  /** Layers with their own DSA indexer; absent: all of them where `indexHeads` is set (GLM-5.2 shares indexers). */
  readonly indexerLayers?: readonly boolean[];

  /** Token mixer of every decoder layer of a hybrid; absent: attention everywhere. */
  readonly mixers?: readonly LayerMixer[];
  /** False where a decoder layer has no feed-forward (Nemotron-H); absent: every layer has one. */
  readonly feedForwardLayers?: readonly boolean[];
  /** Gated delta rule: heads and their widths. */
  readonly linearKeyHeads?: number;
  readonly linearValueHeads?: number;
  readonly linearKeyHeadDim?: number;
  readonly linearValueHeadDim?: number;
  /** Mamba-2: heads, their width, groups that share B and C, and the state size. */
  readonly ssmHeads?: number;
  readonly ssmHeadDim?: number;
  readonly ssmGroups?: number;
  readonly ssmStateSize?: number;
  /** Width of the causal convolution before a delta or Mamba-2 block, and whether it has a bias. */
  readonly convKernel?: number;
  readonly convBias?: boolean;

  /** Routed experts a MoE layer; absent or 0 for a dense model. */
  readonly experts?: number;
  readonly expertsPerToken?: number;
  /** Inner width of one routed expert. */
  readonly expertIntermediateSize?: number;
  /** Shared experts a MoE layer, as a count of `expertIntermediateSize`-wide experts. */
  readonly sharedExperts?: number;
  /** Total inner width of the shared expert block; defaults to `sharedExperts * expertIntermediateSize`. */
  readonly sharedExpertIntermediateSize?: number;
  /** Routed experts work at this width between two projections that a layer's experts share (Nemotron-3 Super). */
  readonly expertLatentSize?: number;
  /** Qwen2-MoE style sigmoid gate on the shared expert (hiddenSize weights). */
  readonly sharedExpertGate?: boolean;
  /** Bias inside expert matrices (gpt-oss). */
  readonly expertBias?: boolean;
  /** Bias of the router projection (gpt-oss). */
  readonly routerBias?: boolean;
  /** `e_score_correction_bias`, kept in FP32 (DeepSeek-V3, Kimi, GLM-4.5, MiniMax). */
  readonly routerCorrectionBias?: boolean;
  /** Expert groups of group-limited routing, and how many a token may use. */
  readonly expertGroups?: number;
  readonly groupsPerToken?: number;
  /** One entry a decoder layer: true where the feed-forward is MoE. Absent for dense models. */
  readonly moeLayers?: readonly boolean[];

  /** Multi-token-prediction layers after the decoder. */
  readonly mtpLayers?: number;
  /** The checkpoint repeats embedding and head for every MTP layer (DeepSeek-V3, GLM-4.5), though memory holds one copy. */
  readonly mtpStoresTables?: boolean;
  /** The checkpoint stores `lm_head` although it is tied to the embedding. */
  readonly storesTiedHead?: boolean;
  /** The checkpoint stores the rotary `inv_freq` buffer of every layer, as transformers did before 4.32. */
  readonly storesRotary?: boolean;
  /** Window of sliding-window layers, in tokens, and which layers use it. */
  readonly slidingWindow?: number;
  readonly slidingLayers?: readonly boolean[];
  readonly maxPositions?: number;
  /** Vision tower of a multimodal model; engines load it unless told to serve the language model alone. */
  readonly encoder?: EncoderSpec;
}

/** Optional fields, for code that copies a model field by field. */
export const OPTIONAL_MODEL_FIELDS = [
  'architecture',
  'family',
  'qLoraRank',
  'kvLoraRank',
  'qkNopeHeadDim',
  'qkRopeHeadDim',
  'vHeadDim',
  'indexHeads',
  'indexHeadDim',
  'indexTopk',
  'learnedPositions',
  'embeddingNorm',
  'headBias',
  'attentionGate',
  'indexerLayers',
  'mixers',
  'feedForwardLayers',
  'linearKeyHeads',
  'linearValueHeads',
  'linearKeyHeadDim',
  'linearValueHeadDim',
  'ssmHeads',
  'ssmHeadDim',
  'ssmGroups',
  'ssmStateSize',
  'convKernel',
  'convBias',
  'experts',
  'expertsPerToken',
  'expertIntermediateSize',
  'sharedExperts',
  'sharedExpertIntermediateSize',
  'expertLatentSize',
  'sharedExpertGate',
  'expertBias',
  'routerBias',
  'routerCorrectionBias',
  'expertGroups',
  'groupsPerToken',
  'moeLayers',
  'mtpLayers',
  'mtpStoresTables',
  'storesTiedHead',
  'storesRotary',
  'slidingWindow',
  'slidingLayers',
  'maxPositions',
  'encoder',
] as const satisfies readonly (keyof ModelSpec)[];

/** True when decoder layer `layer` (from 0) has routed experts. */
export function isMoeLayer(model: ModelSpec, layer: number): boolean {
  return model.moeLayers?.[layer] ?? false;
}
