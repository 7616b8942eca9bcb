import { elementsOf, size, type ModelPart, type TensorShape } from './tensors';
import { layerKinds, modelTensors } from './inventory';
import type { ModelSpec } from './spec';

/** Parameters of a model, each counted once however often a checkpoint stores it. Rotary buffers are no parameters. */
export interface ParameterCounts {
  /** The decoder with embedding and head, without MTP layers: 671,026,419,200 for DeepSeek-V3. */
  readonly total: number;
  /**
   * Parameters that one token passes, embedding and head included: 37.55 B for DeepSeek-V3. Its report says 37 B and leaves the
   * embedding out; Qwen and Mixtral count as here.
   */
  readonly active: number;
  readonly embedding: number;
  /** 0 where the head is tied to the embedding. */
  readonly head: number;
  /** Attention and other token mixers. */
  readonly attention: number;
  readonly dense: number;
  readonly router: number;
  readonly routedExperts: number;
  readonly sharedExperts: number;
  readonly norms: number;
  /** MTP layers without the embedding and head they share with the model. */
  readonly mtp: number;
}

function sums(tensors: readonly TensorShape[]): Map<ModelPart, number> {
  const out = new Map<ModelPart, number>();
  for (const tensor of tensors) {
    if (tensor.storage !== 'buffer') out.set(tensor.part, (out.get(tensor.part) ?? 0) + elementsOf(tensor));
  }
  return out;
}

/** Counts the parameters of a model from its tensor inventory; unusable sizes count as zero. */
export function parameterCounts(model: ModelSpec): ParameterCounts {
  const parts = sums(modelTensors(model));
  let mtp = 0;
  for (const { layers, tensors, mtp: extra } of layerKinds(model)) {
    for (const [part, elements] of sums(tensors)) {
      const all = elements * layers.length;
      if (extra) mtp += all;
      else parts.set(part, (parts.get(part) ?? 0) + all);
    }
  }
  const of = (part: ModelPart): number => parts.get(part) ?? 0;
  const total = [...parts.values()].reduce((sum, value) => sum + value, 0);
  const experts = size(model.experts);
  const used = Math.min(experts, size(model.expertsPerToken) || experts);
  const idle = experts === 0 ? 0 : (of('experts') / experts) * (experts - used);
  return {
    total,
    active: total - idle,
    embedding: of('embedding'),
    head: of('head'),
    attention: of('attention'),
    dense: of('dense'),
    router: of('router'),
    routedExperts: of('experts'),
    sharedExperts: of('shared'),
    norms: of('norms') + of('finalNorm'),
    mtp,
  };
}
