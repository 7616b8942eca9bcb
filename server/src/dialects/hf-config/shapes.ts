import type { ModelSpec } from '../../engine/model/spec';
import type { Planned, Sourced } from '../../plan/plan';
import { largestDivisor } from '../../plan/rules/rule-context';
import { byDefault, derived, present } from '../common/sourced';
import type { NamedFamily } from './families';
import type { Fields } from './fields';
import { transformers, type Notes } from './findings';
import { hybridOf, moeLayersOf, slidingLayersOf } from './layers';

type Part = Planned<ModelSpec>;

const HEADS = ['num_attention_heads', 'n_head', 'n_heads'] as const;
const KV_HEADS = ['num_key_value_heads', 'multi_query_group_num', 'num_kv_heads', 'n_kv_heads'] as const;
const HEAD_DIM = ['head_dim', 'kv_channels', 'attention_head_dim'] as const;

function fallback<T>(value: T | undefined, family: NamedFamily): Sourced<T> | undefined {
  return value === undefined ? undefined : byDefault(value, `default of ${family.name}`);
}

/** Falcon and GPT-BigCode say multi-query attention with a switch. */
function kvByFlag(fields: Fields, family: NamedFamily): Sourced<number> | undefined {
  const multi = fields.flag('multi_query');
  const entry = fields.entry('multi_query');
  const grouped = fields.flag('new_decoder_architecture')?.value === true;
  if (entry === undefined || multi?.value !== true || grouped) return undefined;
  return family.name === 'falcon' || family.name === 'gpt_bigcode'
    ? derived(1, 'multi-query attention', entry)
    : undefined;
}

function checkHeads(heads: Sourced<number>, kvHeads: Sourced<number>, notes: Notes): void {
  if (heads.value % kvHeads.value === 0) return;
  const at = kvHeads.at ?? heads.at;
  if (at === undefined) return;
  const nearest = largestDivisor(heads.value, kvHeads.value);
  notes.add(
    'kv-heads-not-dividing-heads',
    'error',
    at,
    `\`${kvHeads.label ?? 'num_key_value_heads'}: ${kvHeads.value}\` does not divide the ${heads.value} query heads, so they cannot share key/value heads evenly; ${nearest} does.`,
    transformers('src/transformers/models/llama/modeling_llama.py', 'repeat_kv'),
  );
}

function headWidth(
  fields: Fields,
  family: NamedFamily,
  hidden: Sourced<number> | undefined,
  heads: Sourced<number> | undefined,
  notes: Notes,
): Sourced<number> | undefined {
  const stated =
    fields.size(HEAD_DIM) ?? (fields.entry(...HEAD_DIM) === undefined ? fallback(family.headDim, family) : undefined);
  if (stated !== undefined || hidden === undefined || heads === undefined || fields.entry(...HEAD_DIM) !== undefined)
    return stated;
  const width = hidden.value / heads.value;
  if (Number.isInteger(width)) return derived(width, 'hidden size / heads');
  const at = heads.at ?? hidden.at;
  const nearest = largestDivisor(hidden.value, heads.value);
  if (at !== undefined) {
    notes.add(
      'head-width-not-whole',
      'error',
      at,
      `\`${heads.label ?? 'num_attention_heads'}: ${heads.value}\` does not divide the hidden size ${hidden.value} and no \`head_dim\` is given; ${nearest} heads would be ${hidden.value / nearest} wide each.`,
      transformers('src/transformers/models/llama/configuration_llama.py', 'LlamaConfig'),
    );
  }
  return undefined;
}

/** Multi-head latent attention is on where a KV rank is given, unless the config turns it off (DeepSeek-VL2 tiny). */
function latentPart(fields: Fields): Part | undefined {
  const rank = fields.flag('use_mla')?.value === false ? undefined : fields.size(['kv_lora_rank']);
  if (rank === undefined) return undefined;
  return present<Part>({
    attention: derived('mla' as const, 'a KV rank is given', fields.entry('kv_lora_rank')),
    kvLoraRank: rank,
    qLoraRank: fields.size(['q_lora_rank'], 0),
    qkNopeHeadDim: fields.size(['qk_nope_head_dim'], 0),
    qkRopeHeadDim: fields.size(['qk_rope_head_dim'], 0),
    vHeadDim: fields.size(['v_head_dim']),
  });
}

