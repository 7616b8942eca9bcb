import { stageContents, stageLayers } from '../layout/stages';
import type { StageContent } from '../layout/stages';
import { encoderParameters } from '../model/encoder';
import { formatTable } from '../model/formats';
import { layerKinds, modelTensors, modulePath, type LayerKind } from '../model/inventory';
import type { ModelSpec } from '../model/spec';
import { shardOf, type Shard, type ShardDegrees } from '../model/shard';
import { size, type ModelPart, type TensorShape } from '../model/tensors';
import { DTYPE_BITS, type QuantizationSpec } from '../spec/numbers';
import { paddedVocab } from './dims';
import type { ServingInput } from './input';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import { loadedBytes } from './serving-loaded';
import { usableBytes } from './serving-usable';

/** Degrees by which each kind of weight is cut on a serving rank. */
export interface ServingDegrees {
  /** Attention: tensor parallelism inside one data-parallel attention group. */
  readonly attention: number;
  readonly dense: number;
  readonly shared: number;
  readonly expert: number;
  readonly expertTensor: number;
  readonly vocabulary: number;
  readonly head: number;
}

/** Rows that engines round a vocabulary up to before cutting it (vLLM and SGLang vocab_parallel_embedding.py). */
const VOCABULARY_PAD = 64;

/**
 * SGLang and vLLM keep whole attention weights (and SGLang the whole embedding) on every data-parallel attention rank;
 * experts stay spread over all ranks (SGLang python/sglang/srt/layers/dp_attention.py, models/deepseek_v2.py).
 */
export function servingDegrees(input: ServingInput): ServingDegrees {
  const { layout, serving } = input;
  const attention = Math.max(1, layout.tensor / layout.attentionData);
  const attentionSplit = layout.attentionData > 1;
  // vLLM replicas of a data-parallel job, and TensorRT-LLM under attention data parallelism, cut what is dense like attention.
  const together = attentionSplit && serving.stack !== 'sglang' && serving.stack !== 'generic';
  return {
    attention,
    dense: serving.denseTensor ?? (together ? attention : layout.tensor),
    shared: serving.sharedTensor ?? (together ? attention : layout.tensor),
    expert: layout.expert,
    // Experts that no degree spreads are cut by tensor parallelism, as every engine does without expert parallelism.
    expertTensor: Math.max(layout.expertTensor, layout.expert > 1 ? 1 : layout.tensor),
    vocabulary: attentionSplit ? (together ? attention : 1) : layout.tensor,
    head: attentionSplit && (together || serving.dataParallelLmHead === true) ? attention : layout.tensor,
  };
}

/** Pipeline stages of a serving job. Surplus layers go where the engine puts them. */
export function servingStages(input: ServingInput): readonly StageContent[] {
  const { model, layout, serving } = input;
  const counts = layout.stageLayers ?? surplusLayers(model.layers, layout.pipeline, serving.stack);
  return stageContents(model, stageLayers(model.layers, layout.pipeline, 1, counts));
}

/**
 * Layers of each stage: SGLang gives the surplus to the last stages, vLLM to those before the last one (the head's), TensorRT-LLM
 * to the first. Sources: SGLang utils/common.py make_layers, vLLM distributed/utils.py get_pp_indices, TensorRT-LLM mapping.py pp_layers.
 */
export function surplusLayers(layers: number, stages: number, stack: ServingInput['serving']['stack']): number[] {
  const base = Math.floor(layers / stages);
  const extra = layers % stages;
  return Array.from({ length: stages }, (_, stage) => {
    const fromEnd = stages - 1 - stage;
    const more =
      stack === 'sglang' ? fromEnd < extra : stack === 'vllm' ? fromEnd >= 1 && fromEnd <= extra : stage < extra;
    return base + (more ? 1 : 0);
  });
}

const GROUP_OF: Readonly<Record<ModelPart, string>> = {
  embedding: 'embedding',
  attention: 'attention',
  dense: 'feed-forward',
  router: 'router',
  experts: 'routed experts',
  shared: 'shared experts',
  norms: 'norms',
  mtp: 'MTP joining',
  finalNorm: 'final norm',
  head: 'output head',
};

const FIELDS_OF: Readonly<Partial<Record<ModelPart, readonly string[]>>> = {
  attention: ['layout.attentionData', 'layout.tensor'],
  dense: ['serving.denseTensor', 'layout.tensor'],
  experts: ['experts.redundant', 'layout.expert', 'layout.expertTensor'],
  router: ['model.experts'],
  mtp: ['serving.speculativeTokens'],
};

/** Cuts of one tensor: shared experts and head may be cut unlike the rest. */
function degreesFor(tensor: TensorShape, d: ServingDegrees, slots: number): ShardDegrees {
  return {
    tensor: d.attention,
    dense: tensor.part === 'shared' ? d.shared : d.dense,
    vocabulary: tensor.part === 'head' ? d.head : d.vocabulary,
    expert: d.expert,
    expertTensor: d.expertTensor,
    redundantExperts: slots,
  };
}

interface Weigher {
  readonly bytes: (tensor: TensorShape, layer: number | undefined) => number;
  readonly uniform: boolean;
}

function weigher(input: ServingInput): Weigher {
  const { model, experts } = input;
  const quantization: QuantizationSpec = input.quantization ?? { method: 'none', baseDType: 'BF16' };
  const formats = formatTable(quantization);
  const d = servingDegrees(input);
  const kvHeads = size(model.kvHeads);
  const redundant = size(experts?.redundant);
  return {
    uniform: formats.uniform,
    bytes: (tensor, layer) => {
      const degrees = degreesFor(tensor, d, redundant);
      const padded = tensor.sharding === 'vocab' ? padVocabulary(tensor, degrees.vocabulary ?? 1) : tensor;
      const format = formats.formatOf(tensor, modulePath(model, tensor, layer));
      const shard: Shard = shardOf(padded, degrees, kvHeads);
      return loadedBytes(shard, tensor, format, input);
    },
  };
}

