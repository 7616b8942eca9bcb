import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { lcm, statedWorld } from '../../plan/resolve-layout';
import { coverageOf, type Condition, type Coverage } from '../common/conditions';
import { isTruthy, rowConditions, type Row } from '../common/rows';
import { fsdpVersion } from '../accelerate/fsdp';
import { placeIn, type Source } from '../deepspeed/source';
import { agreementConditions, type TrainerKeys } from '../deepspeed/trainer';
import { axolotlFile } from './framework';

/** How Axolotl names what a DeepSpeed file leaves as `auto`. */
export const AXOLOTL_TRAINER: TrainerKeys = {
  train_micro_batch_size_per_gpu: 'micro_batch_size',
  gradient_accumulation_steps: 'gradient_accumulation_steps',
  gradient_clipping: 'max_grad_norm',
  'optimizer.params.lr': 'learning_rate',
  'optimizer.params.weight_decay': 'weight_decay',
  'bf16.enabled': 'bf16',
  'fp16.enabled': 'fp16',
};

export const FSDP_NAMES = {
  section: 'fsdp_config',
  version: ['fsdp_version', 'fsdp_config.fsdp_version', 'fsdp_config.version'],
};

const t = isTruthy;
const either = (s: Source, ...keys: readonly string[]): boolean => keys.some((key) => t(s, key));

/** True where the file asks for FSDP in either way. */
export function sharded(s: Source): boolean {
  return either(s, 'fsdp', 'fsdp_config');
}

function first(s: Source): boolean {
  return sharded(s) && fsdpVersion(s, FSDP_NAMES) === 1;
}

function optimizer(s: Source): string {
  return s.text('optimizer') ?? '';
}

const SIZES = ['micro_batch_size', 'gradient_accumulation_steps', 'batch_size'];
const VERSION = ['fsdp_version', 'fsdp_config.fsdp_version', 'fsdp', 'fsdp_config'];
const LOSSES = [
  'cut_cross_entropy',
  'chunked_cross_entropy',
  'liger_cross_entropy',
  'liger_fused_linear_cross_entropy',
];
const PREFERENCE = ['dpo', 'kto', 'orpo', 'ipo'];

/** True where a word stands beside a key of steps and is another one. */
function notSteps(s: Source, strategy: string, steps: string): boolean {
  return t(s, strategy) && t(s, steps) && s.text(strategy) !== 'steps';
}

