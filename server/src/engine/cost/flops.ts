import { layerKinds, modelTensors, type LayerKind } from '../model/inventory';
import type { ModelSpec } from '../model/spec';
import { size, type TensorShape } from '../model/tensors';

/** How attention scores are counted: a causal kernel skips half of them, an older convention counts all. */
export interface FlopsOptions {
  readonly sequenceLength: number;
  /** Default true. */
  readonly causal?: boolean;
  /** Counts multi-token-prediction layers, which train but seldom serve. Default false. */
  readonly mtp?: boolean;
}

/** Floating-point operations of one token, a multiplication and an addition counted as two. */
export interface Flops {
  /** Products with weights of attention, dense layers, router, shared and routed experts. */
  readonly linear: number;
  /** Scores and their product with values (or the state update of a recurrent mixer). */
  readonly attention: number;
  /** Output head, once more for every multi-token-prediction layer. */
  readonly head: number;
  readonly total: number;
}

/** A weight that tokens are multiplied with; norms, biases and tables are not. */
export function isProduct(tensor: TensorShape): boolean {
  return tensor.storage === 'linear' || tensor.storage === 'router' || tensor.storage === 'gate';
}

/** Share of routed experts that one token passes. */
export function routedShare(model: ModelSpec): number {
  const experts = size(model.experts);
  if (experts === 0) return 0;
  return Math.min(experts, size(model.expertsPerToken) || experts) / experts;
}

/**
 * Keys that a query of a sequence sees, on average. Causal attention sees half of them; a window or a sparse index cuts the rest:
 * of `s` queries the first `w` see a growing prefix, the others `w` keys.
 */
export function meanContext(sequence: number, window: number | undefined, causal: boolean): number {
  const limit = window === undefined || window <= 0 ? sequence : Math.min(window, sequence);
  if (!causal) return limit;
  return sequence <= 0 ? 0 : limit - (limit * limit) / (2 * sequence);
}

/** Width of query-key and value products over all heads. */
export function headWidths(model: ModelSpec): { readonly scores: number; readonly values: number } {
  const heads = size(model.heads);
  if (model.attention === 'mla')
    return {
      scores: heads * (size(model.qkNopeHeadDim) + size(model.qkRopeHeadDim)),
      values: heads * size(model.vHeadDim),
    };
  return { scores: heads * size(model.headDim), values: heads * size(model.headDim) };
}

/** Forward operations of the token mixer itself, without projections, of one token in one layer. */
function mixerFlops(model: ModelSpec, kind: LayerKind, layer: number, options: FlopsOptions): number {
  switch (kind.mixer) {
    case 'attention': {
      const sliding = model.slidingLayers?.[layer] === true ? model.slidingWindow : undefined;
      const causal = options.causal ?? true;
      const sparse = kind.tensors.some(({ path }) => path.includes('.indexer.')) ? model.indexTopk : undefined;
      const context = meanContext(options.sequenceLength, sliding ?? sparse, causal);
      const { scores, values } = headWidths(model);
      const indexer =
        sparse === undefined
          ? 0
          : 2 *
            size(model.indexHeads) *
            size(model.indexHeadDim) *
            meanContext(options.sequenceLength, undefined, causal);
      return 2 * context * (scores + values) + indexer;
    }
    // Seven operations an element of the state: Megatron-LM megatron/training/training.py, num_floating_point_operations (mamba layer).
    case 'mamba2':
      return 7 * size(model.ssmHeads) * size(model.ssmHeadDim) * size(model.ssmStateSize);
    // Decay, read, correct and write of a key x value state: arXiv 2412.06464, equation 10.
    case 'delta':
      return 8 * size(model.linearValueHeads) * size(model.linearKeyHeadDim) * size(model.linearValueHeadDim);
    case 'none':
      return 0;
  }
}

function linearFlops(model: ModelSpec, tensors: readonly TensorShape[]): number {
  const share = routedShare(model);
  return tensors
    .filter(isProduct)
    .reduce(
      (sum, { rows, columns, copies, part }) => sum + 2 * rows * columns * copies * (part === 'experts' ? share : 1),
      0,
    );
}

/** Operations of the output head; a tied head multiplies like one of its own. */
export function headFlops(model: ModelSpec): number {
  return 2 * size(model.vocabSize) * size(model.hiddenSize);
}

/**
 * Forward operations of one token: 2 a weight it passes and 2·context·(d_qk + d_v)·heads of attention a layer.
 * The embedding is a look-up and counts nothing. Sources: arXiv 2104.04473 (appendix), Megatron-LM
 * megatron/training/training.py `num_floating_point_operations`; experts by top-k over experts.
 */
export function forwardFlops(model: ModelSpec, options: FlopsOptions): Flops {
  let linear = 0;
  let attention = 0;
  const outside = modelTensors(model).filter(({ part }) => part !== 'head');
  linear += linearFlops(model, outside);
  let heads = 1;
  for (const kind of layerKinds(model)) {
    if (kind.mtp && options.mtp !== true) continue;
    linear += linearFlops(model, kind.tensors) * kind.layers.length;
    for (const layer of kind.layers) attention += mixerFlops(model, kind, layer, options);
    if (kind.mtp) heads += kind.layers.length;
  }
  const head = headFlops(model) * heads;
  return { linear, attention, head, total: linear + attention + head };
}

/**
 * Operations that training needs for one token, as "model FLOPs" are counted: forward once and backward twice.
 * Recomputation is not counted (arXiv 2205.05198, section 5: MFU against HFU).
 */
export function trainingFlops(model: ModelSpec, options: FlopsOptions): Flops {
  const { linear, attention, head, total } = forwardFlops(model, options);
  return { linear: 3 * linear, attention: 3 * attention, head: 3 * head, total: 3 * total };
}