function padVocabulary(tensor: TensorShape, cut: number): TensorShape {
  return { ...tensor, rows: paddedVocab(tensor.rows, VOCABULARY_PAD, cut) };
}

/**
 * What the absorbed form of MLA keeps beside `kv_b_proj`: the key and value halves once more in the base format, transposed for
 * batched products (vLLM v1/attention/backends/mla/common.py process_weights_after_loading; SGLang models/deepseek_v2.py post_load_weights;
 * TensorRT-LLM modules/attention.py k_b_proj_trans and v_b_proj).
 */
function absorbedBytes(model: ModelSpec, attention: number, base: number, stack: string): number {
  if (model.attention !== 'mla' || stack === 'generic') return 0;
  const heads = Math.ceil(size(model.heads) / attention);
  return heads * (size(model.qkNopeHeadDim) + size(model.vHeadDim)) * size(model.kvLoraRank) * base;
}

function layersWithin({ layers }: LayerKind, stage: StageContent): readonly number[] {
  return layers.filter((layer) => layer >= stage.firstLayer && layer < stage.firstLayer + stage.layers);
}

/** Bytes of a kind of layer on one stage, by part. */
function kindBytes(kind: LayerKind, layers: readonly number[], { bytes, uniform }: Weigher): Map<ModelPart, number> {
  const sums = new Map<ModelPart, number>();
  for (const tensor of kind.tensors) {
    if (tensor.storage === 'buffer') continue;
    let total = 0;
    if (uniform) total = bytes(tensor, layers[0]) * layers.length;
    else for (const layer of layers) total += bytes(tensor, layer);
    sums.set(tensor.part, (sums.get(tensor.part) ?? 0) + total);
  }
  return sums;
}

/** A line of the explanation: layers of every make-up that hold the same group of tensors. */
interface Line {
  layers: number;
  bytes: number;
  readonly fields: readonly string[];
}

function addLine(
  lines: Map<string, Line>,
  group: string,
  layers: number,
  bytes: number,
  fields: readonly string[],
): void {
  const line = lines.get(group);
  if (line === undefined) lines.set(group, { layers, bytes, fields });
  else {
    line.layers += layers;
    line.bytes += bytes;
  }
}

function putLayers(ledger: Ledger, input: ServingInput, stage: StageContent, weigh: Weigher): void {
  const { model, serving } = input;
  const drafting = size(serving.speculativeTokens) > 0;
  const base = DTYPE_BITS[input.quantization?.baseDType ?? 'BF16'] / 8;
  const absorbed = absorbedBytes(model, servingDegrees(input).attention, base, serving.stack);
  const lines = new Map<string, Line>();
  for (const kind of layerKinds(model)) {
    const layers = kind.mtp ? (drafting && stage.head ? kind.layers : []) : layersWithin(kind, stage);
    if (layers.length === 0) continue;
    const draft = kind.mtp ? 'draft ' : '';
    for (const [part, total] of kindBytes(kind, layers, weigh)) {
      const mixer = part === 'attention' && kind.mixer !== 'attention' ? ` (${kind.mixer})` : '';
      addLine(lines, `${draft}${GROUP_OF[part]}${mixer}`, layers.length, total, FIELDS_OF[part] ?? []);
    }
    if (kind.mixer === 'attention' && absorbed > 0)
      addLine(lines, `${draft}absorbed KV up-projection`, layers.length, layers.length * absorbed, [
        'model.kvLoraRank',
        'layout.attentionData',
        'layout.tensor',
      ]);
  }
  for (const [group, { layers, bytes, fields }] of lines)
    put(ledger, 'weights', group, bytes, `${num(layers)} layers × ${num(bytes / layers)} B`, [
      ...fields,
      'quantization.method',
      'layout.pipeline',
    ]);
}

/** Bytes of the vision tower on a rank: stated, or its parameters in the base format cut by tensor parallelism; none when only language is served. */
export function encoderBytes({ model, serving, layout, quantization }: ServingInput): number {
  if (serving.languageOnly === true || serving.stack === 'generic') return 0;
  const stated = usableBytes(serving.encoderBytes);
  if (stated > 0 || model.encoder === undefined) return stated;
  return (encoderParameters(model.encoder) * DTYPE_BITS[quantization?.baseDType ?? 'BF16']) / 8 / layout.tensor;
}

/** Weights of one stage as the engine loads them. */
export function putServingWeights(ledger: Ledger, input: ServingInput, stage: StageContent): void {
  const { model, serving } = input;
  const weigh = weigher(input);
  putLayers(ledger, input, stage, weigh);
  for (const tensor of modelTensors(model)) {
    const needed = tensor.part === 'embedding' ? stage.embedding || (stage.head && model.tiedEmbeddings) : stage.head;
    if (!needed) continue;
    const bytes = weigh.bytes(tensor, undefined);
    put(
      ledger,
      'weights',
      GROUP_OF[tensor.part],
      bytes,
      `${num(tensor.rows)} × ${num(tensor.columns)}: ${num(bytes)} B`,
      ['model.vocabSize', 'layout.tensor', 'layout.attentionData'],
    );
  }
  const draft = usableBytes(serving.draftBytes);
  if (stage.head) put(ledger, 'weights', 'draft model', draft, `${num(draft)} B`, ['serving.draftBytes']);
  const encoder = encoderBytes(input);
  if (stage.embedding)
    put(ledger, 'weights', 'encoder', encoder, `${num(encoder)} B`, ['model.encoder', 'serving.languageOnly']);
}