function indexerPart(fields: Fields, count: number | undefined): Part {
  const heads = fields.size(['index_n_heads']);
  if (heads === undefined) return {};
  const types = fields.list('indexer_types');
  const own = types?.node.items.map((item) => item.kind !== 'scalar' || item.value !== 'shared');
  return present<Part>({
    indexHeads: heads,
    indexHeadDim: fields.size(['index_head_dim']) ?? byDefault(128, 'width of the DeepSeek indexer'),
    indexTopk: fields.size(['index_topk']),
    indexerLayers:
      types === undefined || own === undefined || own.length !== count
        ? undefined
        : derived(own, 'listed layer by layer', types.entry),
  });
}

function biases(fields: Fields, family: NamedFamily): Part {
  const reach = family.biasReaches ?? 'all';
  const key = fields.flag('attention_bias', 'add_qkv_bias', 'use_qkv_bias', 'qkv_bias', 'use_bias');
  const bias = reach === 'none' ? undefined : (key ?? fallback(family.attentionBias, family));
  return present<Part>({
    qkvBias: fallback(family.constants?.qkvBias, family) ?? bias,
    attentionOutputBias:
      fallback(family.constants?.attentionOutputBias, family) ?? (reach === 'all' ? bias : undefined),
    mlpBias: fallback(family.constants?.mlpBias, family) ?? fields.flag('mlp_bias', 'add_bias_linear'),
  });
}

function norms(fields: Fields, family: NamedFamily): Part {
  const use = fields.flag('use_qk_norm', 'qk_layernorm', 'qk_norm');
  const entry = fields.entry('use_qk_norm', 'qk_layernorm', 'qk_norm');
  const full = family.name === 'cohere' || family.constants?.qkNorm === 'full';
  const kind: ModelSpec['qkNorm'] = use?.value === false ? 'none' : full ? 'full' : 'head';
  // Llama 4 normalises queries and keys without weights; Qwen-like families always have theirs.
  const optional =
    family.name !== 'llama4' &&
    (!family.known || ['glm4_moe', 'glm4v_moe', 'cohere', 'stablelm', 'minimax_m2'].includes(family.name));
  const stated =
    optional && use !== undefined && entry !== undefined
      ? derived(kind, use.value ? 'weights for queries and keys' : 'none', entry)
      : undefined;
  return present<Part>({
    qkNorm: stated ?? fallback(family.constants?.qkNorm, family),
    normsPerLayer: falconNorms(fields, family) ?? fallback(family.constants?.normsPerLayer, family),
    normBias: fallback(family.constants?.normBias, family),
    embeddingNorm: fallback(family.constants?.embeddingNorm, family),
  });
}

/** Falcon's parallel attention shares one norm with the feed-forward, except in its newer decoder. */
function falconNorms(fields: Fields, family: NamedFamily): Sourced<number> | undefined {
  if (family.name !== 'falcon') return undefined;
  const parallel = fields.flag('parallel_attn')?.value ?? true;
  return byDefault(fields.flag('new_decoder_architecture')?.value === true || !parallel ? 2 : 1, 'norms of Falcon');
}

