import { isOn, type Condition } from '../common/conditions';
import { deepSpeedFile } from './framework';
import { zeroStage } from './plan';
import { isAuto, type Source } from './source';

const ZERO = deepSpeedFile('deepspeed/runtime/zero/config.py', 'DeepSpeedZeroConfig');
const AUTOEP = deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._configure_distributed_model');

/** Keys that stage 3 alone reads. */
const THIRD_STAGE = [
  'stage3_prefetch_bucket_size',
  'stage3_param_persistence_threshold',
  'stage3_max_live_parameters',
  'stage3_max_reuse_distance',
  'zero_hpz_partition_size',
  'offload_param',
].map((key) => `zero_optimization.${key}`);

/** Keys of the ZeRO section whose `auto` somebody replaces. */
const FILLED = [
  'reduce_bucket_size',
  'stage3_prefetch_bucket_size',
  'stage3_param_persistence_threshold',
  'stage3_gather_16bit_weights_on_model_save',
  'stage',
];

function activeThird(s: Source, name: string): boolean {
  if (name.endsWith('offload_param')) {
    const device = s.text(`${name}.device`);
    return device === 'cpu' || device === 'nvme';
  }
  return s.entry(name) !== undefined && !isAuto(s, name);
}

/** What AutoEP under ZeRO-3 cannot be combined with, where the file has it. */
function autoEpRival(s: Source): string | undefined {
  const more = (name: string, least: number): boolean => (s.number(name) ?? least) > least;
  if (more('tensor_parallel.autotp_size', 1)) return 'tensor_parallel.autotp_size above 1';
  if (more('sequence_parallel_size', 1)) return 'sequence parallelism';
  if (isOn(s, 'zero_optimization.zero_quantized_gradients')) return 'quantized gradients';
  if (more('zero_optimization.mics_shard_size', 0)) return 'MiCS';
  if (more('zero_optimization.zero_hpz_partition_size', 1)) return 'hpZ partitions';
  return more('expert_parallel.expert_tensor_parallel_size', 1) ? 'expert tensor parallelism' : undefined;
}

