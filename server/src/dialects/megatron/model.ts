import type { ModelSpec } from '../../engine/model/spec';
import type { Planned, Sourced } from '../../plan/plan';
import { isList, numberOf } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import { vocabularyOf } from '../common/tokenizers';
import type { MegatronArguments } from './arguments';
import { listExpression, moeLayers } from './patterns';

/** A size as the file states it; absent otherwise. */
function size(args: MegatronArguments, destination: string): Sourced<number> | undefined {
  const entry = args.entry(destination);
  const value = args.integer(destination);
  return entry === undefined || value === undefined ? undefined : written(value, entry);
}

/** A size as the file states it, a default while the key is absent, nothing while its value is unknown. */
function sizeOr(
  args: MegatronArguments,
  destination: string,
  otherwise: Sourced<number> | undefined,
): Sourced<number> | undefined {
  return args.entry(destination) === undefined ? otherwise : size(args, destination);
}

/** A switch as the file states it, else Megatron's default. */
export function switchOr(
  args: MegatronArguments,
  destination: string,
  otherwise: boolean,
): Sourced<boolean> | undefined {
  const entry = args.entry(destination);
  const value = args.flag(destination);
  if (entry === undefined) return byDefault(value ?? otherwise, args.profile.note);
  return value === undefined ? undefined : written(value, entry);
}

/** The inverse of a switch, such as tied embeddings from `--untie-embeddings-and-output-weights`. */
function inverse(value: Sourced<boolean> | undefined): Sourced<boolean> | undefined {
  return value === undefined ? undefined : { ...value, value: !value.value };
}

function vocabulary(args: MegatronArguments): Sourced<number> | undefined {
  const stated = size(args, 'padded_vocab_size') ?? size(args, 'vocab_size');
  // Vision models have no vocabulary, and their scripts say so.
  if (stated?.value === 0) return undefined;
  if (stated !== undefined || args.unknown('vocab_size')) return stated;
  const type = args.entry('tokenizer_type');
  if (type !== undefined && args.text('tokenizer_type') === 'GPT2BPETokenizer')
    return derived(50_257, 'the GPT-2 tokenizer', type);
  const entry = args.entry('tokenizer_model');
  const name = entry?.value.kind === 'scalar' && typeof entry.value.value === 'string' ? entry.value.value : '';
  const known = vocabularyOf(name);
  if (entry !== undefined && known !== undefined) return derived(known, 'the tokenizer that is named', entry);
  // Test configs name GPT-2 files by their kind alone.
  const file = args.entry('vocab_file');
  return file !== undefined && args.entry('merge_file') !== undefined && type === undefined
    ? derived(50_257, 'a vocabulary with merges is the GPT-2 tokenizer', file)
    : undefined;
}

function innerWidth(args: MegatronArguments, gated: boolean): Sourced<number> | undefined {
  const hidden = args.integer('hidden_size');
  if (args.entry('ffn_hidden_size') !== undefined) return size(args, 'ffn_hidden_size');
  if (hidden === undefined) return undefined;
  return args.flag('swiglu') === true && gated
    ? byDefault(Math.trunc((4 * hidden * 2) / 3 / 64) * 64, '8/3 of the hidden size, rounded down to 64, with --swiglu')
    : byDefault(4 * hidden, '4 × hidden size');
}

function kvHeads(args: MegatronArguments): Sourced<number> | undefined {
  if (args.flag('group_query_attention') === true)
    return sizeOr(args, 'num_query_groups', byDefault(1, args.profile.note));
  // The YAML forms have no switch: groups alone say it.
  if (
    args.form !== 'model-args' &&
    args.integer('num_query_groups') !== undefined &&
    args.entry('group_query_attention') === undefined
  )
    return size(args, 'num_query_groups');
  const heads = args.integer('num_attention_heads');
  if (args.unknown('group_query_attention') || heads === undefined) return undefined;
  return byDefault(heads, 'one key/value head a query head without --group-query-attention');
}

