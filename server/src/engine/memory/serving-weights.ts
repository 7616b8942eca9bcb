import { stageContents, stageLayers } from '../layout/stages';
import type { StageContent } from '../layout/stages';
import { DTYPE_BITS } from '../spec/numbers';
import type { QuantizationSpec } from '../spec/numbers';
import { paddedVocab } from './dims';
import type { ServingInput } from './input';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import type { TensorGroup } from './tensors';
import { attentionTensors, elementsOnRank, feedForwardTensors, mtpExtraTensors } from './tensors';

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

/**
 * SGLang and vLLM keep whole attention weights (and SGLang the whole embedding) on every data-parallel attention rank;
 * experts stay spread over all ranks (SGLang python/sglang/srt/layers/dp_attention.py, models/deepseek_v2.py).
 */
export function servingDegrees(input: ServingInput): ServingDegrees {
  const { layout, serving } = input;
  const attention = Math.max(1, layout.tensor / layout.attentionData);
  const attentionSplit = layout.attentionData > 1;
  return {
    attention,
    dense: serving.denseTensor ?? layout.tensor,
    shared: layout.tensor,
    expert: layout.expert,
    expertTensor: layout.expertTensor,
    vocabulary: attentionSplit && serving.stack === 'sglang' ? 1 : layout.tensor,
    head: attentionSplit && serving.dataParallelLmHead === true ? attention : layout.tensor,
  };
}

/** Bytes an element of a quantized matrix, scales and zero points included. Shapes in OCP MX, compressed-tensors, GPTQ and NVFP4 layouts. */
export function quantizedBytes(quantization: QuantizationSpec, rows: number, columns: number): number {
  const scale = DTYPE_BITS[quantization.scaleDType ?? 'F32'] / 8;
  const size = rows * columns;
  const base = DTYPE_BITS[quantization.baseDType] / 8;
  switch (quantization.method) {
    case 'none':
      return size * base;
    case 'fp8-block':
      return (
        size +
        scale *
          Math.ceil(rows / (quantization.blockRows ?? 128)) *
          Math.ceil(columns / (quantization.blockColumns ?? 128))
      );
    case 'fp8-tensor':
      return size + scale;
    case 'fp8-channel':
      return size + scale * rows;
    case 'mxfp8':
      return size * (1 + 1 / 32);
    case 'mxfp4':
      return size * (0.5 + 1 / 32);
    case 'nvfp4':
      return size * (0.5 + 1 / 16) + 8;
    case 'int8':
    case 'bnb-8bit':
      return size + scale * rows;
    case 'int4-group': {
      const group = quantization.groupSize ?? 128;
      const perGroup = quantization.scaleDType === undefined ? 2 : scale;
      return size * 0.5 + (group > 0 ? (size / group) * perGroup : rows * perGroup);
    }
    case 'bnb-4bit':
      return size * (0.5 + 1 / 64 + 4 / (64 * 256));
  }
}

/** Names of the Hugging Face modules that our groups stand for, to match exclusion patterns. */
const MODULE_NAMES: Readonly<Record<string, string>> = {
  'routed expert up': 'mlp.experts.gate_up_proj',
  'routed expert down': 'mlp.experts.down_proj',
  'shared expert up': 'mlp.shared_experts.gate_proj',
  'shared expert down': 'mlp.shared_experts.down_proj',
  'feed-forward up': 'mlp.gate_proj',
  'feed-forward down': 'mlp.down_proj',
  'query projection': 'self_attn.q_proj',
  'key and value projections': 'self_attn.k_proj',
  'attention output': 'self_attn.o_proj',
  'query down-projection': 'self_attn.q_a_proj',
  'query up-projection': 'self_attn.q_b_proj',
  'KV down-projection': 'self_attn.kv_a_proj_with_mqa',
  'KV up-projection': 'self_attn.kv_b_proj',
};

/** True when an exclusion pattern of the quantization config covers a module: `re:` patterns, `*` globs, or a part of the name. */
export function isExcluded(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => {
    const full = `model.layers.0.${name}`;
    if (pattern.startsWith('re:') || pattern.includes('*')) {
      const words = pattern
        .replace(/^re:/, '')
        .split(/\.?\*+|\[[^\]]*\]|\\d\+?|\(.*?\)/)
        .map((word) => word.replace(/[\\^$.]+/g, '.').replace(/^\.|\.$/g, ''))
        .filter((word) => word.length > 3 && !/^model(\.layers)?$/.test(word));
      return words.length > 0 && words.every((word) => full.includes(word));
    }
    return (
      full.startsWith(`${pattern}.`) ||
      full === pattern ||
      (name.includes('.') && (name === pattern || name.startsWith(`${pattern}.`) || name.endsWith(`.${pattern}`)))
    );
  });
}