/** Conditions about the ZeRO stage, its `auto` values and the parallelism beside it. */
export const stageThreeConditions: readonly Condition<Source>[] = [
  {
    severity: 'error',
    rule: 'offload-ratio-needs-stage-3',
    covers: ['DS-017'],
    keys: ['zero_optimization.offload_optimizer.ratio', 'zero_optimization.stage'],
    source: deepSpeedFile('deepspeed/runtime/zero/config.py', 'DeepSpeedZeroConfig.offload_ratio_check'),
    says: (s) => {
      const ratio = s.number('zero_optimization.offload_optimizer.ratio');
      const stage = zeroStage(s)?.value;
      return ratio !== undefined && ratio < 1 && stage !== undefined && stage !== 3
        ? `offload_optimizer.ratio ${ratio} splits the step between CPU and GPU, which only stage 3 can; this is stage ${stage}.`
        : undefined;
    },
  },
  {
    severity: 'warning',
    rule: 'zero-with-pipeline',
    covers: ['DS-020'],
    keys: ['zero_optimization.stage', 'pipeline'],
    source: deepSpeedFile('deepspeed/runtime/pipe/engine.py', 'PipelineEngine.__init__'),
    says: (s) => {
      const stage = zeroStage(s)?.value;
      return s.entry('pipeline') !== undefined && stage !== undefined && stage >= 2
        ? `DeepSpeed's pipeline engine works with ZeRO 0 or 1 only; stage ${stage} stops it as soon as the model is a PipelineModule.`
        : undefined;
    },
  },
  {
    severity: 'warning',
    rule: 'elasticity-with-pipeline',
    covers: ['DS-021'],
    keys: ['elasticity.enabled', 'pipeline'],
    source: deepSpeedFile('deepspeed/runtime/pipe/engine.py', 'PipelineEngine.__init__'),
    says: (s) =>
      isOn(s, 'elasticity.enabled') && s.entry('pipeline') !== undefined
        ? "DeepSpeed's pipeline engine stops with elasticity enabled."
        : undefined,
  },
  {
    severity: 'error',
    rule: 'auto-expert-parallel-unsupported',
    covers: ['DS-028'],
    keys: [
      'expert_parallel.enabled',
      'zero_optimization.stage',
      'tensor_parallel.autotp_size',
      'sequence_parallel_size',
      'zero_optimization.mics_shard_size',
      'zero_optimization.zero_hpz_partition_size',
      'expert_parallel.expert_tensor_parallel_size',
    ],
    source: AUTOEP,
    says: (s) => {
      if (!isOn(s, 'expert_parallel.enabled') || zeroStage(s)?.value !== 3) return undefined;
      const rival = autoEpRival(s);
      return rival === undefined ? undefined : `AutoEP with ZeRO stage 3 does not work with ${rival} yet.`;
    },
  },
  {
    severity: 'error',
    rule: 'auto-tensor-parallel-mismatch',
    covers: ['DS-032'],
    keys: ['tensor_parallel.autotp_size', 'tensor_parallel.tp.tp_size', 'tensor_parallel.tensor_parallel.tp_size'],
    source: deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._apply_autotp_partitioning'),
    says: (s) => {
      const auto = s.integer('tensor_parallel.autotp_size');
      const own = s.integer('tensor_parallel.tp.tp_size') ?? s.integer('tensor_parallel.tensor_parallel.tp_size');
      return auto !== undefined && own !== undefined && own !== 1 && own !== auto
        ? `tp_size ${own} and autotp_size ${auto} have to be the same.`
        : undefined;
    },
  },
  ...THIRD_STAGE.map((key): Condition<Source> => ({
    severity: 'information',
    rule: 'stage-3-only',
    covers: ['STAGE3-KEYS'],
    keys: [key, 'zero_optimization.stage'],
    onKey: true,
    source: ZERO,
    says: (s) => {
      const stage = zeroStage(s)?.value;
      return stage !== undefined && stage < 3 && activeThird(s, key)
        ? `\`${key.split('.').at(-1) ?? key}\` has an effect in ZeRO stage 3 alone; this is stage ${stage}.`
        : undefined;
    },
  })),
  ...[
    'sub_group_size',
    'allgather_bucket_size',
    'stage3_max_live_parameters',
    'stage3_max_reuse_distance',
    'overlap_comm',
    'contiguous_gradients',
  ].map((name): Condition<Source> => ({
    severity: 'warning',
    rule: 'auto-not-filled',
    covers: ['AUTO'],
    keys: [`zero_optimization.${name}`],
    source: deepSpeedFile('deepspeed/runtime/config_utils.py', 'DeepSpeedConfigModel.__init__'),
    says: (s) =>
      !FILLED.includes(name) && isAuto(s, `zero_optimization.${name}`)
        ? `Nobody fills \`auto\` for ${name}: Accelerate stops on it, and DeepSpeed alone takes its default without a word.`
        : undefined,
  })),
  {
    severity: 'warning',
    rule: 'auto-not-filled',
    covers: ['AUTO'],
    keys: ['gradient_clipping'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'get_gradient_clipping'),
    says: (s) => {
      const sizes = ['train_batch_size', 'train_micro_batch_size_per_gpu', 'gradient_accumulation_steps'];
      const fixed = sizes.some((name) => s.integer(name) !== undefined) && sizes.every((name) => !isAuto(s, name));
      return isAuto(s, 'gradient_clipping') && fixed
        ? '`auto` is filled by the Hugging Face Trainer only, and this file fixes its batch sizes: outside the Trainer DeepSpeed stops with a type error here.'
        : undefined;
    },
  },
  {
    severity: 'warning',
    rule: 'batch-sizes-missing',
    covers: ['DS-002'],
    keys: ['train_batch_size', 'train_micro_batch_size_per_gpu', 'gradient_accumulation_steps'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig._set_batch_related_parameters'),
    says: (s) =>
      s.entry('train_batch_size') === undefined &&
      s.entry('train_micro_batch_size_per_gpu') === undefined &&
      !isOn(s, 'elasticity.enabled') &&
      !isOn(s, 'autotuning.enabled')
        ? 'DeepSpeed needs train_batch_size or train_micro_batch_size_per_gpu; `auto` lets the Hugging Face Trainer fill them.'
        : undefined,
  },
];