/** Everything about attention. */
export function attentionPart(
  fields: Fields,
  family: NamedFamily,
  hidden: Sourced<number> | undefined,
  count: number | undefined,
  notes: Notes,
): Part {
  const heads = fields.size(HEADS);
  const latent = latentPart(fields);
  const inner = fields.inner('attn_config');
  const stated = kvByFlag(fields, family) ?? fields.size(KV_HEADS) ?? inner?.size(['kv_n_heads', ...KV_HEADS]);
  const written = fields.entry(...KV_HEADS) !== undefined;
  const kvHeads =
    stated ??
    (written
      ? undefined
      : (fallback(family.kvHeads, family) ??
        (heads === undefined ? undefined : byDefault(heads.value, 'as many as query heads'))));
  if (heads !== undefined && kvHeads !== undefined && latent === undefined) checkHeads(heads, kvHeads, notes);
  const width = latent === undefined ? headWidth(fields, family, hidden, heads, notes) : fields.size(HEAD_DIM);
  return {
    ...present<Part>({
      heads,
      kvHeads,
      headDim: width,
      attention: byDefault('gqa', 'no KV rank is given'),
      attentionSinks: fallback(family.constants?.attentionSinks, family),
      attentionGate: fields.flag('attn_output_gate') ?? fallback(family.constants?.attentionGate, family),
    }),
    ...latent,
    ...indexerPart(fields, count),
    ...biases(fields, family),
    ...norms(fields, family),
    ...windowPart(fields, family, count),
  };
}

function windowPart(fields: Fields, family: NamedFamily, count: number | undefined): Part {
  if (count === undefined) return {};
  const off = fields.flag('use_sliding_window')?.value === false;
  const window = off ? undefined : fields.size(['sliding_window', 'attention_chunk_size', 'sliding_window_size'], 0);
  const windowed = window !== undefined && window.value > 0;
  // transformers reads Qwen's window only behind its switch.
  const gated = family.sliding === 'qwen' && fields.flag('use_sliding_window')?.value !== true;
  const layers = off ? undefined : slidingLayersOf(fields, family, count, windowed && !gated);
  return present<Part>({
    slidingWindow: windowed && layers !== undefined ? window : undefined,
    slidingLayers: windowed ? layers : undefined,
  });
}

const EXPERTS = ['n_routed_experts', 'num_experts', 'num_local_experts', 'moe_num_experts'] as const;
const TOP_K = [
  'num_experts_per_tok',
  'num_experts_per_token',
  'experts_per_token',
  'moe_top_k',
  'moe_topk',
  'top_k_experts',
  'n_activated_experts',
  'moe_k',
] as const;
const WIDTH = ['moe_intermediate_size', 'moe_inter_dim', 'moe_ffn_hidden_size', 'expert_intermediate_size'] as const;

function checkExperts(part: Part, notes: Notes): void {
  const { experts, expertsPerToken, expertGroups, groupsPerToken } = part;
  if (experts === undefined) return;
  if (expertsPerToken?.at !== undefined && expertsPerToken.value > experts.value) {
    notes.add(
      'experts-per-token-too-many',
      'error',
      expertsPerToken.at,
      `\`${expertsPerToken.label ?? ''}: ${expertsPerToken.value}\` asks for more experts than the ${experts.value} there are; ${experts.value} is the most.`,
    );
  }
  if (expertGroups?.at === undefined) return;
  if (experts.value % expertGroups.value !== 0) {
    const nearest = largestDivisor(experts.value, expertGroups.value);
    notes.add(
      'expert-groups-not-divisible',
      'error',
      expertGroups.at,
      `\`${expertGroups.label ?? ''}: ${expertGroups.value}\` does not divide the ${experts.value} experts into equal groups; ${nearest} does.`,
    );
  } else if (groupsPerToken?.at !== undefined && groupsPerToken.value > expertGroups.value) {
    notes.add(
      'expert-groups-not-divisible',
      'error',
      groupsPerToken.at,
      `\`${groupsPerToken.label ?? ''}: ${groupsPerToken.value}\` lets a token use more groups than the ${expertGroups.value} there are; ${expertGroups.value} is the most.`,
    );
  }
}

