import type { SourceReference } from '../../plan/finding';
import type { Condition, Coverage } from '../common/conditions';
import { coverageOf } from '../common/conditions';
import { listed } from '../common/findings';
import { closest } from '../common/spelling';
import type { ConfigValues } from '../common/values';

type Check = Condition;

export function automodel(file: string, fn: string): SourceReference {
  return {
    framework: 'NeMo Automodel',
    repository: 'NVIDIA-NeMo/Automodel',
    file: `nemo_automodel/${file}`,
    function: fn,
    commit: '36044ad3d',
  };
}

const SECTION = automodel('recipes/_dist_utils.py', 'parse_distributed_section');
const MESH = automodel('components/distributed/mesh_utils.py', '_create_device_meshes');
const STEPS = automodel('components/training/step_scheduler.py', 'StepScheduler.__init__');

/** Strategies by every name they go by. */
const STRATEGIES: Readonly<Record<string, 'fsdp2' | 'megatron_fsdp' | 'ddp'>> = {
  fsdp2: 'fsdp2',
  megatron_fsdp: 'megatron_fsdp',
  'megatron-fsdp': 'megatron_fsdp',
  mfsdp: 'megatron_fsdp',
  ddp: 'ddp',
};

/** Files of 2025 name a class here, whose own constructor then takes the options. */
function flat(values: ConfigValues): boolean {
  return (
    values.entry('distributed') !== undefined &&
    values.entry('distributed._target_') === undefined &&
    values.entry('autopipeline') === undefined
  );
}

const degree = (values: ConfigValues, key: string): number => values.integer(`distributed.${key}`) ?? 1;
const strategyOf = (values: ConfigValues): string | undefined =>
  flat(values) ? STRATEGIES[(values.text('distributed.strategy') ?? 'fsdp2').toLowerCase()] : undefined;

const SIZES = ['tp_size', 'pp_size', 'cp_size', 'ep_size', 'dp_replicate_size'] as const;
const WORDS: Readonly<Record<string, string>> = {
  tp_size: 'tensor parallelism',
  pp_size: 'pipeline parallelism',
  cp_size: 'context parallelism',
  ep_size: 'expert parallelism',
  dp_replicate_size: 'replicated groups',
};
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  ddp: ['tp_size', 'pp_size', 'cp_size', 'ep_size', 'dp_replicate_size'],
  megatron_fsdp: ['pp_size', 'ep_size', 'dp_replicate_size'],
};

const distributed: readonly Check[] = [
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: [],
    keys: ['distributed.strategy'],
    source: automodel('components/distributed/config.py', '_resolve_strategy_config'),
    says: (values) => {
      const word = values.text('distributed.strategy');
      if (!flat(values) || word === undefined || STRATEGIES[word.toLowerCase()] !== undefined) return undefined;
      const meant = closest(word.toLowerCase(), Object.keys(STRATEGIES));
      return `distributed.strategy \`${word}\` is none of ${Object.keys(STRATEGIES).join(', ')}${meant === undefined ? '' : `; \`${meant}\` is the nearest`}.`;
    },
  },
  {
    rule: 'strategy-without-degree',
    severity: 'error',
    covers: [],
    keys: ['distributed.strategy', ...SIZES.map((key) => `distributed.${key}`)],
    source: MESH,
    says: (values) => {
      const strategy = strategyOf(values) ?? '';
      const refused = (REFUSED[strategy] ?? []).filter((key) => degree(values, key) > 1);
      return refused.length === 0
        ? undefined
        : `The strategy ${strategy} does not work with ${listed(refused.map((key) => WORDS[key] ?? key))}; fsdp2 does.`;
    },
  },
  {
    rule: 'pipeline-section-missing',
    severity: 'error',
    covers: [],
    keys: ['distributed.pp_size', 'distributed.pipeline'],
    source: SECTION,
    says: (values) =>
      flat(values) && degree(values, 'pp_size') > 1 && values.entry('distributed.pipeline') === undefined
        ? `pp_size ${degree(values, 'pp_size')} asks for a pipeline, but there is no \`distributed.pipeline\` that says its schedule and microbatch; an empty one takes the defaults.`
        : undefined,
  },
  {
    rule: 'setting-without-effect',
    severity: 'warning',
    covers: [],
    keys: ['distributed.pipeline', 'distributed.pp_size'],
    source: SECTION,
    says: (values) =>
      flat(values) && values.entry('distributed.pipeline') !== undefined && degree(values, 'pp_size') <= 1
        ? 'Without a pp_size above 1 there is no pipeline: the settings in `distributed.pipeline` are left out.'
        : undefined,
  },
  {
    rule: 'setting-without-effect',
    severity: 'information',
    covers: [],
    keys: ['distributed.moe', 'distributed.ep_size'],
    source: SECTION,
    says: (values) =>
      flat(values) && values.entry('distributed.moe') !== undefined && degree(values, 'ep_size') <= 1
        ? 'Without an ep_size above 1 the settings in `distributed.moe` are dropped without a word.'
        : undefined,
  },
  {
    rule: 'recompute-invalid',
    severity: 'error',
    covers: [],
    keys: ['distributed.activation_checkpointing', 'distributed.strategy'],
    source: SECTION,
    says: (values) =>
      values.text('distributed.activation_checkpointing')?.toLowerCase() === 'selective' &&
      strategyOf(values) === 'megatron_fsdp'
        ? 'Selective activation checkpointing works with fsdp2 and ddp only.'
        : undefined,
  },
];

