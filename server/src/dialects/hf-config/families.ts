import type { ModelSpec } from '../../engine/model/spec';

/** Flags of the architecture that no key of the config states. */
type Constants = Partial<
  Pick<
    ModelSpec,
    | 'gatedMlp'
    | 'mlpBias'
    | 'qkvBias'
    | 'attentionOutputBias'
    | 'attentionSinks'
    | 'qkNorm'
    | 'normsPerLayer'
    | 'normBias'
    | 'sharedExpertGate'
    | 'expertBias'
    | 'routerBias'
    | 'routerCorrectionBias'
    | 'embeddingNorm'
    | 'headBias'
    | 'attentionGate'
    | 'mtpStoresTables'
    | 'convBias'
  >
>;

/** Facts of one model family: what its implementation fixes, and what it assumes when the config is silent. */
export interface Family {
  readonly constants?: Constants;
  /** `tie_word_embeddings` when absent. False unless told. */
  readonly tied?: boolean;
  /** `head_dim` when absent; hidden / heads unless told. */
  readonly headDim?: number;
  readonly kvHeads?: number;
  readonly vocabSize?: number;
  /** `attention_bias` (or `use_bias`) when absent, and which projections it reaches. */
  readonly attentionBias?: boolean;
  readonly biasReaches?: 'qkv' | 'all' | 'none';
  /** Every layer has experts, of the width of `intermediate_size`. */
  readonly everyLayerMoe?: boolean;
  readonly experts?: number;
  readonly expertsPerToken?: number;
  readonly firstDense?: number;
  /** Which layers use the window when the config names one: all, or all but every n-th (or the reverse phase for n = 2). */
  readonly sliding?: 'all' | 'even' | { readonly fullEvery: number } | 'qwen';
  /** MTP layers that the published weights hold though the config has no key for them. */
  readonly mtpLayers?: number;
  /** The config names MTP layers that the published weights leave out. */
  readonly mtpNotPublished?: boolean;
  /** Learned position table: rows beyond `max_position_embeddings`. */
  readonly learnedPositions?: number;
  /** Written where the family has tensors that the inventory cannot describe. */
  readonly unmodelled?: string;
}

const PLAIN: Constants = { gatedMlp: false, mlpBias: true, normBias: true };
const LLAMA: Family = { biasReaches: 'all' };
const DEEPSEEK_MOE: Family = { constants: { routerCorrectionBias: true, mtpStoresTables: true }, biasReaches: 'none' };
const GATED_DELTA: Family = {
  constants: { qkNorm: 'head', sharedExpertGate: true, attentionGate: true },
  biasReaches: 'all',
  headDim: 256,
};

/**
 * Families by `model_type`, after the `configuration_*` and `modeling_*` modules of huggingface/transformers and, for weights that
 * transformers does not define, the modelling files published beside them.
 */