/** Shared experts: a count (DeepSeek), a width (Qwen), both (Nemotron-3), or one of the routed width (Llama 4). */
function sharedPart(fields: Fields, family: NamedFamily, width: Sourced<number> | undefined): Part {
  const count = fields.size(['n_shared_experts', 'num_shared_experts', 'moe_num_shared_experts'], 0);
  const own = fields.size(
    ['shared_expert_intermediate_size', 'moe_shared_expert_intermediate_size', 'shared_intermediate_size'],
    0,
  );
  const one =
    family.name === 'llama4' ? byDefault(1, 'every expert layer of Llama 4 has one shared expert') : undefined;
  const total =
    own !== undefined && count !== undefined && count.value > 1
      ? derived(
          own.value * count.value,
          'width times shared experts',
          fields.entry('moe_shared_expert_intermediate_size', 'shared_intermediate_size'),
        )
      : own;
  return present<Part>({
    sharedExperts: count ?? one,
    sharedExpertIntermediateSize: total ?? (one === undefined ? undefined : width),
    sharedExpertGate: fallback(family.constants?.sharedExpertGate, family),
  });
}

/** Everything about experts; empty for a dense model. */
export function expertPart(fields: Fields, family: NamedFamily, count: number | undefined, notes: Notes): Part {
  const inner = fields.inner('ffn_config') ?? fields.inner('moe');
  const experts = fields.size(EXPERTS, 0) ?? inner?.size([...EXPERTS], 0) ?? fallback(family.experts, family);
  if (experts === undefined || experts.value === 0) return {};
  const separate = fields.size(WIDTH);
  const width =
    separate ?? fields.size(['intermediate_size', 'inter_dim', 'hidden_dim']) ?? inner?.size(['ffn_hidden_size']);
  const part = present<Part>({
    experts,
    expertsPerToken: fields.size(TOP_K) ?? inner?.size([...TOP_K]) ?? fallback(family.expertsPerToken, family),
    expertIntermediateSize: width,
    expertLatentSize: fields.size(['moe_latent_size', 'routed_expert_hidden_size']),
    ...sharedPart(fields, family, width),
    expertBias: fallback(family.constants?.expertBias, family),
    routerBias: fallback(family.constants?.routerBias, family),
    routerCorrectionBias: correction(fields, family),
    expertGroups: fields.size(['n_group', 'n_expert_groups', 'num_expert_group']),
    groupsPerToken: fields.size(['topk_group', 'n_limited_groups']),
    moeLayers: count === undefined ? undefined : moeLayersOf(fields, family, count, notes),
  });
  checkExperts(part, notes);
  return part;
}

/** DeepSeek's auxiliary-loss-free balancing keeps a bias an expert; without it the method is another one. */
function correction(fields: Fields, family: NamedFamily): Sourced<boolean> | undefined {
  const method = fields.text('topk_method');
  if (method !== undefined)
    return derived(method.value === 'noaux_tc', `topk_method ${method.value}`, fields.entry('topk_method'));
  return (
    fields.flag('use_routing_bias', 'moe_router_enable_expert_bias') ??
    fallback(family.constants?.routerCorrectionBias, family)
  );
}

/** Recurrent layers of hybrids. */
export function hybridPart(fields: Fields, family: NamedFamily, count: number | undefined, notes: Notes): Part {
  const hybrid = count === undefined ? undefined : hybridOf(fields, family, count, notes);
  if (hybrid === undefined) return {};
  return present<Part>({
    mixers: hybrid.mixers,
    feedForwardLayers: hybrid.feedForwardLayers,
    ...(hybrid.moeLayers === undefined ? {} : { moeLayers: hybrid.moeLayers }),
    linearKeyHeads: fields.size(['linear_num_key_heads']),
    linearValueHeads: fields.size(['linear_num_value_heads']),
    linearKeyHeadDim: fields.size(['linear_key_head_dim']),
    linearValueHeadDim: fields.size(['linear_value_head_dim']),
    ssmHeads: fields.size(['mamba_num_heads']),
    ssmHeadDim: fields.size(['mamba_head_dim']),
    ssmGroups: fields.size(['n_groups']),
    ssmStateSize: fields.size(['ssm_state_size']),
    convKernel: fields.size(['linear_conv_kernel_dim', 'conv_kernel']),
    convBias: fields.flag('use_conv_bias'),
  });
}