/** Batch sizes that must come out whole before the data-parallel size is even known. */
const batches: readonly Check[] = [
  {
    rule: 'microbatch-not-dividing-batch',
    severity: 'error',
    covers: [],
    keys: ['step_scheduler.global_batch_size', 'step_scheduler.local_batch_size'],
    source: STEPS,
    says: (values) => {
      const global = values.integer('step_scheduler.global_batch_size');
      const local = values.integer('step_scheduler.local_batch_size');
      if (global === undefined || local === undefined || local < 1 || global % local === 0) return undefined;
      return `global_batch_size ${global} is no multiple of local_batch_size ${local}; the nearest legal values are ${Math.floor(global / local) * local || local} or ${Math.ceil(global / local) * local}.`;
    },
  },
  {
    rule: 'microbatch-not-dividing-batch',
    severity: 'error',
    covers: [],
    keys: ['step_scheduler.local_batch_size', 'distributed.pipeline.pp_microbatch_size', 'distributed.pp_size'],
    source: automodel('components/distributed/pipelining/autopipeline.py', 'AutoPipeline.__init__'),
    says: (values) => {
      const local = values.integer('step_scheduler.local_batch_size');
      const micro = values.integer('distributed.pipeline.pp_microbatch_size');
      if (degree(values, 'pp_size') <= 1 || local === undefined || micro === undefined || micro < 1) return undefined;
      return local % micro === 0
        ? undefined
        : `local_batch_size ${local} cannot be cut into pipeline microbatches of ${micro}.`;
    },
  },
  {
    rule: 'interval-not-positive',
    severity: 'error',
    covers: [],
    keys: ['ckpt_every_steps', 'val_every_steps', 'gc_every_steps', 'max_steps', 'num_epochs'].map(
      (key) => `step_scheduler.${key}`,
    ),
    source: STEPS,
    says: (values) => {
      const wrong = ['ckpt_every_steps', 'val_every_steps', 'gc_every_steps', 'max_steps', 'num_epochs'].find(
        (key) => (values.number(`step_scheduler.${key}`) ?? 1) <= 0,
      );
      return wrong === undefined ? undefined : `step_scheduler.${wrong} must be greater than 0; leave it out for none.`;
    },
  },
];

/** What NeMo Automodel says about combinations of its settings. */
export const automodelConditions: readonly Check[] = [...distributed, ...batches];

export const automodelCoverage: readonly Coverage[] = coverageOf(automodelConditions);