const ROWS: readonly Row<Source>[] = [
  [
    'batch-sizes-missing',
    'AX-001',
    axolotlFile('check_batch_size_fields'),
    SIZES,
    (s) => SIZES.filter((key) => t(s, key)).length < 2,
    'Axolotl needs two of micro_batch_size, gradient_accumulation_steps and batch_size.',
  ],
  [
    'exclusive-keys',
    'AX-002',
    axolotlFile('check_gas_bsz'),
    ['batch_size', 'gradient_accumulation_steps'],
    (s) => t(s, 'batch_size') && t(s, 'gradient_accumulation_steps'),
    'batch_size and gradient_accumulation_steps exclude each other; keep one of them.',
  ],
  [
    'exclusive-keys',
    'AX-003',
    axolotlFile('check_fsdp_deepspeed'),
    ['deepspeed', 'fsdp'],
    (s) => t(s, 'deepspeed') && t(s, 'fsdp'),
    'deepspeed and fsdp exclude each other.',
  ],
  [
    'deprecated-key',
    'AX-004',
    axolotlFile('check_fsdp_version'),
    ['fsdp_config', 'fsdp_version'],
    (s) => t(s, 'fsdp_config') && fsdpVersion(s, FSDP_NAMES) === 1,
    'Without fsdp_version: 2 Axolotl takes FSDP1, which is deprecated.',
    'hint',
  ],
  [
    'muon-needs-fsdp2',
    'AX-013',
    axolotlFile('check_muon_deepspeed_fsdp'),
    ['optimizer', 'deepspeed'],
    (s) => optimizer(s) === 'muon' && t(s, 'deepspeed'),
    'Muon does not work with DeepSpeed; use FSDP2.',
  ],
  [
    'muon-needs-fsdp2',
    'AX-013',
    axolotlFile('check_muon_deepspeed_fsdp'),
    ['optimizer', ...VERSION],
    (s) => optimizer(s) === 'muon' && first(s),
    'Muon works with FSDP2 alone; set fsdp_version to 2.',
    'error',
    ['fsdp_version', '2'],
  ],
  [
    'fp8-gather-needs-fsdp2',
    'AX-005',
    axolotlFile('check_fp8_config'),
    ['fp8_enable_fsdp_float8_all_gather', 'fsdp_version'],
    (s) => t(s, 'fp8_enable_fsdp_float8_all_gather') && s.text('fsdp_version') !== '2',
    'fp8_enable_fsdp_float8_all_gather needs fsdp_version 2.',
    'error',
    ['fsdp_version', '2'],
  ],
  [
    'offload-with-8bit-optimizer',
    'AX-006',
    axolotlFile('check_fsdp_offload_w_8bit_optimizer'),
    ['optimizer', 'fsdp_config.offload_params', 'fsdp_config.fsdp_offload_params', ...VERSION],
    (s) =>
      first(s) &&
      optimizer(s).includes('8bit') &&
      either(s, 'fsdp_config.offload_params', 'fsdp_config.fsdp_offload_params'),
    'FSDP1 with parameters in host memory does not work with an 8-bit optimizer.',
  ],
  [
    'offload-with-8bit-optimizer',
    'AX-006',
    axolotlFile('check_fsdp2_w_8bit_optimizer'),
    ['optimizer', ...VERSION],
    (s) =>
      t(s, 'fsdp_config') &&
      fsdpVersion(s, FSDP_NAMES) === 2 &&
      ['adamw_8bit', 'adamw_bnb_8bit'].includes(optimizer(s)),
    'The 8-bit optimizers of bitsandbytes do not work with FSDP2; use adamw_torch_8bit.',
    'error',
    ['optimizer', 'adamw_torch_8bit'],
  ],
  [
    'galore-unsupported',
    'AX-007',
    axolotlFile('check_qgalore'),
    ['optimizer', 'adapter'],
    (s) => optimizer(s) === 'q_galore_adamw8bit' && t(s, 'adapter'),
    'q_galore_adamw8bit trains all weights and does not work with an adapter.',
  ],
  [
    'galore-unsupported',
    'AX-007',
    axolotlFile('check_qgalore'),
    ['optimizer', 'deepspeed'],
    (s) => optimizer(s) === 'q_galore_adamw8bit' && t(s, 'deepspeed'),
    'q_galore_adamw8bit does not work with DeepSpeed.',
  ],
  [
    'galore-unsupported',
    'AX-007',
    axolotlFile('check_qgalore'),
    ['optimizer', ...VERSION],
    (s) => optimizer(s) === 'q_galore_adamw8bit' && first(s),
    'q_galore_adamw8bit needs fsdp_version 2.',
  ],
  [
    'activation-offload-needs-checkpointing',
    'AX-008',
    axolotlFile('check_activation_offloading_wo_gc'),
    ['activation_offloading', 'gradient_checkpointing'],
    (s) => t(s, 'activation_offloading') && !t(s, 'gradient_checkpointing'),
    'activation_offloading needs gradient_checkpointing.',
    'error',
    ['gradient_checkpointing', 'true'],
  ],
  [
    'packing-with-preference-training',
    'AX-010',
    axolotlFile('check_sample_packing_w_rl'),
    ['sample_packing', 'rl'],
    (s) => t(s, 'sample_packing') && t(s, 'rl'),
    'sample_packing does not work with preference training or RL.',
    'error',
    ['sample_packing', 'false'],
  ],
  [
    'exclusive-keys',
    'AX-011',
    axolotlFile('check_mem_mismatch'),
    ['max_memory', 'gpu_memory_limit'],
    (s) => s.entry('max_memory') !== undefined && s.entry('gpu_memory_limit') !== undefined,
    'max_memory and gpu_memory_limit exclude each other.',
  ],
  [
    'streaming-needs-steps',
    'AX-012',
    axolotlFile('check_pretraining_w_max_steps'),
    ['pretraining_dataset', 'max_steps'],
    (s) => t(s, 'pretraining_dataset') && !t(s, 'max_steps'),
    'A pretraining_dataset is streamed and has no length; set max_steps.',
  ],
  [
    'adapter-needs-quantized-base',
    '',
    axolotlFile('LoraConfig.validate_qlora', 'utils/schemas/peft.py'),
    ['adapter', 'load_in_8bit', 'load_in_4bit', 'merge_lora'],
    (s) => s.text('adapter') === 'qlora' && !t(s, 'merge_lora') && (t(s, 'load_in_8bit') || !t(s, 'load_in_4bit')),
    'adapter qlora needs load_in_4bit: true, and not load_in_8bit; for full-precision or 8-bit weights use adapter lora.',
  ],
  [
    'quantized-weights-cannot-train',
    '',
    axolotlFile('LoraConfig.validate_adapter', 'utils/schemas/peft.py'),
    ['load_in_4bit', 'load_in_8bit', 'adapter'],
    (s) => !either(s, 'adapter', 'inference') && either(s, 'load_in_4bit', 'load_in_8bit'),
    'Quantized weights cannot be trained; set adapter to lora or qlora.',
  ],
  [
    'quantized-base-with-preference',
    '',
    axolotlFile('check_fsdp2_base_model_quant_rl'),
    ['rl', 'load_in_4bit', 'load_in_8bit', 'fsdp_version'],
    (s) =>
      s.integer('fsdp_version') === 2 &&
      PREFERENCE.includes(s.text('rl') ?? '') &&
      either(s, 'load_in_8bit', 'load_in_4bit'),
    'FSDP2 does not take quantized weights in preference training; use DeepSpeed.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_cross_entropy_conflicts'),
    LOSSES,
    (s) => LOSSES.filter((key) => t(s, key)).length > 1,
    'Only one way to compute the cross entropy can be on.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_warmup'),
    ['warmup_steps', 'warmup_ratio'],
    (s) => t(s, 'warmup_steps') && t(s, 'warmup_ratio'),
    'warmup_steps and warmup_ratio exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_saves'),
    ['save_steps', 'saves_per_epoch'],
    (s) => t(s, 'save_steps') && t(s, 'saves_per_epoch'),
    'save_steps and saves_per_epoch exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_saves'),
    ['save_steps', 'save_strategy'],
    (s) => notSteps(s, 'save_strategy', 'save_steps'),
    'save_steps needs save_strategy steps.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_evals'),
    ['eval_steps', 'evals_per_epoch'],
    (s) => t(s, 'eval_steps') && t(s, 'evals_per_epoch'),
    'eval_steps and evals_per_epoch exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    axolotlFile('check_evals'),
    ['eval_steps', 'eval_strategy'],
    (s) => notSteps(s, 'eval_strategy', 'eval_steps'),
    'eval_steps needs eval_strategy steps.',
  ],
  [
    'deepcompile-needs-deepspeed',
    '',
    axolotlFile('check_deepcompile'),
    ['deepcompile', 'deepspeed'],
    (s) => t(s, 'deepcompile') && !t(s, 'deepspeed'),
    'deepcompile needs a DeepSpeed file.',
  ],
  [
    'shard-size-without-fsdp',
    '',
    axolotlFile('_get_parallel_config_kwargs', 'utils/distributed.py'),
    ['dp_shard_size', 'fsdp_config', 'fsdp'],
    (s) => (s.integer('dp_shard_size') ?? 1) > 1 && !sharded(s) && !t(s, 'deepspeed'),
    'dp_shard_size needs an fsdp_config.',
  ],
];

