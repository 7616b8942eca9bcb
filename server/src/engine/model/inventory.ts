import { layerNorms, mixerTensors } from './attention-tensors';
import { denseTensors, moeTensors } from './feed-forward-tensors';
import { moduleNames } from './module-names';
import type { LayerMixer, ModelSpec } from './spec';
import { isMoeLayer } from './spec';
import { matrix, normRows, size, vector, type TensorShape } from './tensors';

export type FeedForwardKind = 'dense' | 'moe' | 'none';

/** Layers of equal make-up. Everything a rank holds of them is computed once a kind, never once a layer. */
export interface LayerKind {
  /** Such as `attention+moe`; MTP layers add `mtp:` in front. */
  readonly id: string;
  readonly mixer: LayerMixer;
  readonly feedForward: FeedForwardKind;
  readonly mtp: boolean;
  /** Decoder layers from 0; MTP layers follow the last decoder layer. */
  readonly layers: readonly number[];
  readonly tensors: readonly TensorShape[];
}

/** One group of equal tensors with its place in the model. */
export interface TensorGroup extends TensorShape {
  /** Id of the layer kind; absent for tensors of the model as a whole. */
  readonly kind?: string;
  /** Layers that hold `copies` of this tensor each; empty for tensors of the model as a whole. */
  readonly layers: readonly number[];
}

/** No transformer has more layers; a larger number in a file must not be walked one by one. */
const MOST_LAYERS = 16_384;

/** Decoder layers that the inventory walks. */
export function layerCount(model: ModelSpec): number {
  return Math.min(size(model.layers), MOST_LAYERS);
}

function hasIndexer(model: ModelSpec, layer: number): boolean {
  return size(model.indexHeads) > 0 && (model.indexerLayers?.[layer] ?? true);
}

function tensorsOf(model: ModelSpec, mixer: LayerMixer, feedForward: FeedForwardKind, indexer: boolean): TensorShape[] {
  const own = feedForward === 'dense' ? denseTensors(model) : feedForward === 'moe' ? moeTensors(model) : [];
  return [...mixerTensors(model, mixer, indexer), ...own, ...layerNorms(model)];
}

/**
 * What an MTP layer has beside one decoder layer: norms of the two inputs, the projection that joins them, its final norm, and in some
 * checkpoints a copy of embedding and head. Source: DeepSeek-V3 report (arXiv 2412.19437, section 2.2) and its safetensors index.
 */
function mtpExtras(model: ModelSpec): TensorShape[] {
  const h = size(model.hiddenSize);
  return [
    vector('mtp', 'enorm', normRows(model, h), 'norm'),
    vector('mtp', 'hnorm', normRows(model, h), 'norm'),
    // Published FP8 checkpoints keep this projection in BF16.
    matrix('mtp', 'eh_proj', h, 2 * h, 'column', { storage: 'gate' }),
    vector('mtp', 'shared_head.norm', normRows(model, h), 'norm'),
  ];
}

/** Embedding and head that a checkpoint repeats in an MTP layer; in memory they are those of the model. */
export function repeatedTables(model: ModelSpec): readonly TensorShape[] {
  if (model.mtpStoresTables !== true) return [];
  return [
    matrix('embedding', 'embed_tokens', size(model.vocabSize), size(model.hiddenSize), 'vocab', {
      storage: 'embedding',
    }),
    matrix('head', 'shared_head.head', size(model.vocabSize), size(model.hiddenSize), 'vocab', { storage: 'head' }),
  ];
}

function feedForwardOf(model: ModelSpec, layer: number): FeedForwardKind {
  if (model.feedForwardLayers?.[layer] === false) return 'none';
  return isMoeLayer(model, layer) ? 'moe' : 'dense';
}

/**
 * Kinds of layers of a model, decoder layers first. An MTP layer is one full attention layer with the feed-forward of the last
 * decoder layer that has one (DeepSeek-V3: a MoE layer).
 */
export function layerKinds(model: ModelSpec): readonly LayerKind[] {
  const count = layerCount(model);
  const found = new Map<
    string,
    { mixer: LayerMixer; feedForward: FeedForwardKind; indexer: boolean; layers: number[] }
  >();
  let last: FeedForwardKind = 'dense';
  for (let layer = 0; layer < count; layer += 1) {
    const mixer = model.mixers?.[layer] ?? 'attention';
    const feedForward = feedForwardOf(model, layer);
    if (feedForward !== 'none') last = feedForward;
    const indexer = mixer === 'attention' && hasIndexer(model, layer);
    const id = `${mixer}+${feedForward}${indexer ? '+indexer' : ''}`;
    const kind = found.get(id);
    if (kind === undefined) found.set(id, { mixer, feedForward, indexer, layers: [layer] });
    else kind.layers.push(layer);
  }
  const kinds: LayerKind[] = [...found].map(([id, { mixer, feedForward, indexer, layers }]) => ({
    id,
    mixer,
    feedForward,
    mtp: false,
    layers,
    tensors: tensorsOf(model, mixer, feedForward, indexer),
  }));
  const mtp = Math.min(size(model.mtpLayers), MOST_LAYERS);
  if (mtp > 0) {
    const indexer = size(model.indexHeads) > 0;
    kinds.push({
      id: `mtp:attention+${last}`,
      mixer: 'attention',
      feedForward: last,
      mtp: true,
      layers: Array.from({ length: mtp }, (_, index) => count + index),
      tensors: [...tensorsOf(model, 'attention', last, indexer), ...mtpExtras(model)],
    });
  }
  return kinds;
}

/** Tensors outside the layers: embedding, position table, final norm, head. A tied head is no tensor of its own. */
export function modelTensors(model: ModelSpec): readonly TensorShape[] {
  const h = size(model.hiddenSize);
  const vocabulary = size(model.vocabSize);
  const out = [matrix('embedding', 'embed_tokens', vocabulary, h, 'vocab', { storage: 'embedding' })];
  const positions = size(model.learnedPositions);
  if (positions > 0)
    out.push(matrix('embedding', 'embed_positions', positions, h, 'replicated', { storage: 'embedding' }));
  if (model.embeddingNorm === true) out.push(vector('embedding', 'embedding_norm', normRows(model, h), 'norm'));
  if (size(model.normsPerLayer) > 0) out.push(vector('finalNorm', 'norm', normRows(model, h), 'norm'));
  if (!model.tiedEmbeddings) out.push(matrix('head', 'lm_head', vocabulary, h, 'vocab', { storage: 'head' }));
  if (model.headBias === true) out.push(vector('head', 'lm_head', vocabulary, 'bias', 'vocab'));
  return out;
}

/** Every tensor of the model as it is in memory (tied tables once), in groups of equal tensors. */
export function tensorGroups(model: ModelSpec): readonly TensorGroup[] {
  const inLayers = layerKinds(model).flatMap(({ id, layers, tensors }) =>
    tensors.map((tensor): TensorGroup => ({ ...tensor, kind: id, layers })),
  );
  return [...modelTensors(model).map((tensor): TensorGroup => ({ ...tensor, layers: [] })), ...inLayers];
}

/** Full name of a module as a checkpoint spells it, for one layer of a kind. */
export function modulePath(model: ModelSpec, tensor: TensorShape, layer: number | undefined): string {
  if (layer === undefined) return tensor.path === 'lm_head' ? tensor.path : `model.${tensor.path}`;
  const count = layerCount(model);
  const prefix = layer < count ? `model.layers.${layer}` : moduleNames(model).mtpLayer(layer - count, count);
  return `${prefix}.${tensor.path}`;
}
