import type { ModelSpec } from '../../engine/model/spec';
import type { DType, QuantizationSpec } from '../../engine/spec/numbers';
import { missingModelFields, resolveModel } from '../../plan/resolve-model';
import type { Finding } from '../../plan/finding';
import type { Place, Planned, Sourced, Unresolved } from '../../plan/plan';
import type { ConfigNode, ConfigTree, MapNode } from '../../syntax/tree';
import { entryOf, placeOf } from '../common/nodes';
import { byDefault, derived, present } from '../common/sourced';
import { familyOf, familyOfArchitecture, type NamedFamily } from './families';
import { fieldsOf, textsOf, type Fields } from './fields';
import { notes as newNotes, type Notes } from './findings';
import { checkLayerTypes, listedLayerCount } from './layers';
import { baseDType, readQuantization, type QuantizationReading } from './quantization';
import { attentionPart, expertPart, hybridPart } from './shapes';
import { storedOddities } from './stored';

type Part = Planned<ModelSpec>;

/** What a model config says. */
export interface ConfigReading {
  readonly model: Planned<ModelSpec>;
  readonly quantization: Planned<QuantizationSpec>;
  /** Format of the KV cache that the checkpoint asks for. */
  readonly kvDType?: Sourced<DType>;
  readonly findings: readonly Finding[];
  readonly unresolved: readonly Unresolved[];
  /** Why nothing is computed from this config, where that is so. */
  readonly unmodelled?: string;
}

const NOTHING: ConfigReading = { model: {}, quantization: {}, findings: [], unresolved: [] };

/** Keys under which multimodal configs keep their language model. */
export const TEXT_PARTS = ['text_config', 'language_config', 'llm_config', 'thinker_config'] as const;

/** The language part of a multimodal config, or the config itself. */
export function textPart(root: MapNode): MapNode {
  for (const key of TEXT_PARTS) {
    const inner = entryOf(root, key)?.value;
    if (inner?.kind === 'map' && inner.entries.length > 0) return textPart(inner);
  }
  return root;
}

function rootOf(source: ConfigTree | ConfigNode): MapNode | undefined {
  const root = 'documents' in source ? source.documents[0] : source;
  return root?.kind === 'map' ? root : undefined;
}

function architectureOf(fields: Fields): Sourced<string> | undefined {
  const list = fields.list('architectures');
  const [first] = (list === undefined ? undefined : textsOf(list.node)) ?? [];
  return list === undefined || first === undefined
    ? undefined
    : { value: first, origin: 'file', at: placeOf(list.entry), label: 'architectures' };
}

/** DeepSeek's own inference configs name no type: V3 routes by sigmoid, V2 by softmax. */
function inferenceType(fields: Fields): string | undefined {
  if (fields.entry('moe_inter_dim') === undefined) return undefined;
  return fields.text('score_func')?.value === 'sigmoid' ? 'deepseek_v3' : 'deepseek_v2';
}

/** Mistral's `params.json` and Meta's of Llama: `dim`, `n_layers`, with or without `hidden_dim`. */
function paramsType(fields: Fields): string | undefined {
  if (fields.entry('dim') === undefined || fields.entry('n_layers') === undefined) return undefined;
  if (fields.entry('hidden_dim') === undefined) return fields.entry('multiple_of') === undefined ? undefined : 'llama';
  return fields.inner('moe') === undefined ? 'mistral' : 'mixtral';
}

/** Meta's feed-forward width: two thirds of four times the model width, stretched, rounded up. Source: meta-llama/llama llama/model.py, FeedForward. */
function metaWidth(fields: Fields, hidden: number | undefined): Sourced<number> | undefined {
  const multiple = fields.size(['multiple_of']);
  const entry = fields.entry('ffn_dim_multiplier');
  if (multiple === undefined || hidden === undefined) return undefined;
  const stated = entry?.value.kind === 'scalar' ? entry.value.value : 1;
  const factor = typeof stated === 'number' && Number.isFinite(stated) && stated > 0 ? stated : 1;
  const width = Math.floor(factor * Math.floor((2 * 4 * hidden) / 3));
  return derived(
    Math.ceil(width / multiple.value) * multiple.value,
    'from ffn_dim_multiplier and multiple_of',
    fields.entry('multiple_of'),
  );
}