function batchSays(s: Source): string | undefined {
  const group = s.integer('trl.num_generations');
  if (s.text('rl') !== 'grpo' || group === undefined) return undefined;
  if (group < 2) return `GRPO compares samples of one prompt: trl.num_generations ${group} has to be at least 2.`;
  const stated = s.integer('trl.generation_batch_size');
  const micro = s.integer('micro_batch_size') ?? 1;
  const batch = stated ?? micro * (s.integer('gradient_accumulation_steps') ?? 1);
  if (batch % group === 0 || micro < 1) return undefined;
  const what = stated === undefined ? 'micro_batch_size × gradient_accumulation_steps' : 'trl.generation_batch_size';
  const fix = stated === undefined ? ` gradient_accumulation_steps ${lcm(group, micro) / micro} fits.` : '';
  return `GRPO needs whole groups of ${group} samples, and ${what} is ${batch}.${fix}`;
}

/** What Axolotl refuses or changes. */
export const axolotlConditions: readonly Condition<Source>[] = [
  ...rowConditions(ROWS),
  {
    rule: 'generations-not-divisible',
    severity: 'error',
    covers: ['AX-009'],
    keys: ['trl.num_generations', 'gradient_accumulation_steps', 'micro_batch_size', 'trl.generation_batch_size', 'rl'],
    source: axolotlFile('check_grpo_batch_size_divisibility'),
    says: batchSays,
  },
  ...agreementConditions(AXOLOTL_TRAINER, true),
];

/** With several ranks each of them needs a whole group of samples. */
export function groupFindings(s: Source, resolved: ResolvedPlan): Finding[] {
  const group = s.integer('trl.num_generations');
  const world = statedWorld(resolved.plan);
  const at = placeIn(s, 'trl.num_generations');
  const names = ['trl.generation_batch_size', 'micro_batch_size', 'gradient_accumulation_steps', 'rl'];
  if (s.text('rl') !== 'grpo' || group === undefined || world === undefined || at === undefined) return [];
  const batch =
    s.integer('trl.generation_batch_size') ??
    (s.integer('micro_batch_size') ?? 1) * (s.integer('gradient_accumulation_steps') ?? 1);
  if (names.some((name) => s.unknown(name)) || world < 2 || group < 2 || batch >= group * world) return [];
  return [
    {
      rule: 'generations-not-divisible',
      severity: 'error',
      at,
      source: axolotlFile('check_grpo_batch_size_divisibility'),
      message: `GRPO on ${world} ranks needs a batch of at least ${group} × ${world} = ${group * world} samples, and it is ${batch}.`,
    },
  ];
}

/** Gathered start-up rules that the Axolotl dialect decides. */
export const axolotlCoverage: readonly Coverage[] = [...coverageOf(axolotlConditions)];
