import type { MapNode } from '../../syntax/tree';
import { hasKey } from '../common/nodes';
import type { MegatronForm } from './arguments';

/** Whose defaults hold for arguments that a file leaves out. */
export interface Profile {
  /** For notes: `Megatron-LM's default`. */
  readonly note: string;
  /** Defaults by destination that differ from Megatron-LM's own command line. */
  readonly defaults: Readonly<Record<string, string | number | boolean>>;
  /** The model comes from a checkpoint that is named, not from sizes. */
  readonly namedModel: boolean;
}

const MEGATRON: Profile = { note: "Megatron-LM's default", defaults: {}, namedModel: false };

/** ms-swift, swift/megatron/arguments/megatron_args.py, `MegatronArguments` (006938be). */
const SWIFT: Profile = {
  note: "ms-swift's default",
  namedModel: true,
  defaults: {
    micro_batch_size: 1,
    global_batch_size: 16,
    recompute_granularity: 'selective',
    use_distributed_optimizer: true,
    expert_tensor_parallel_size: 1,
    bf16: true,
    cross_entropy_loss_fusion: true,
    moe_token_dispatcher_type: 'alltoall',
    moe_grouped_gemm: true,
    hidden_dropout: 0,
    attention_dropout: 0,
    apply_rope_fusion: false,
    create_attention_mask_in_dataloader: false,
    position_embedding_type: 'rope',
  },
};

/** Megatron-Bridge, src/megatron/bridge/training: recipes train in BF16 and gradients are reduced in FP32. */
export const BRIDGE: Profile = {
  note: "Megatron-Bridge's default",
  defaults: { bf16: true, use_distributed_optimizer: true, cross_entropy_loss_fusion: true },
  namedModel: false,
};

/** NeMo 1, nemo/collections/nlp/parts/nlp_overrides.py: everything is stated under `model`, what is not is off. */
export const NEMO1: Profile = { note: "NeMo's default", defaults: {}, namedModel: false };

/** GPT-NeoX's own Megatron: no fusion of the loss, no experts unless asked. */
export const NEOX: Profile = { note: "GPT-NeoX's default", defaults: {}, namedModel: false };

/** NeMo's trainer, which Megatron's test harness also drives, trains in BF16. */
const NEMO: Profile = { note: "NeMo's default", defaults: { bf16: true }, namedModel: false };

const SWIFT_KEYS = [
  'model',
  'tuner_type',
  'train_type',
  'max_length',
  'mcore_model',
  'padding_free',
  'num_train_epochs',
  'save_steps',
  'load_safetensors',
  'save_safetensors',
];

/** The profile that a file's own keys speak for. */
export function profileOf(root: MapNode, form: MegatronForm): Profile {
  if (form === 'flat' && !hasKey(root, 'num_layers') && SWIFT_KEYS.some((key) => hasKey(root, key))) return SWIFT;
  const args = root.entries.find(({ key }) => key === 'MODEL_ARGS')?.value;
  return form === 'model-args' && args?.kind === 'map' && args.entries.some(({ key }) => key.startsWith('trainer.'))
    ? NEMO
    : MEGATRON;
}
