import { coverageOf, isOn, type Condition, type Coverage } from '../common/conditions';
import { deepSpeedFile } from './framework';
import { stageThreeConditions } from './rules-stage';
import type { Source } from './source';
import { zeroStage } from './plan';

const CHECK = deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig._do_error_check');
const SANITY = deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._do_optimizer_sanity_check');
const error = { severity: 'error' } as const;

/** Optimizers that DeepSpeed builds by name and that ZeRO was not tested with. */
const UNTESTED = ['lamb', 'onebitadam', 'zerooneadam', 'onebitlamb', 'sgd'];

const ELASTIC_KEYS = ['train_batch_size', 'train_micro_batch_size_per_gpu', 'gradient_accumulation_steps'];

/** The stage as a number, 0 where a file without interpolation leaves it out. */
function stageOf(source: Source): number | undefined {
  if (source.unknown('zero_optimization.stage')) return undefined;
  const stage = zeroStage(source)?.value;
  if (stage !== undefined) return stage;
  return source.entry('zero_optimization.stage') === undefined ? 0 : undefined;
}

function modes(source: Source): 'bf16' | 'fp16' | 'fp32' | undefined {
  const bf16 = source.flag('bf16.enabled');
  const fp16 = source.flag('fp16.enabled');
  if (bf16 === true) return 'bf16';
  if (fp16 === true) return 'fp16';
  const open = (name: string, flag: boolean | undefined): boolean =>
    flag === undefined && source.entry(name) !== undefined;
  return open('bf16.enabled', bf16) || open('fp16.enabled', fp16) ? undefined : 'fp32';
}