export const FAMILIES: Readonly<Record<string, Family>> = {
  llama: LLAMA,
  mistral: { sliding: 'all', kvHeads: 8 },
  ministral: { sliding: 'all' },
  mixtral: { everyLayerMoe: true, experts: 8, expertsPerToken: 2, kvHeads: 8, sliding: 'all' },
  qwen: { constants: { qkvBias: true }, biasReaches: 'none' },
  qwen2: { constants: { qkvBias: true }, biasReaches: 'none', sliding: 'qwen' },
  qwen2_vl: { constants: { qkvBias: true }, biasReaches: 'none', sliding: 'qwen' },
  qwen2_5_vl: { constants: { qkvBias: true }, biasReaches: 'none', sliding: 'qwen' },
  qwen2_moe: { constants: { qkvBias: true, sharedExpertGate: true }, biasReaches: 'none', sliding: 'qwen' },
  qwen3: { constants: { qkNorm: 'head' }, biasReaches: 'all', headDim: 128, sliding: 'qwen' },
  qwen3_vl: { constants: { qkNorm: 'head' }, biasReaches: 'all', headDim: 128 },
  qwen3_moe: { constants: { qkNorm: 'head' }, biasReaches: 'all', sliding: 'qwen' },
  qwen3_vl_moe: { constants: { qkNorm: 'head' }, biasReaches: 'all' },
  qwen3_next: { ...GATED_DELTA, mtpLayers: 1 },
  qwen3_5: { ...GATED_DELTA, constants: { ...GATED_DELTA.constants, sharedExpertGate: false } },
  qwen3_5_moe: GATED_DELTA,
  mimo: { constants: { qkvBias: true }, biasReaches: 'none', sliding: 'qwen' },
  smollm3: { tied: true, kvHeads: 4 },
  gemma: { tied: true, headDim: 256, biasReaches: 'all' },
  gemma2: {
    constants: { normsPerLayer: 4 },
    tied: true,
    headDim: 256,
    kvHeads: 4,
    vocabSize: 256000,
    biasReaches: 'all',
    sliding: 'even',
  },
  gemma3: {
    constants: { normsPerLayer: 4, qkNorm: 'head' },
    tied: true,
    headDim: 256,
    kvHeads: 4,
    vocabSize: 262208,
    biasReaches: 'all',
    sliding: { fullEvery: 6 },
  },
  phi: {
    constants: { ...PLAIN, normsPerLayer: 1, qkvBias: true, attentionOutputBias: true, headBias: true },
    biasReaches: 'none',
  },
  phi3: { biasReaches: 'none', sliding: 'all' },
  phimoe: {
    constants: { normBias: true },
    everyLayerMoe: true,
    experts: 16,
    expertsPerToken: 2,
    biasReaches: 'all',
    sliding: 'all',
  },
  deepseek: { biasReaches: 'none' },
  deepseek_v2: { biasReaches: 'none' },
  deepseek_v3: { ...DEEPSEEK_MOE, firstDense: 3 },
  deepseek_v32: { ...DEEPSEEK_MOE, firstDense: 3 },
  kimi_k2: { ...DEEPSEEK_MOE, firstDense: 1 },
  glm_moe_dsa: DEEPSEEK_MOE,
  glm4_moe: {
    constants: { routerCorrectionBias: true, mtpStoresTables: true },
    biasReaches: 'qkv',
    headDim: 128,
    kvHeads: 8,
    firstDense: 1,
  },
  glm4_moe_lite: { ...DEEPSEEK_MOE, firstDense: 1 },
  glm4v_moe: { constants: { routerCorrectionBias: true }, biasReaches: 'qkv', attentionBias: true, firstDense: 1 },
  glm: { biasReaches: 'qkv', attentionBias: true, headDim: 128 },
  glm4: { constants: { normsPerLayer: 4 }, biasReaches: 'qkv', headDim: 128 },
  chatglm: { biasReaches: 'qkv', attentionBias: true },
  dots1: { constants: { qkNorm: 'head', routerCorrectionBias: true }, biasReaches: 'all' },
  gpt_oss: {
    constants: { routerBias: true, expertBias: true, attentionSinks: true },
    attentionBias: true,
    biasReaches: 'all',
    everyLayerMoe: true,
    experts: 128,
    expertsPerToken: 4,
    headDim: 64,
    kvHeads: 8,
    sliding: 'even',
  },
  minimax_m2: {
    constants: { qkNorm: 'full', routerCorrectionBias: true },
    everyLayerMoe: true,
    headDim: 128,
    kvHeads: 8,
    mtpNotPublished: true,
  },
  llama4: { headDim: 128, kvHeads: 8, biasReaches: 'all' },
  olmo: { constants: { normsPerLayer: 0 }, biasReaches: 'all' },
  olmo2: { constants: { qkNorm: 'full' }, biasReaches: 'all' },
  olmo3: { constants: { qkNorm: 'full' }, biasReaches: 'all', sliding: { fullEvery: 4 } },
  olmoe: { constants: { qkNorm: 'full' }, biasReaches: 'all', everyLayerMoe: true, experts: 64, expertsPerToken: 8 },
  granite: LLAMA,
  granitemoe: { ...LLAMA, everyLayerMoe: true, experts: 8, expertsPerToken: 2 },
  cohere: { constants: { normsPerLayer: 1 }, tied: true, biasReaches: 'all' },
  cohere2: { constants: { normsPerLayer: 1 }, tied: true, biasReaches: 'all', sliding: { fullEvery: 4 } },
  starcoder2: { constants: PLAIN, attentionBias: true, biasReaches: 'all', tied: true, sliding: 'all' },
  stablelm: { constants: { normBias: true }, biasReaches: 'qkv' },
  nemotron: { constants: { gatedMlp: false, normBias: true }, biasReaches: 'all' },
  nemotron_h: { constants: { gatedMlp: false, normsPerLayer: 1, routerCorrectionBias: true }, biasReaches: 'all' },
  internlm2: LLAMA,
  internlm3: LLAMA,
  baichuan: { biasReaches: 'none' },
  aquila: LLAMA,
  seed_oss: { biasReaches: 'qkv', attentionBias: true, headDim: 128 },
  exaone: { biasReaches: 'none' },
  ernie4_5: { biasReaches: 'all', headDim: 128 },
  dbrx: { everyLayerMoe: true, experts: 16, expertsPerToken: 4, kvHeads: 8, biasReaches: 'none' },
  gpt2: {
    constants: { ...PLAIN, qkvBias: true, attentionOutputBias: true },
    tied: true,
    biasReaches: 'none',
    learnedPositions: 0,
  },
  gpt_bigcode: {
    constants: { ...PLAIN, qkvBias: true, attentionOutputBias: true },
    tied: true,
    biasReaches: 'none',
    learnedPositions: 0,
  },
  gpt_neox: { constants: { ...PLAIN, qkvBias: true, attentionOutputBias: true }, biasReaches: 'none' },
  opt: {
    constants: { ...PLAIN, qkvBias: true, attentionOutputBias: true },
    tied: true,
    biasReaches: 'none',
    learnedPositions: 2,
  },
  bloom: {
    constants: { ...PLAIN, qkvBias: true, attentionOutputBias: true, embeddingNorm: true },
    tied: true,
    biasReaches: 'none',
  },
  falcon: { constants: { gatedMlp: false, normBias: true }, tied: true, biasReaches: 'none' },
  // Read where a key means what it means elsewhere; their tensors are not described here.
  deepseek_v4: { unmodelled: 'its compressed attention and hyper-connections' },
  deepseek_ref: { unmodelled: 'its compressed attention and hyper-connections' },
  gemma3n: { unmodelled: 'its per-layer embeddings' },
  gemma4: { unmodelled: 'its two kinds of attention heads' },
  kimi_linear: { unmodelled: 'its Kimi delta attention' },
  kimi_k3: { unmodelled: 'its Kimi delta attention' },
  minimax_m3: { unmodelled: 'its sparse-attention index heads' },
  minimax: { unmodelled: 'its lightning attention' },
  minimax_text_01: { unmodelled: 'its lightning attention' },
  step3p5: { unmodelled: 'its attention, which differs from layer to layer' },
  step3p7: { unmodelled: 'its attention, which differs from layer to layer' },
  'nemotron-nas': { unmodelled: 'its layers of different widths' },
  deci: { unmodelled: 'its layers of different widths' },
  mllama: { unmodelled: 'its cross-attention layers' },
  jamba: { unmodelled: 'its Mamba layers' },
  mamba: { unmodelled: 'its Mamba layers' },
  mamba2: { unmodelled: 'its Mamba layers' },
  bamba: { unmodelled: 'its Mamba layers' },
  falcon_h1: { unmodelled: 'its parallel Mamba heads' },
  granitemoehybrid: { unmodelled: 'its Mamba layers' },
  rwkv: { unmodelled: 'its recurrent layers' },
  lfm2: { unmodelled: 'its convolution layers' },
  t5: { unmodelled: 'its encoder' },
  mt5: { unmodelled: 'its encoder' },
  bart: { unmodelled: 'its encoder' },
  whisper: { unmodelled: 'its encoder' },
  bert: { unmodelled: 'its encoder' },
};