function headWidth(args: MegatronArguments): Sourced<number> | undefined {
  const hidden = args.integer('hidden_size');
  const heads = args.integer('num_attention_heads');
  const even =
    hidden === undefined || heads === undefined || heads < 1 || hidden % heads !== 0
      ? undefined
      : derived(hidden / heads, 'hidden size / heads');
  return sizeOr(args, 'kv_channels', even);
}

function latentAttention(args: MegatronArguments): Planned<ModelSpec> {
  const entry = args.entry('multi_latent_attention');
  if (args.flag('multi_latent_attention') !== true || entry === undefined)
    return { attention: byDefault('gqa', args.profile.note) };
  return present<Planned<ModelSpec>>({
    attention: written('mla', entry),
    qLoraRank: size(args, 'q_lora_rank'),
    kvLoraRank: sizeOr(args, 'kv_lora_rank', byDefault(32, args.profile.note)),
    qkNopeHeadDim: sizeOr(args, 'qk_head_dim', byDefault(128, args.profile.note)),
    qkRopeHeadDim: sizeOr(args, 'qk_pos_emb_head_dim', byDefault(64, args.profile.note)),
    vHeadDim: sizeOr(args, 'v_head_dim', byDefault(128, args.profile.note)),
  });
}

function sparseAttention(args: MegatronArguments): Planned<ModelSpec> {
  if (args.text('experimental_attention_variant') !== 'dsa') return {};
  return present<Planned<ModelSpec>>({
    indexHeads: size(args, 'dsa_indexer_n_heads'),
    indexHeadDim: size(args, 'dsa_indexer_head_dim'),
    indexTopk: size(args, 'dsa_indexer_topk'),
  });
}

function moePattern(args: MegatronArguments): Sourced<readonly boolean[]> | undefined {
  const layers = args.integer('num_layers');
  if (layers === undefined || layers < 1) return undefined;
  const entry = args.entry('moe_layer_freq');
  if (entry === undefined) {
    const all = moeLayers(1, layers);
    return all === undefined ? undefined : byDefault(all, 'every layer has experts');
  }
  const node = args.node('moe_layer_freq');
  const list = isList(node) ? node.items.map(numberOf) : undefined;
  const frequency =
    list === undefined
      ? (args.integer('moe_layer_freq') ?? listExpression(args.text('moe_layer_freq') ?? ''))
      : list.every((value) => value !== undefined)
        ? (list as number[])
        : undefined;
  const flags = frequency === undefined ? undefined : moeLayers(frequency, layers);
  return flags === undefined
    ? undefined
    : written(flags, entry, `${flags.filter(Boolean).length} of ${layers} layers have experts`);
}

function experts(
  args: MegatronArguments,
  dense: Sourced<number> | undefined,
  bias: Sourced<boolean> | undefined,
): Planned<ModelSpec> {
  const count = size(args, 'num_experts');
  if (count === undefined || count.value < 1) return {};
  const width = sizeOr(
    args,
    'moe_ffn_hidden_size',
    dense === undefined ? undefined : byDefault(dense.value, 'the dense inner width'),
  );
  const shared = size(args, 'moe_shared_expert_intermediate_size');
  const ratio = shared === undefined || width === undefined ? undefined : shared.value / width.value;
  return present<Planned<ModelSpec>>({
    experts: count,
    expertsPerToken: sizeOr(args, 'moe_router_topk', byDefault(2, args.profile.note)),
    expertIntermediateSize: width,
    sharedExpertIntermediateSize: shared,
    sharedExperts:
      ratio === undefined || !Number.isInteger(ratio)
        ? undefined
        : derived(ratio, 'shared inner width / expert inner width'),
    sharedExpertGate: switchOr(args, 'moe_shared_expert_gate', false),
    expertBias: bias,
    routerCorrectionBias: switchOr(args, 'moe_router_enable_expert_bias', false),
    expertGroups: size(args, 'moe_router_num_groups'),
    groupsPerToken: size(args, 'moe_router_group_topk'),
    moeLayers: moePattern(args),
  });
}