function widthPart(fields: Fields, family: NamedFamily, hidden: Sourced<number> | undefined, experts: Part): Part {
  const dense = fields.size(['intermediate_size_mlp', 'dense_intermediate_size']);
  const usual =
    fields.size(['intermediate_size', 'ffn_hidden_size', 'n_inner', 'ffn_dim', 'inter_dim', 'hidden_dim']) ??
    fields.inner('ffn_config')?.size(['ffn_hidden_size']);
  const gated = family.constants?.gatedMlp;
  // Qwen 1 gives the width of both halves together.
  const halved =
    family.name === 'qwen' && usual !== undefined
      ? derived(usual.value / 2, 'half of intermediate_size', fields.entry('intermediate_size'))
      : usual;
  const fourfold =
    gated === false && hidden !== undefined && usual === undefined
      ? derived(4 * hidden.value, 'four times the hidden size')
      : undefined;
  const expert = experts.expertIntermediateSize;
  const unused = expert === undefined ? undefined : derived(expert.value, 'no dense layer; the width of an expert');
  return present<Part>({
    intermediateSize: dense ?? halved ?? metaWidth(fields, hidden?.value) ?? fourfold ?? unused,
    gatedMlp: gated === undefined ? undefined : byDefault(gated, `feed-forward of ${family.name}`),
  });
}

function tied(fields: Fields, outer: Fields, family: NamedFamily): Sourced<boolean> {
  // The wrapper of a multimodal model decides for the language model inside it.
  const stated = outer.flag('tie_word_embeddings') ?? fields.flag('tie_word_embeddings');
  const value = family.tied ?? false;
  return (
    stated ?? {
      ...byDefault(value, `default of ${family.name}`),
      ...(family.known ? {} : { origin: 'assumed' as const }),
    }
  );
}

function learnedPositions(fields: Fields, family: NamedFamily): Sourced<number> | undefined {
  if (family.learnedPositions === undefined) return undefined;
  const rows = fields.size(['n_positions', 'max_position_embeddings', 'n_ctx']);
  return rows === undefined
    ? undefined
    : derived(
        rows.value + family.learnedPositions,
        'rows of the position table',
        fields.entry('n_positions', 'max_position_embeddings', 'n_ctx'),
      );
}

function mtpPart(fields: Fields, family: NamedFamily): Sourced<number> | undefined {
  if (family.mtpNotPublished === true) return undefined;
  const stated = fields.size(['num_nextn_predict_layers', 'mtp_num_hidden_layers'], 0);
  return (
    stated ??
    (family.mtpLayers === undefined
      ? undefined
      : byDefault(family.mtpLayers, `the published weights of ${family.name} hold it`))
  );
}

function readModel(fields: Fields, outer: Fields, family: NamedFamily, notes: Notes): Part {
  const layers = fields.size(['num_hidden_layers', 'n_layer', 'num_layers', 'n_layers']) ?? listedLayerCount(fields);
  const hidden = fields.size(['hidden_size', 'n_embd', 'd_model', 'n_embed', 'dim']);
  const count = layers?.value;
  if (count !== undefined) checkLayerTypes(fields, count, notes);
  const experts = expertPart(fields, family, count, notes);
  const vocabulary =
    fields.size(['padded_vocab_size', 'vocab_size']) ??
    (family.vocabSize === undefined ? undefined : byDefault(family.vocabSize, `default of ${family.name}`));
  const bias = fields.flag('lm_head_bias');
  const stated = present<Part>({
    layers,
    hiddenSize: hidden,
    vocabSize: vocabulary,
    ...widthPart(fields, family, hidden, experts),
    ...attentionPart(fields, family, hidden, count, notes),
    tiedEmbeddings: tied(fields, outer, family),
    headBias:
      bias ??
      (family.constants?.headBias === undefined
        ? undefined
        : byDefault(family.constants.headBias, `head of ${family.name}`)),
    learnedPositions: learnedPositions(fields, family),
    maxPositions: fields.size(['max_position_embeddings', 'n_positions', 'seq_length', 'max_seq_len']),
    ...experts,
    ...hybridPart(fields, family, count, notes),
    mtpLayers: mtpPart(fields, family),
  });
  return stated;
}

function nameOf(outer: Fields, architecture: Sourced<string> | undefined, type: string): Sourced<string> {
  const path = outer.text('_name_or_path', 'name_or_path');
  const word = path?.value
    .split('/')
    .filter((part) => part.length > 0)
    .slice(-2)
    .join('/');
  if (path !== undefined && word !== undefined && word.length > 0 && !path.value.startsWith('.'))
    return { ...path, value: path.value.startsWith('/') ? (word.split('/').at(-1) ?? word) : word };
  return derived(
    architecture?.value.replace(/(ForCausalLM|ForConditionalGeneration|LMHeadModel)$/, '') ?? type,
    'no name is given',
  );
}

/** Families whose tensors are not described keep what was read, less the heads: without them nothing is computed. */
function withoutShape(part: Part): Part {
  const { heads: _heads, ...rest } = part;
  return rest;
}

