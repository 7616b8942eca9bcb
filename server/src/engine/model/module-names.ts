import type { ModelSpec } from './spec';

/** How a family's checkpoint calls the modules that exclusion patterns name. */
export interface ModuleNames {
  readonly attention: string;
  readonly feedForward: string;
  readonly router: string;
  readonly shared: string;
  readonly gate: string;
  readonly up: string;
  readonly down: string;
  /** Prefix of MTP layer `index`. */
  readonly mtpLayer: (index: number, layers: number) => string;
}

const USUAL: ModuleNames = {
  attention: 'self_attn',
  feedForward: 'mlp',
  router: 'gate',
  shared: 'shared_experts',
  gate: 'gate_proj',
  up: 'up_proj',
  down: 'down_proj',
  mtpLayer: (index, layers) => `model.layers.${index + layers}`,
};

const MIXTRAL: Partial<ModuleNames> = { feedForward: 'block_sparse_moe', gate: 'w1', up: 'w3', down: 'w2' };
const ONE_SHARED: Partial<ModuleNames> = { shared: 'shared_expert' };
const OUTSIDE_MTP: Partial<ModuleNames> = { mtpLayer: (index) => `mtp.layers.${index}` };

const BY_FAMILY: Readonly<Record<string, Partial<ModuleNames>>> = {
  mixtral: MIXTRAL,
  minimax_m2: MIXTRAL,
  phimoe: MIXTRAL,
  qwen2_moe: ONE_SHARED,
  qwen3_next: { ...ONE_SHARED, ...OUTSIDE_MTP },
  qwen3_5: { ...ONE_SHARED, ...OUTSIDE_MTP },
  qwen3_5_moe: { ...ONE_SHARED, ...OUTSIDE_MTP },
  llama4: { feedForward: 'feed_forward', router: 'router', shared: 'shared_expert' },
  gpt_oss: { router: 'router' },
  nemotron_h: { attention: 'mixer', feedForward: 'mixer', ...OUTSIDE_MTP },
};

/** Module names of the model's family; those of Llama and DeepSeek where the family is not known. */
export function moduleNames(model: ModelSpec): ModuleNames {
  const family = (model.family ?? '').replace(/_text$/, '');
  return { ...USUAL, ...BY_FAMILY[family] };
}
