import { coverageOf, isOn, type Condition, type Coverage } from '../common/conditions';
import { rowConditions, type Row } from '../common/rows';
import { DEEPSPEED } from '../deepspeed/companion';
import { zeroStage } from '../deepspeed/plan';
import type { Source } from '../deepspeed/source';
import { agreementConditions, HF_TRAINER } from '../deepspeed/trainer';
import { llamaFactoryFile } from './framework';
import { llamaFactorySchema } from './schema-data';

const TRAIN = llamaFactoryFile('hparams/parser.py', 'get_train_args');
const VERIFY = llamaFactoryFile('hparams/parser.py', '_verify_model_args');
const QUANTIZE = llamaFactoryFile('model/model_utils/quantization.py', 'configure_quantization');
const TUNING = llamaFactoryFile('hparams/finetuning_args.py', 'FinetuningArguments.__post_init__');
const BRIDGE = llamaFactoryFile('hparams/megatron_bridge_args.py', 'MegatronBridgeArguments.__post_init__');
const DATA = llamaFactoryFile('hparams/data_args.py', 'DataArguments.__post_init__');

const STAGE = `${DEEPSPEED}.zero_optimization.stage`;

/** True where the named DeepSpeed file, which is at hand, asks for ZeRO stage 3. */
function third(s: Source): boolean {
  return zeroStage(s, DEEPSPEED)?.value === 3;
}

function given(s: Source, key: string): boolean {
  return s.entry(key) !== undefined;
}

function tuning(s: Source): string {
  return s.text('finetuning_type') ?? 'lora';
}

/** Keys of the Megatron Bridge launch that neither the Trainer nor the other Megatron launch reads. */
const BRIDGE_ONLY = [
  'mixed_precision',
  'use_packed_sequences',
  'megatron_pretrained_checkpoint',
  'export_hf_on_finish',
  'extra_config',
];

function byBridge(s: Source): boolean {
  return BRIDGE_ONLY.some((key) => given(s, key));
}

/** True where any key is there that only the Megatron launches read. */
export function byMegatron(s: Source): boolean {
  return llamaFactorySchema['x-megatron'].some((key) => given(s, key));
}