function quantizationOf(
  root: MapNode,
  text: MapNode,
  type: string,
  notes: Notes,
  unresolved: Unresolved[],
): QuantizationReading {
  for (const map of root === text ? [root] : [root, text]) {
    for (const key of ['quantization_config', 'compression_config', 'quantization']) {
      const inner = entryOf(map, key)?.value;
      if (inner?.kind === 'map') return readQuantization(fieldsOf(inner, notes, unresolved), type, notes);
    }
  }
  return { quantization: {} };
}

/** FP8 of DeepSeek's inference code has no section of its own. */
function inferenceQuantization(fields: Fields): Planned<QuantizationSpec> {
  const entry = fields.entry('dtype');
  if (fields.entry('moe_inter_dim') === undefined || fields.text('dtype')?.value !== 'fp8' || entry === undefined)
    return {};
  const note = 'fixed in inference/model.py';
  return {
    method: derived('fp8-block', 'fp8 means 128 x 128 blocks', entry),
    blockRows: byDefault(128, note),
    blockColumns: byDefault(128, note),
    scaleDType: byDefault('F32', note),
    source: derived('fp8', note, entry),
  };
}

/** What the numbers of this config leave out. */
function tellLimits(root: MapNode, text: MapNode, family: NamedFamily, at: Place | undefined, notes: Notes): void {
  if (family.unmodelled !== undefined && at !== undefined) {
    notes.add(
      'model-not-modelled',
      'hint',
      at,
      `Nothing is computed from this config: the formulas do not cover ${family.unmodelled} (\`${family.name}\`).`,
    );
  }
  const inner = TEXT_PARTS.map((key) => entryOf(root, key)).find((entry) => entry !== undefined);
  if (root === text || inner === undefined || family.unmodelled !== undefined) return;
  notes.add(
    'language-model-only',
    'hint',
    { span: inner.keySpan, keySpan: inner.keySpan },
    `Parameters and memory are those of the language model in \`${inner.key}\`; image, video and audio encoders come on top.`,
  );
}

/**
 * Reads a Hugging Face `config.json` (also nested in a multimodal one), Mistral's or Meta's `params.json`, or a config of DeepSeek's
 * inference code. Values carry their places; architecture constants are marked as defaults of the family. Unknown types are read
 * as a Llama-like decoder as far as their keys go.
 */
export function modelFromConfig(source: ConfigTree | ConfigNode): ConfigReading {
  const root = rootOf(source);
  if (root === undefined) return NOTHING;
  const notes = newNotes();
  const unresolved: Unresolved[] = [];
  const text = textPart(root);
  const outer = fieldsOf(root, notes, unresolved);
  const fields = text === root ? outer : fieldsOf(text, notes, unresolved);
  const architecture = architectureOf(outer) ?? architectureOf(fields);
  const stated = fields.text('model_type') ?? outer.text('model_type');
  const type =
    stated?.value ??
    (architecture === undefined ? undefined : familyOfArchitecture(architecture.value)) ??
    inferenceType(fields) ??
    paramsType(fields);
  const family = familyOf(type, architecture?.value);
  const read = readModel(fields, outer, family, notes);
  const own = quantizationOf(root, text, family.name, notes, unresolved);
  const inference = inferenceQuantization(fields);
  const base = baseDType(
    inference.method === undefined ? fieldsOf(text, notes, unresolved, root) : outer,
    inference.method === undefined ? notes : newNotes(),
  );
  const quantization = {
    ...(base === undefined || inference.method !== undefined ? {} : { baseDType: base }),
    ...inference,
    ...own.quantization,
  };
  const model: Part = {
    ...(family.unmodelled === undefined ? read : withoutShape(read)),
    ...present<Part>({
      name: nameOf(outer, architecture, family.name),
      architecture,
      family:
        type === undefined
          ? undefined
          : stated === undefined
            ? derived(family.name, 'from the class or the keys')
            : { ...stated, value: family.name },
    }),
    ...storedOddities(outer, family, read, own.quantization.method !== undefined),
  };
  tellLimits(root, text, family, stated?.at ?? architecture?.at, notes);
  return {
    model,
    quantization,
    findings: notes.findings,
    unresolved,
    ...(own.kvDType === undefined ? {} : { kvDType: own.kvDType }),
    ...(family.unmodelled === undefined ? {} : { unmodelled: family.unmodelled }),
  };
}

/** The model spec of a reading with every fallback filled in, or what is missing for it. */
export function specOf(model: Planned<ModelSpec>): { readonly spec?: ModelSpec; readonly missing: readonly string[] } {
  const missing = missingModelFields(model);
  const spec = resolveModel(model, []);
  return spec === undefined ? { missing: missing.length > 0 ? missing : ['model.headDim'] } : { spec, missing: [] };
}
