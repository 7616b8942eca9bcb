import { OPTIONAL_MODEL_FIELDS, type ModelSpec } from '../engine/model/spec';
import type { QuantizationSpec } from '../engine/spec/numbers';
import { defined, filler, isSize } from './fill';
import type { Assumption, Planned } from './plan';

const REQUIRED = ['layers', 'hiddenSize', 'vocabSize', 'heads'] as const;

/** Sizes without which a model is not known, as dotted plan fields. */
export function missingModelFields(model: Planned<ModelSpec>): string[] {
  return REQUIRED.filter((key) => !isSize(model[key]?.value)).map((key) => `model.${key}`);
}

function copyOptional(model: Planned<ModelSpec>): Partial<ModelSpec> {
  return Object.fromEntries(
    OPTIONAL_MODEL_FIELDS.flatMap((key) => (model[key] === undefined ? [] : [[key, model[key].value]])),
  ) as Partial<ModelSpec>;
}

/**
 * The model with every field filled, or undefined while a required size is unknown or not a positive integer.
 * Fallbacks follow Hugging Face `PretrainedConfig` habits: key/value heads equal heads, head width hidden / heads, gated feed-forward.
 */
export function resolveModel(model: Planned<ModelSpec>, log: Assumption[]): ModelSpec | undefined {
  if (missingModelFields(model).length > 0) return undefined;
  const own: Assumption[] = [];
  const fill = filler<ModelSpec>('model', model, own);
  const hiddenSize = fill.get('hiddenSize', 0, 'file');
  const heads = fill.get('heads', 0, 'file');
  const headDim = fill.get('headDim', Math.floor(hiddenSize / heads), 'derived');
  const kvHeads = fill.get('kvHeads', heads, 'default');
  const attention = fill.get('attention', model.kvLoraRank === undefined ? 'gqa' : 'mla', 'derived');
  const optional = copyOptional(model);
  const sizes = [
    headDim,
    kvHeads,
    optional.kvLoraRank,
    optional.qkNopeHeadDim,
    optional.qkRopeHeadDim,
    optional.vHeadDim,
  ];
  if (attention === 'gqa' && !(isSize(headDim) && isSize(kvHeads))) return undefined;
  if (attention === 'mla' && sizes.slice(2).some((size) => !isSize(size))) return undefined;
  const isMoe = isSize(optional.experts);
  const layers = fill.get('layers', 0, 'file');
  const intermediateSize = fill.get(
    'intermediateSize',
    isMoe ? (optional.expertIntermediateSize ?? 4 * hiddenSize) : 4 * hiddenSize,
    'assumed',
  );
  const spec = defined<ModelSpec>({
    ...optional,
    name: fill.get('name', model.family?.value ?? 'unnamed model', 'derived'),
    layers,
    hiddenSize,
    heads,
    kvHeads,
    headDim,
    attention,
    intermediateSize,
    vocabSize: fill.get('vocabSize', 0, 'file'),
    tiedEmbeddings: fill.get('tiedEmbeddings', false, 'default'),
    gatedMlp: fill.get('gatedMlp', true, 'default'),
    mlpBias: fill.get('mlpBias', false, 'default'),
    qkvBias: fill.get('qkvBias', false, 'default'),
    attentionOutputBias: fill.get('attentionOutputBias', false, 'default'),
    attentionSinks: fill.get('attentionSinks', false, 'default'),
    qkNorm: fill.get('qkNorm', 'none', 'default'),
    normsPerLayer: fill.get('normsPerLayer', 2, 'default'),
    normBias: fill.get('normBias', false, 'default'),
    ...(isMoe ? moeFields(optional, layers, intermediateSize) : {}),
  } as ModelSpec);
  // Architecture constants are facts of the model family, not assumptions a user could want to change; only guessed sizes are listed.
  log.push(...own.filter((entry) => entry.origin === 'assumed'));
  return spec;
}

function moeFields(model: Partial<ModelSpec>, layers: number, intermediateSize: number): Partial<ModelSpec> {
  return {
    expertIntermediateSize: model.expertIntermediateSize ?? intermediateSize,
    expertsPerToken: model.expertsPerToken ?? 2,
    moeLayers: model.moeLayers ?? Array.from({ length: Math.min(layers, 4096) }, () => true),
  };
}

/** How weights are stored; plain BF16 when nothing says otherwise. */
export function resolveQuantization(section: Planned<QuantizationSpec>, log: Assumption[]): QuantizationSpec {
  const fill = filler<QuantizationSpec>('quantization', section, log);
  return defined<QuantizationSpec>({
    method: fill.known('method') ?? 'none',
    baseDType: fill.known('baseDType') ?? 'BF16',
    blockRows: fill.known('blockRows'),
    blockColumns: fill.known('blockColumns'),
    groupSize: fill.known('groupSize'),
    scaleDType: fill.known('scaleDType'),
    excluded: fill.known('excluded'),
    included: fill.known('included'),
    overrides: fill.known('overrides'),
    weightBits: fill.known('weightBits'),
    zeroPoints: fill.known('zeroPoints'),
    activationOrder: fill.known('activationOrder'),
    staticActivations: fill.known('staticActivations'),
    source: fill.known('source'),
  } as QuantizationSpec);
}