/** One line a check: what decides it, when it holds, and what to say. */
const ROWS: readonly Row<Source>[] = [
  [
    'generate-with-zero-3',
    'LF-002',
    TRAIN,
    ['predict_with_generate', STAGE],
    (s) => isOn(s, 'predict_with_generate') && third(s),
    'predict_with_generate does not work with ZeRO stage 3; use stage 2, or evaluate in a run of its own.',
  ],
  [
    'pure-bf16-with-zero-3',
    'LF-003',
    TRAIN,
    ['pure_bf16', STAGE],
    (s) => isOn(s, 'pure_bf16') && third(s),
    'pure_bf16 does not work with ZeRO stage 3; use bf16.',
  ],
  [
    'galore-with-deepspeed',
    'LF-004',
    TRAIN,
    ['use_galore', 'use_apollo', 'deepspeed'],
    (s) => given(s, 'deepspeed') && (isOn(s, 'use_galore') || isOn(s, 'use_apollo')),
    'GaLore and APOLLO do not work with DeepSpeed; leave deepspeed out.',
  ],
  [
    'badam-needs-zero-3',
    'LF-005',
    TRAIN,
    ['use_badam', 'badam_mode', STAGE],
    (s) => isOn(s, 'use_badam') && given(s, STAGE) && !third(s),
    'Layer-wise BAdam on several ranks works with ZeRO stage 3 alone.',
  ],
  [
    'badam-needs-zero-3',
    'LF-005',
    TRAIN,
    ['badam_mode', 'use_badam', 'deepspeed'],
    (s) => isOn(s, 'use_badam') && s.text('badam_mode') === 'ratio' && given(s, 'deepspeed'),
    'BAdam by ratio works on one rank alone; use badam_mode layer with ZeRO stage 3.',
  ],
  [
    'fp8-with-quantized-weights',
    'LF-006',
    TRAIN,
    ['fp8', 'quantization_bit'],
    (s) => isOn(s, 'fp8') && given(s, 'quantization_bit') && !byMegatron(s),
    'FP8 training and quantization_bit exclude each other.',
  ],
  [
    'fp8-switched-on',
    'LF-007',
    TRAIN,
    ['fp8_enable_fsdp_float8_all_gather', 'fp8'],
    (s) => isOn(s, 'fp8_enable_fsdp_float8_all_gather') && !isOn(s, 'fp8') && !byMegatron(s),
    'fp8_enable_fsdp_float8_all_gather needs fp8; LLaMA-Factory warns and sets fp8 to true.',
    'information',
  ],
  [
    'unsloth-with-zero-3',
    'LF-008',
    TRAIN,
    ['use_unsloth', STAGE],
    (s) => isOn(s, 'use_unsloth') && third(s),
    'Unsloth does not work with ZeRO stage 3.',
  ],
  [
    'ktransformers-with-zero-3',
    'LF-008',
    TRAIN,
    ['use_kt', STAGE],
    (s) => isOn(s, 'use_kt') && third(s),
    'KTransformers does not work with ZeRO stage 3.',
  ],
  [
    'megatron-bridge-unsupported',
    'LF-009',
    TRAIN,
    ['stage', ...BRIDGE_ONLY],
    (s) => byBridge(s) && given(s, 'stage') && !['pt', 'sft'].includes(s.text('stage') ?? ''),
    'Megatron Bridge trains the stages pt and sft alone.',
  ],
  [
    'megatron-bridge-unsupported',
    'LF-009',
    TRAIN,
    ['finetuning_type', ...BRIDGE_ONLY],
    (s) => byBridge(s) && !['full', 'lora'].includes(tuning(s)),
    'Megatron Bridge takes finetuning_type full or lora.',
  ],
  [
    'megatron-bridge-unsupported',
    'LF-009',
    TRAIN,
    ['quantization_bit', ...BRIDGE_ONLY],
    (s) => byBridge(s) && given(s, 'quantization_bit'),
    'Megatron Bridge trains no quantized model; leave quantization_bit out.',
  ],
  [
    'megatron-bridge-unsupported',
    'LF-009',
    TRAIN,
    ['deepspeed', ...BRIDGE_ONLY],
    (s) => byBridge(s) && given(s, 'deepspeed'),
    'Megatron Bridge and DeepSpeed exclude each other; leave deepspeed out.',
  ],
  [
    'sequence-parallel-without-tensor',
    'LF-009',
    BRIDGE,
    ['sequence_parallel', 'tensor_model_parallel_size', ...BRIDGE_ONLY],
    (s) => byBridge(s) && isOn(s, 'sequence_parallel') && (s.integer('tensor_model_parallel_size') ?? 1) <= 1,
    'sequence_parallel needs tensor_model_parallel_size above 1.',
    'error',
    ['sequence_parallel', 'false'],
  ],
  [
    'quantized-weights-cannot-train',
    'LF-011',
    VERIFY,
    ['quantization_bit', 'finetuning_type'],
    (s) => given(s, 'quantization_bit') && !['lora', 'oft'].includes(tuning(s)),
    'Quantized weights cannot be trained; set finetuning_type to lora or oft, or leave quantization_bit out.',
  ],
  [
    'quantized-weights-cannot-train',
    'LF-011',
    VERIFY,
    ['resize_vocab', 'quantization_bit'],
    (s) => given(s, 'quantization_bit') && isOn(s, 'resize_vocab'),
    'The embedding of a quantized model cannot be resized.',
  ],
  [
    'quantized-weights-cannot-train',
    'LF-011',
    VERIFY,
    ['pissa_init', 'quantization_bit'],
    (s) => given(s, 'quantization_bit') && isOn(s, 'pissa_init'),
    'PiSSA adapters of a quantized model are made by scripts/pissa_init.py and cannot be made here.',
  ],
  [
    'quantized-base-not-shardable',
    'LF-013',
    QUANTIZE,
    ['quantization_bit', 'quantization_method', STAGE],
    (s) =>
      third(s) &&
      given(s, 'quantization_bit') &&
      (s.integer('quantization_bit') !== 4 || ['hqq', 'eetq'].includes(s.text('quantization_method') ?? '')),
    'ZeRO stage 3 shards weights of bitsandbytes in 4 bits alone; set quantization_bit to 4.',
    'error',
    ['quantization_bit', '4'],
  ],
  [
    'quantization-bits-unknown',
    'LF-013',
    QUANTIZE,
    ['quantization_bit', 'quantization_method'],
    (s) =>
      (s.text('quantization_method') ?? 'bnb') === 'bnb' && ![undefined, 4, 8].includes(s.number('quantization_bit')),
    'bitsandbytes takes quantization_bit 4 or 8.',
  ],
  [
    'streaming-needs-steps',
    'LF-014',
    TRAIN,
    ['streaming', 'max_steps'],
    (s) => isOn(s, 'streaming') && (s.number('max_steps') ?? -1) === -1 && !s.unknown('max_steps'),
    'A streamed data set has no length; set max_steps.',
  ],
  [
    'exclusive-keys',
    '',
    DATA,
    ['max_samples', 'streaming'],
    (s) => isOn(s, 'streaming') && given(s, 'max_samples'),
    'max_samples and streaming exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    DATA,
    ['val_size', 'eval_dataset'],
    (s) => given(s, 'eval_dataset') && (s.number('val_size') ?? 0) > 1e-6,
    'val_size and eval_dataset exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    TUNING,
    ['use_galore', 'use_apollo', 'use_badam'],
    (s) => ['use_galore', 'use_apollo', 'use_badam'].filter((key) => isOn(s, key)).length > 1,
    'Only one of GaLore, APOLLO and BAdam can be used.',
  ],
  [
    'adapters-with-full-optimizer',
    '',
    TUNING,
    ['finetuning_type', 'use_galore', 'use_apollo', 'use_badam'],
    (s) => tuning(s) === 'lora' && ['use_galore', 'use_apollo', 'use_badam'].some((key) => isOn(s, key)),
    'GaLore, APOLLO and BAdam train all weights and do not work with LoRA; set finetuning_type to full.',
  ],
  [
    'adapter-needs-lora',
    '',
    VERIFY,
    ['adapter_name_or_path', 'finetuning_type'],
    (s) => given(s, 'adapter_name_or_path') && tuning(s) !== 'lora',
    'adapter_name_or_path is for finetuning_type lora.',
  ],
  [
    'lora-option-without-lora',
    '',
    TUNING,
    ['use_rslora', 'use_dora', 'pissa_init', 'finetuning_type'],
    (s) => tuning(s) !== 'lora' && ['use_rslora', 'use_dora', 'pissa_init'].some((key) => isOn(s, key)),
    'use_rslora, use_dora and pissa_init are options of finetuning_type lora.',
  ],
  [
    'reward-model-missing',
    '',
    TUNING,
    ['stage', 'reward_model'],
    (s) => s.text('stage') === 'ppo' && !given(s, 'reward_model'),
    'PPO needs a reward_model.',
  ],
  [
    'stage-not-sft',
    '',
    TRAIN,
    ['predict_with_generate', 'neat_packing', 'train_on_prompt', 'mask_history', 'stage'],
    (s) =>
      given(s, 'stage') &&
      s.text('stage') !== 'sft' &&
      ['predict_with_generate', 'neat_packing', 'train_on_prompt', 'mask_history'].some((key) => isOn(s, key)),
    'predict_with_generate, neat_packing, train_on_prompt and mask_history are for stage sft alone.',
  ],
];

/** What LLaMA-Factory refuses or changes. */
export const llamaFactoryConditions: readonly Condition<Source>[] = [
  ...rowConditions(ROWS),
  ...agreementConditions(HF_TRAINER),
];

/** Gathered start-up rules that the LLaMA-Factory dialect decides. */
export const llamaFactoryCoverage: readonly Coverage[] = [
  ...coverageOf(llamaFactoryConditions),
  { rule: 'unknown-key', covers: ['LF-001'] },
  { rule: 'world-not-divisible', covers: ['LF-010'] },
  { rule: 'quantized-checkpoint-not-shardable', covers: ['LF-012'] },
];
