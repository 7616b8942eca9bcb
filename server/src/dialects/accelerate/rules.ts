import { coverageOf, isOn, type Condition, type Coverage } from '../common/conditions';
import { DEEPSPEED } from '../deepspeed/companion';
import { zeroStage } from '../deepspeed/plan';
import type { Source } from '../deepspeed/source';
import { accelerateFile } from './framework';
import { fsdpConditions } from './rules-fsdp';

const LAUNCH = accelerateFile('src/accelerate/commands/launch.py', '_validate_launch_command');
const MESH = accelerateFile('src/accelerate/parallelism_config.py', 'ParallelismConfig.__post_init__');
const PLUGIN = accelerateFile('src/accelerate/utils/dataclasses.py', 'DeepSpeedPlugin.__post_init__');
const error = { severity: 'error' } as const;

const size = (name: string): string => `parallelism_config.parallelism_config_${name}_size`;
const MESH_KEYS = ['dp_replicate', 'dp_shard', 'tp', 'cp', 'sp'].map(size);

/** A mesh degree, 1 where it is left out. */
function degree(s: Source, name: string): number {
  return s.integer(size(name)) ?? 1;
}

function typeOf(s: Source): string | undefined {
  return s.text('distributed_type')?.toUpperCase();
}

/** Keys of the plugin that a named DeepSpeed file takes over. */
const OWNED = [
  'gradient_accumulation_steps',
  'gradient_clipping',
  'zero_stage',
  'offload_optimizer_device',
  'offload_param_device',
  'offload_param_nvme_path',
  'zero3_save_16bit_model',
].map((key) => `deepspeed_config.${key}`);
const FILE = 'deepspeed_config.deepspeed_config_file';

function namesFile(s: Source): boolean {
  const file = s.text(FILE);
  return file !== undefined && file !== 'none' && typeOf(s) === 'DEEPSPEED';
}

const FIELDS = accelerateFile('src/accelerate/commands/config/config_args.py', 'BaseConfig.process_config');
/** Words of each choice, in any case; SageMaker files have kinds of their own. */
const CHOICES: readonly (readonly [key: string, words: readonly string[]])[] = [
  [
    'distributed_type',
    [
      ...['NO', 'MULTI_CPU', 'MULTI_GPU', 'MULTI_NPU', 'MULTI_MLU', 'MULTI_SDAA', 'MULTI_MUSA', 'MULTI_XPU'],
      ...[
        'MULTI_HPU',
        'MULTI_NEURON',
        'DEEPSPEED',
        'FSDP',
        'TP',
        'XLA',
        'TPU',
        'MEGATRON_LM',
        'DATA_PARALLEL',
        'MODEL_PARALLEL',
      ],
    ],
  ],
  ['mixed_precision', ['NO', 'FP16', 'BF16', 'FP8']],
  ['compute_environment', ['LOCAL_MACHINE', 'AMAZON_SAGEMAKER', 'TPU']],
];

const launch: readonly Condition<Source>[] = [
  {
    ...error,
    rule: 'distributed-type-missing',
    covers: ['ACC-002'],
    keys: ['compute_environment', 'mixed_precision', 'num_processes', 'distributed_type'],
    source: FIELDS,
    onKey: true,
    says: (s) =>
      s.entry('distributed_type') === undefined
        ? 'The file has no distributed_type, which Accelerate requires.'
        : undefined,
  },
  ...CHOICES.map(([key, words]): Condition<Source> => ({
    ...error,
    rule: 'wrong-value',
    covers: ['ACC-002'],
    keys: [key],
    source: FIELDS,
    says: (s) => {
      const word = s.text(key);
      // PyYAML reads a bare `no` as false, which Accelerate takes for NO.
      if (word === undefined || s.flag(key) !== undefined || words.includes(word.toUpperCase())) return undefined;
      return `${key} ${word} is none of ${words.join(', ')}.`;
    },
  })),
  {
    ...error,
    rule: 'process-count-missing',
    covers: ['ACC-003'],
    keys: ['num_processes'],
    source: LAUNCH,
    says: (s) =>
      s.integer('num_processes') === -1
        ? 'num_processes -1 means "not set": the launcher stops unless --num_processes is given beside this file.'
        : undefined,
  },
  {
    ...error,
    rule: 'mesh-needs-fsdp2',
    covers: ['ACC-004'],
    keys: [...MESH_KEYS, 'distributed_type', 'fsdp_config.fsdp_version'],
    source: accelerateFile('src/accelerate/parallelism_config.py', 'ParallelismConfig._validate_accelerator'),
    says: (s) => {
      const total = MESH_KEYS.reduce((product, key) => product * (s.integer(key) ?? 1), 1);
      if (total <= 1 || typeOf(s) !== 'FSDP') return undefined;
      const version = s.entry('fsdp_config.fsdp_version') === undefined ? 1 : s.integer('fsdp_config.fsdp_version');
      return version === 1
        ? 'parallelism_config works with FSDP version 2; set fsdp_config.fsdp_version to 2.'
        : undefined;
    },
  },
  {
    ...error,
    rule: 'mesh-not-process-count',
    covers: ['ACC-005'],
    keys: ['num_processes', ...MESH_KEYS],
    source: accelerateFile('src/accelerate/parallelism_config.py', 'ParallelismConfig._validate_accelerator'),
    says: (s) => {
      const count = s.integer('num_processes');
      const total = MESH_KEYS.reduce((product, key) => product * (s.integer(key) ?? 1), 1);
      if (count === undefined || count < 1 || total <= 1 || degree(s, 'sp') > 1 || total === count) return undefined;
      return typeOf(s) === 'NO'
        ? undefined
        : `The mesh has ${total} ranks (${MESH_KEYS.map((key) => s.integer(key) ?? 1).join(' × ')}), and num_processes is ${count}; they have to agree.`;
    },
  },
  {
    ...error,
    rule: 'context-with-sequence-parallel',
    covers: ['ACC-006'],
    keys: [size('cp'), size('sp')],
    source: MESH,
    says: (s) =>
      degree(s, 'cp') > 1 && degree(s, 'sp') > 1
        ? `cp_size ${degree(s, 'cp')} and sp_size ${degree(s, 'sp')} exclude each other; one of them has to be 1.`
        : undefined,
  },
  {
    ...error,
    rule: 'model-parallel-without-sharding',
    covers: ['ACC-007'],
    keys: [size('dp_shard'), size('dp_replicate'), size('tp'), size('cp')],
    source: MESH,
    says: (s) =>
      (degree(s, 'tp') > 1 || degree(s, 'cp') > 1) && degree(s, 'dp_replicate') > 1 && degree(s, 'dp_shard') === 1
        ? `Tensor or context parallelism beside ${degree(s, 'dp_replicate')} replicas needs dp_shard_size above 1.`
        : undefined,
  },
];

