import type { TrainingInput } from './input';
import { sharedWidth } from './tensors';

/**
 * Sizes that every activation formula uses, once a plan: tokens and widths as one rank sees them.
 * Names follow the papers: T tokens of a microbatch on a context-parallel rank, h hidden, t tensor parallelism.
 */
export interface Dims {
  /** Tokens of one microbatch on one rank: sequence × micro batch / context. */
  readonly T: number;
  /** Sequence on one context-parallel rank. */
  readonly S: number;
  readonly microBatch: number;
  readonly h: number;
  readonly t: number;
  /** Divisor of hidden-wide tensors outside the matrix products: t with sequence parallelism, else 1. */
  readonly sp: number;
  /** Query and KV heads on one rank. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** Inner widths on one rank. */
  readonly f: number;
  readonly fe: number;
  readonly fs: number;
  readonly experts: number;
  readonly localExperts: number;
  readonly topk: number;
  /** Token copies that reach this rank's experts. */
  readonly Te: number;
  /** Vocabulary rows on one rank, padded. */
  readonly V: number;
  readonly gated: boolean;
  /** MLA ranks and head widths; 0 where the model has none. */
  readonly qRank: number;
  readonly kvRank: number;
  readonly rope: number;
  readonly qkDim: number;
  readonly vDim: number;
  readonly mla: boolean;
}

/** Rows of the vocabulary a rank holds: padded to a multiple of divisor × t, as Megatron's tokenizer does. */
export function paddedVocab(vocab: number, divisor: number, t: number): number {
  const unit = Math.max(1, divisor * t);
  return Math.ceil(vocab / unit) * unit;
}

export function dimsOf(input: TrainingInput): Dims {
  const { model, layout, batch, details } = input;
  const t = layout.tensor;
  const sp = layout.sequenceParallel ? t : 1;
  const T = (batch.sequenceLength * batch.microBatch) / layout.context;
  const topk = model.expertsPerToken ?? 0;
  const etp = layout.expertTensor;
  const megatron =
    input.optimizer.stack === 'megatron' || input.optimizer.stack === 'hai-llm' || input.optimizer.stack === 'nanotron';
  const divisor = details?.vocabDivisor ?? (megatron ? 128 : 1);
  const crowd = Math.min(details?.expertImbalance ?? 1, layout.expert);
  const mla = model.attention === 'mla';
  return {
    T,
    S: batch.sequenceLength / layout.context,
    microBatch: batch.microBatch,
    h: model.hiddenSize,
    t,
    sp,
    heads: model.heads / t,
    kvHeads: Math.max(1, model.kvHeads / t),
    headDim: model.headDim,
    f: model.intermediateSize / t,
    fe: (model.expertIntermediateSize ?? 0) / etp,
    fs: sharedWidth(model) / t,
    experts: model.experts ?? 0,
    localExperts: (model.experts ?? 0) / layout.expert,
    topk,
    Te: ((T * topk * etp) / t) * (details?.capacityFactor ?? 1) * crowd,
    V: paddedVocab(model.vocabSize, divisor, t) / t,
    gated: model.gatedMlp,
    qRank: mla ? (model.qLoraRank ?? 0) : 0,
    kvRank: mla ? (model.kvLoraRank ?? 0) : 0,
    rope: mla ? (model.qkRopeHeadDim ?? 0) : 0,
    qkDim: mla ? (model.qkNopeHeadDim ?? 0) + (model.qkRopeHeadDim ?? 0) : model.headDim,
    vDim: mla ? (model.vHeadDim ?? model.headDim) : model.headDim,
    mla,
  };
}