/** Bytes of one tensor group a layer on one rank. */
function groupBytes(
  input: ServingInput,
  tensor: TensorGroup,
  degrees: { tensor: number; expert: number; expertTensor: number },
): number {
  const { model, quantization } = input;
  const base = DTYPE_BITS[quantization?.baseDType ?? 'BF16'] / 8;
  const elements = elementsOnRank(tensor, model, degrees);
  if (elements === 0) return 0;
  const name = MODULE_NAMES[tensor.group];
  if (quantization === undefined || quantization.method === 'none' || !tensor.lowPrecision) return elements * base;
  if (name !== undefined && isExcluded(name, quantization.excluded ?? [])) return elements * base;
  const t = tensor.expert ? degrees.expertTensor : degrees.tensor;
  const rows =
    tensor.cut === 'column'
      ? tensor.rows / t
      : tensor.cut === 'kv'
        ? tensor.rows / Math.min(t, model.kvHeads)
        : tensor.rows;
  const columns = tensor.cut === 'row' ? tensor.columns / t : tensor.columns;
  return (elements / (rows * columns)) * quantizedBytes(quantization, rows, columns);
}

/** Pipeline stages of a serving job. */
export function servingStages(input: ServingInput): readonly StageContent[] {
  const { model, layout } = input;
  return stageContents(model, stageLayers(model.layers, layout.pipeline, 1, layout.stageLayers));
}

/** Weights of one stage as the engine loads them. */
export function putServingWeights(ledger: Ledger, input: ServingInput, stage: StageContent): void {
  const { model, experts, serving } = input;
  const d = servingDegrees(input);
  const base = DTYPE_BITS[input.quantization?.baseDType ?? 'BF16'] / 8;
  const mtp = (serving.speculativeTokens ?? 0) > 0 ? stage.mtpLayers : 0;
  const sum = (tensors: readonly TensorGroup[], tensor: number): number => {
    let bytes = 0;
    for (const group of tensors)
      bytes += groupBytes(input, group, { tensor, expert: d.expert, expertTensor: d.expertTensor });
    return bytes;
  };
  const layers = (group: string, count: number, each: number, fields: readonly string[]): void => {
    put(ledger, 'weights', group, count * each, `${num(count)} layers × ${num(each)} B`, [
      ...fields,
      'quantization.method',
      'layout.pipeline',
    ]);
  };
  layers('attention and norms', stage.layers + mtp, sum(attentionTensors(model), d.attention), [
    'layout.attentionData',
    'layout.tensor',
  ]);
  layers('feed-forward', stage.denseLayers, sum(feedForwardTensors(model, false), d.dense), [
    'serving.denseTensor',
    'layout.tensor',
  ]);
  const moeLayers = stage.moeLayers + mtp;
  if (moeLayers > 0 && (model.experts ?? 0) > 0) {
    const all = feedForwardTensors(model, true);
    const physical = (model.experts ?? 0) + (experts?.redundant ?? 0);
    const slots = physical / (model.experts ?? 1);
    layers(
      'routed experts',
      moeLayers,
      sum(
        all.filter(({ expert }) => expert),
        1,
      ) * slots,
      ['experts.redundant', 'layout.expert', 'layout.expertTensor'],
    );
    layers(
      'router',
      moeLayers,
      sum(
        all.filter(({ group }) => group.startsWith('router')),
        1,
      ),
      ['model.experts'],
    );
    layers(
      'shared experts',
      moeLayers,
      sum(
        all.filter(({ group }) => group.startsWith('shared')),
        d.shared,
      ),
      ['layout.tensor'],
    );
  }
  if (mtp > 0) layers('MTP joining', mtp, sum(mtpExtraTensors(model), 1), ['serving.speculativeTokens']);
  const table = (group: string, cut: number): void => {
    const rows = paddedVocab(model.vocabSize, 64, cut) / cut;
    put(
      ledger,
      'weights',
      group,
      rows * model.hiddenSize * base,
      `${num(rows)} × ${num(model.hiddenSize)} × ${num(base)} B`,
      ['model.vocabSize', 'layout.tensor', 'layout.attentionData'],
    );
  };
  if (stage.embedding || (stage.head && model.tiedEmbeddings)) table('embedding', d.vocabulary);
  if (stage.head && !model.tiedEmbeddings) table('output head', d.head);
  if (stage.head)
    put(ledger, 'weights', 'final norm', model.hiddenSize * base, `${num(model.hiddenSize)} × ${num(base)} B`, [
      'model.hiddenSize',
    ]);
}