const withFile: readonly Condition<Source>[] = [
  ...[...OWNED, 'mixed_precision'].map((key): Condition<Source> => ({
    ...error,
    rule: 'owned-by-deepspeed-file',
    covers: ['ACC-008'],
    keys: [key, FILE],
    onKey: true,
    source: accelerateFile('src/accelerate/utils/dataclasses.py', 'DeepSpeedPlugin._deepspeed_config_checks'),
    says: (s) =>
      namesFile(s) && s.entry(key) !== undefined
        ? `\`${key.split('.').at(-1) ?? key}\` has to stand in the DeepSpeed file that \`deepspeed_config_file\` names, and not here: Accelerate stops on both.`
        : undefined,
  })),
  {
    ...error,
    rule: 'deepspeed-file-without-zero',
    covers: ['ACC-009'],
    keys: [FILE],
    source: PLUGIN,
    says: (s) =>
      namesFile(s) &&
      s.uriOf(`${DEEPSPEED}.train_micro_batch_size_per_gpu`) !== undefined &&
      s.entry(`${DEEPSPEED}.zero_optimization`) === undefined
        ? 'The DeepSpeed file has no zero_optimization section, which Accelerate requires.'
        : undefined,
  },
  ...(['bf16', 'fp16'] as const).map((half): Condition<Source> => ({
    ...error,
    rule: 'precision-disagrees',
    covers: ['ACC-010'],
    keys: ['mixed_precision', `${DEEPSPEED}.${half}.enabled`],
    source: accelerateFile('src/accelerate/utils/dataclasses.py', 'DeepSpeedPlugin.set_mixed_precision'),
    says: (s) => {
      const word = s.text('mixed_precision');
      const other = half === 'bf16' ? word === 'fp16' : word === 'bf16' || word === 'fp8';
      return other && typeOf(s) === 'DEEPSPEED' && isOn(s, `${DEEPSPEED}.${half}.enabled`)
        ? `mixed_precision ${word ?? ''} contradicts ${half}, which the DeepSpeed file enables.`
        : undefined;
    },
  })),
  {
    ...error,
    rule: 'trainer-disagrees-with-deepspeed',
    covers: ['ACC-012'],
    keys: ['deepspeed_config.gradient_accumulation_steps', `${DEEPSPEED}.gradient_accumulation_steps`],
    source: accelerateFile('src/accelerate/utils/dataclasses.py', 'DeepSpeedPlugin.deepspeed_config_process'),
    says: (s) => {
      const own = s.integer('deepspeed_config.gradient_accumulation_steps');
      const file = s.integer(`${DEEPSPEED}.gradient_accumulation_steps`);
      return own !== undefined && file !== undefined && own !== file
        ? `gradient_accumulation_steps is ${own} here and ${file} in the DeepSpeed file; write auto there.`
        : undefined;
    },
  },
  {
    severity: 'warning',
    rule: 'zero3-init-ignored',
    covers: ['ACC-011'],
    keys: ['deepspeed_config.zero3_init_flag', 'deepspeed_config.zero_stage'],
    source: PLUGIN,
    says: (s) => {
      const stage = namesFile(s) ? zeroStage(s, DEEPSPEED)?.value : s.integer('deepspeed_config.zero_stage');
      return typeOf(s) === 'DEEPSPEED' &&
        isOn(s, 'deepspeed_config.zero3_init_flag') &&
        stage !== undefined &&
        stage !== 3
        ? `zero3_init_flag applies to ZeRO stage 3; with stage ${stage} Accelerate sets it to false.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'msamp-with-zero-3',
    covers: ['ACC-021'],
    keys: ['fp8_config.backend', 'deepspeed_config.zero_stage'],
    source: PLUGIN,
    says: (s) =>
      typeOf(s) === 'DEEPSPEED' &&
      /^ms-?amp$/i.test(s.text('fp8_config.backend') ?? '') &&
      s.integer('deepspeed_config.zero_stage') === 3
        ? 'MS-AMP does not work with ZeRO stage 3; use stage 0, 1 or 2.'
        : undefined,
  },
];

/** What Accelerate refuses or changes. */
export const accelerateConditions: readonly Condition<Source>[] = [...launch, ...withFile, ...fsdpConditions];

/** Gathered start-up rules that the Accelerate dialect decides. */
export const accelerateCoverage: readonly Coverage[] = [
  ...coverageOf(accelerateConditions),
  { rule: 'unknown-key', covers: ['ACC-001', 'ACC-DSKEY'] },
  { rule: 'layer-class-unknown', covers: ['ACC-017'] },
];
