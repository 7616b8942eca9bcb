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
  /** RMS/LayerNorm modules a decoder layer (2, or 4 for Gemma 2/3). */
  readonly normsPerLayer: number;
  /** LayerNorm with bias instead of RMSNorm. */
  readonly normBias: boolean;
  /** Learned absolute position table, rows; absent for rotary models. */
  readonly learnedPositions?: number;

  /** Routed experts a MoE layer; absent or 0 for a dense model. */
  readonly experts?: number;
  readonly expertsPerToken?: number;
  /** Inner width of one routed expert. */
  readonly expertIntermediateSize?: number;
  /** Shared experts a MoE layer, as a count of `expertIntermediateSize`-wide experts. */
  readonly sharedExperts?: number;
  /** Total inner width of the shared expert block; defaults to `sharedExperts * expertIntermediateSize`. */
  readonly sharedExpertIntermediateSize?: number;
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
  /** Window of sliding-window layers, in tokens, and which layers use it. */
  readonly slidingWindow?: number;
  readonly slidingLayers?: readonly boolean[];
  readonly maxPositions?: number;
}

/** True when decoder layer `layer` (from 0) has routed experts. */
export function isMoeLayer(model: ModelSpec, layer: number): boolean {
  return model.moeLayers?.[layer] ?? false;
}