/** `model_type` values that mean a family listed under another name. */
const ALIASES: Readonly<Record<string, string>> = {
  kimi_k25: 'kimi_k2',
  deepseek_vl_v2: 'deepseek_v2',
  gemma3_text: 'gemma3',
  gemma4_text: 'gemma4',
  llama4_text: 'llama4',
  qwen3_vl_text: 'qwen3_vl',
  qwen3_vl_moe_text: 'qwen3_vl_moe',
  qwen3_5_text: 'qwen3_5',
  qwen3_5_moe_text: 'qwen3_5_moe',
  qwen2_vl_text: 'qwen2_vl',
  qwen2_5_vl_text: 'qwen2_5_vl',
  glm4v_moe_text: 'glm4v_moe',
  minimax_m2_5: 'minimax_m2',
  mistral3: 'mistral',
  ministral3: 'mistral',
  yi: 'llama',
};

/** Heads that guess tokens ahead for another model: their layers take other inputs than a model's. */
const DRAFT = /eagle|dflash|dspark|medusa|draft|mlpspeculator/i;

export interface NamedFamily extends Family {
  /** The name it is listed under; the `model_type` itself where it is not known. */
  readonly name: string;
  readonly known: boolean;
}

/** The family of a config; unknown ones are read as a Llama-like decoder. */
export function familyOf(modelType: string | undefined, architecture: string | undefined): NamedFamily {
  const name = modelType === undefined ? 'unknown' : (ALIASES[modelType] ?? modelType);
  const family = Object.hasOwn(FAMILIES, name) ? FAMILIES[name] : undefined;
  if (architecture !== undefined && DRAFT.test(architecture)) {
    return {
      ...family,
      name,
      known: true,
      unmodelled: 'draft heads, whose layers take the hidden states of a target model',
    };
  }
  return { ...family, name, known: family !== undefined };
}

/** `model_type` of an architecture class, for configs that name only the class, such as `DeepseekV3ForCausalLM`. */
export function familyOfArchitecture(architecture: string): string | undefined {
  const stem = architecture.replace(/(ForCausalLM|ForConditionalGeneration|LMHeadModel|Model)$/, '');
  const flat = stem.toLowerCase();
  return Object.keys(FAMILIES).find((name) => name.replaceAll('_', '') === flat);
}