/** Learned positions are the default of the command line; multi-latent attention and rotary embeddings do without. */
export function positionsOf(args: MegatronArguments): 'rope' | 'learned' | 'none' {
  const kind = args.text('position_embedding_type');
  if (args.flag('multi_latent_attention') === true || args.flag('use_rotary_position_embeddings') === true)
    return 'rope';
  if (kind === 'none' || kind === 'relative') return 'none';
  return kind === undefined || kind === 'learned_absolute' ? 'learned' : 'rope';
}

/** True for stacks of state-space and attention layers, whose sizes the vocabulary of the Plan does not hold. */
export function isHybrid(args: MegatronArguments): boolean {
  return (
    args.flag('is_hybrid_model') === true ||
    args.entry('hybrid_layer_pattern') !== undefined ||
    args.entry('hybrid_override_pattern') !== undefined ||
    args.entry('linear_attention_freq') !== undefined
  );
}

/**
 * The model's sizes, with Megatron's defaults. Empty where the file gives none (they come from a checkpoint or a model name then)
 * and for hybrid stacks. Source: Megatron-LM, megatron/training/arguments.py, `validate_args`; TransformerConfig and MLATransformerConfig.
 */
export function readModel(args: MegatronArguments): Planned<ModelSpec> {
  const path = args.form === 'flat' ? args.entry('model') : undefined;
  const text = path?.value.kind === 'scalar' && typeof path.value.value === 'string' ? path.value.value : undefined;
  const name = path === undefined || text === undefined ? {} : { name: written(text, path) };
  if (isHybrid(args) || (args.entry('hidden_size') === undefined && args.entry('num_layers') === undefined))
    return name;
  const bias = switchOr(args, 'add_bias_linear', true);
  const gated =
    args.flag('swiglu') === true ||
    args.flag('quick_geglu') === true ||
    (args.form === 'sections' && args.flag('gated_linear_unit') === true);
  const gate = args.entry('swiglu') ?? args.entry('quick_geglu');
  const dense = innerWidth(args, gated);
  const qkvBias = args.flag('add_qkv_bias') === true ? switchOr(args, 'add_qkv_bias', false) : bias;
  const norm = args.entry('normalization');
  const softmax = args.entry('softmax_type');
  const positions = positionsOf(args);
  return {
    ...name,
    ...present<Planned<ModelSpec>>({
      layers: size(args, 'num_layers'),
      hiddenSize: size(args, 'hidden_size'),
      intermediateSize: dense,
      vocabSize: vocabulary(args),
      heads: size(args, 'num_attention_heads'),
      kvHeads: kvHeads(args),
      headDim: headWidth(args),
      tiedEmbeddings: inverse(switchOr(args, 'untie_embeddings_and_output_weights', false)),
      gatedMlp: gate === undefined ? byDefault(gated, args.profile.note) : written(gated, gate),
      mlpBias: bias,
      qkvBias,
      attentionOutputBias: bias,
      attentionSinks:
        softmax === undefined
          ? byDefault(false, args.profile.note)
          : written(args.text('softmax_type') === 'learnable', softmax),
      qkNorm:
        args.flag('multi_latent_attention') === true
          ? byDefault('none', 'multi-latent attention has norms of its own')
          : args.flag('qk_layernorm') === true
            ? derived('head', '--qk-layernorm', args.entry('qk_layernorm'))
            : byDefault('none', args.profile.note),
      normsPerLayer: byDefault(2, args.profile.note),
      normBias:
        norm === undefined
          ? byDefault(true, 'LayerNorm is the default')
          : written(args.text('normalization') !== 'RMSNorm', norm),
      learnedPositions: positions === 'learned' ? size(args, 'max_position_embeddings') : undefined,
      mtpLayers: size(args, 'mtp_num_layers'),
      maxPositions: size(args, 'max_position_embeddings'),
    }),
    ...latentAttention(args),
    ...sparseAttention(args),
    ...experts(args, dense, bias),
  };
}