const precision: readonly Condition<Source>[] = [
  {
    ...error,
    rule: 'precision-modes-exclusive',
    covers: ['DS-004'],
    keys: ['fp16.enabled', 'bf16.enabled'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig._initialize_params'),
    says: (s) =>
      isOn(s, 'fp16.enabled') && isOn(s, 'bf16.enabled')
        ? 'fp16 and bf16 are both enabled; DeepSpeed takes one of them.'
        : undefined,
  },
  ...(['fp16', 'bf16'] as const).map((half): Condition<Source> => ({
    ...error,
    rule: 'master-weights-need-zero',
    covers: half === 'fp16' ? ['DS-007'] : ['DS-008'],
    keys: [`${half}.${half}_master_weights_and_grads`, 'zero_optimization.stage'],
    source: CHECK,
    says: (s) =>
      isOn(s, `${half}.${half}_master_weights_and_grads`) && stageOf(s) === 0
        ? `${half}_master_weights_and_grads works with ZeRO stages 1 to 3 only, and this file has no ZeRO.`
        : undefined,
  })),
  {
    ...error,
    rule: 'optimizer-states-need-master-weights',
    covers: ['DS-009'],
    keys: ['bf16.bf16_optimizer_states', 'bf16.bf16_master_weights_and_grads'],
    source: CHECK,
    says: (s) =>
      isOn(s, 'bf16.bf16_optimizer_states') && !isOn(s, 'bf16.bf16_master_weights_and_grads')
        ? 'bf16_optimizer_states needs bf16_master_weights_and_grads to be true as well.'
        : undefined,
  },
  {
    ...error,
    rule: 'parameter-type-conflict',
    covers: ['DS-031'],
    keys: ['data_types.param_dtype', 'bf16.enabled', 'fp16.enabled'],
    source: deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._assert_valid_mixed_precision_config'),
    says: (s) => {
      const asked = s.text('data_types.param_dtype');
      const mode = modes(s);
      const known = asked !== undefined && ['bf16', 'fp16', 'fp32'].includes(asked);
      return known && mode !== undefined && asked !== mode
        ? `data_types.param_dtype ${asked} contradicts the training precision, which is ${mode}.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'loss-scale-invalid',
    covers: ['DS-019'],
    keys: ['fp16.loss_scale'],
    source: deepSpeedFile('deepspeed/runtime/precision_config.py', 'DeepSpeedFP16Config'),
    says: (s) => {
      const written = s.text('fp16.loss_scale');
      if (written === undefined || written === 'auto') return undefined;
      const value = s.number('fp16.loss_scale');
      return value === undefined || value < 0
        ? `fp16.loss_scale ${written} is no scale: 0 adapts it, a positive number fixes it.`
        : undefined;
    },
  },
];

const choices: readonly Condition<Source>[] = [
  {
    ...error,
    rule: 'wrong-value',
    covers: ['DS-010'],
    keys: ['communication_data_type'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'get_communication_data_type'),
    says: (s) => {
      const value = s.text('communication_data_type')?.toLowerCase();
      return value === undefined || ['fp16', 'bf16', 'fp32', 'auto'].includes(value)
        ? undefined
        : `communication_data_type ${value} is none of fp16, bf16, fp32.`;
    },
  },
  {
    ...error,
    rule: 'wrong-value',
    covers: ['DS-012'],
    keys: ['checkpoint.tag_validation'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'get_checkpoint_tag_validation_mode'),
    says: (s) => {
      const value = s.text('checkpoint.tag_validation');
      return value === undefined || ['IGNORE', 'WARN', 'FAIL'].includes(value.toUpperCase())
        ? undefined
        : `checkpoint.tag_validation ${value} is none of Ignore, Warn, Fail.`;
    },
  },
  {
    ...error,
    rule: 'zero-stage-unknown',
    covers: ['DS-005'],
    keys: ['zero_optimization.stage'],
    source: CHECK,
    says: (s) => {
      const stage = s.number('zero_optimization.stage');
      return stage === undefined || [0, 1, 2, 3].includes(stage)
        ? undefined
        : `ZeRO has stages 0 to 3, and no stage ${stage}; the nearest is ${stage > 3 ? 3 : 0}.`;
    },
  },
  {
    ...error,
    rule: 'gradient-sum-unsupported',
    covers: ['DS-006'],
    keys: ['gradient_allreduce_op', 'zero_optimization.stage', 'zero_optimization.zenflow', 'compile.deepcompile'],
    source: CHECK,
    says: (s) => {
      if (s.text('gradient_allreduce_op')?.toLowerCase() !== 'sum') return undefined;
      const why =
        stageOf(s) === 3
          ? 'ZeRO stage 3'
          : s.entry('zero_optimization.zenflow') !== undefined
            ? 'ZenFlow'
            : isOn(s, 'compile.deepcompile')
              ? 'DeepCompile'
              : undefined;
      return why === undefined ? undefined : `gradient_allreduce_op sum is not supported with ${why}; use mean.`;
    },
  },
];

const optimizers: readonly Condition<Source>[] = [
  {
    ...error,
    rule: 'elasticity-with-batch',
    covers: ['DS-011'],
    keys: [...ELASTIC_KEYS, 'elasticity.enabled', 'elasticity.ignore_non_elastic_batch_info'],
    source: deepSpeedFile('deepspeed/runtime/config.py', 'DeepSpeedConfig.__init__'),
    says: (s) => {
      const given = ELASTIC_KEYS.filter((key) => s.entry(key) !== undefined);
      return isOn(s, 'elasticity.enabled') && !isOn(s, 'elasticity.ignore_non_elastic_batch_info') && given.length > 0
        ? `Elasticity chooses the batch sizes itself and refuses ${given.join(', ')} beside it; set ignore_non_elastic_batch_info to have them overridden.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'amp-with-zero',
    covers: ['DS-023'],
    keys: ['amp.enabled', 'zero_optimization.stage'],
    source: SANITY,
    says: (s) =>
      isOn(s, 'amp.enabled') && (stageOf(s) ?? 0) > 0
        ? 'Apex amp and ZeRO exclude each other; use fp16 or bf16.'
        : undefined,
  },
  {
    severity: 'warning',
    rule: 'optimizer-clips-gradients',
    covers: ['DS-024'],
    keys: ['optimizer.params.max_grad_norm'],
    onKey: true,
    source: deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._configure_basic_optimizer'),
    says: (s) =>
      s.entry('optimizer.params.max_grad_norm') === undefined
        ? undefined
        : 'max_grad_norm is no optimizer parameter: DeepSpeed stops when it builds this optimizer; the key is `gradient_clipping` at the top.',
  },
  {
    severity: 'warning',
    rule: 'offload-needs-cpu-optimizer',
    covers: ['DS-025'],
    keys: ['zero_optimization.offload_optimizer.device', 'zero_force_ds_cpu_optimizer', 'optimizer'],
    source: deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._configure_optimizer'),
    says: (s) => {
      const device = s.text('zero_optimization.offload_optimizer.device');
      const filled = ELASTIC_KEYS.some((key) => s.text(key) === 'auto');
      if ((device !== 'cpu' && device !== 'nvme') || filled || s.entry('optimizer') !== undefined) return undefined;
      return s.flag('zero_force_ds_cpu_optimizer') === false
        ? undefined
        : 'Optimizer states are offloaded and the file names no optimizer: DeepSpeed refuses one that the script brings unless it is DeepSpeedCPUAdam, or zero_force_ds_cpu_optimizer is false.';
    },
  },
  {
    ...error,
    rule: 'optimizer-untested-with-zero',
    covers: ['DS-026'],
    keys: ['optimizer.type', 'zero_allow_untested_optimizer', 'zero_optimization.stage'],
    source: SANITY,
    says: (s) => {
      const type = s.text('optimizer.type');
      const untested = type !== undefined && UNTESTED.includes(type.toLowerCase());
      return untested && (stageOf(s) ?? 0) > 0 && s.flag('zero_allow_untested_optimizer') !== true
        ? `ZeRO was not tested with ${type}; DeepSpeed stops unless zero_allow_untested_optimizer is true.`
        : undefined;
    },
  },
  {
    ...error,
    rule: 'lamb-needs-dynamic-scale',
    covers: ['DS-027'],
    keys: ['optimizer.type', 'fp16.enabled', 'fp16.loss_scale'],
    source: deepSpeedFile('deepspeed/runtime/engine.py', 'DeepSpeedEngine._do_sanity_check'),
    says: (s) => {
      const lamb = ['lamb', 'onebitlamb'].includes(s.text('optimizer.type')?.toLowerCase() ?? '');
      const scale = s.number('fp16.loss_scale') ?? 0;
      return lamb && isOn(s, 'fp16.enabled') && scale > 0
        ? `${s.text('optimizer.type') ?? 'Lamb'} needs a loss scale that adapts (0), and ${scale} is fixed.`
        : undefined;
    },
  },
];

/** What DeepSpeed refuses or ignores in one file. */
export const deepSpeedConditions: readonly Condition<Source>[] = [
  ...precision,
  ...choices,
  ...optimizers,
  ...stageThreeConditions,
];

/** Gathered start-up rules that the DeepSpeed dialect decides. */
export const deepspeedCoverage: readonly Coverage[] = [
  ...coverageOf(deepSpeedConditions),
  { rule: 'batch-product', covers: ['DS-001', 'DS-003'] },
  { rule: 'size-not-positive', covers: ['DS-003'] },
  { rule: 'unknown-key', covers: ['DS-013', 'DS-030'] },
  { rule: 'wrong-type', covers: ['DS-013'] },
  { rule: 'syntax-duplicate-key', covers: ['DS-014'] },
  { rule: 'deprecated-key', covers: ['DS-015', 'DS-018'] },
  { rule: 'exclusive-keys', covers: ['DS-016'] },
  { rule: 'experts-not-divisible', covers: ['DS-029'] },
];
