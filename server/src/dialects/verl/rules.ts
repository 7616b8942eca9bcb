import { coverageOf, type Condition, type Coverage } from '../common/conditions';
import { rowConditions, type Row } from '../common/rows';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { placeIn, type Source } from '../deepspeed/source';
import { verlFile } from './framework';
import { strategyOf } from './plan';
import { ACTOR, MODEL, REF, ROLLOUT } from './source';

const VALIDATE = verlFile('utils/config.py', 'validate_config');
const ACTING = verlFile('workers/config/actor.py', 'ActorConfig.validate');
const ROLLING = verlFile('workers/config/rollout.py', 'RolloutConfig.__post_init__');
const ENGINE = verlFile('workers/config/engine.py', 'FSDPEngineConfig.__post_init__');

const MEGATRON = `${ACTOR}.megatron`;
const MINI = `${ACTOR}.ppo_mini_batch_size`;
const MICRO = `${ACTOR}.ppo_micro_batch_size`;
const PER_GPU = `${ACTOR}.ppo_micro_batch_size_per_gpu`;
const DYNAMIC = `${ACTOR}.use_dynamic_bsz`;
const ULYSSES = `${ACTOR}.ulysses_sequence_parallel_size`;
const GPUS = ['trainer.n_gpus_per_node', 'trainer.nnodes'];
const DEGREES = ['tensor', 'pipeline'].map((name) => `${MEGATRON}.${name}_model_parallel_size`);
const CONTEXT = `${MEGATRON}.context_parallel_size`;

const given = (s: Source, key: string): boolean => s.entry(key) !== undefined;

/** GPUs of the job, where both numbers are there. */
function gpus(s: Source): number | undefined {
  const perNode = s.integer('trainer.n_gpus_per_node');
  const nodes = s.integer('trainer.nnodes') ?? (given(s, 'trainer.nnodes') ? undefined : 1);
  return perNode === undefined || nodes === undefined || perNode < 1 || nodes < 1 ? undefined : perNode * nodes;
}

/** A degree as written, or 1 where a complete file leaves it out. */
function degree(s: Source, key: string): number | undefined {
  return s.integer(key) ?? (given(s, key) || s.complete === false ? undefined : 1);
}

/** Batches are counted in samples, not in tokens. */
function counted(s: Source): boolean {
  const flag = s.flag(DYNAMIC);
  return flag === false || (flag === undefined && !given(s, DYNAMIC) && s.complete !== false);
}

function modelRanks(s: Source): number | undefined {
  const all = [...DEGREES, CONTEXT].map((key) => degree(s, key));
  return all.includes(undefined) ? undefined : all.reduce<number>((product, each) => product * (each ?? 1), 1);
}

/** Samples that one pass of all ranks takes at least. */
function leastBatch(s: Source): number | undefined {
  const world = gpus(s);
  if (world === undefined) return undefined;
  if (strategyOf(s) !== 'megatron') return strategyOf(s) === undefined ? undefined : world;
  const ranks = modelRanks(s);
  const micro = s.integer(PER_GPU);
  return ranks === undefined || micro === undefined || world % ranks !== 0 ? undefined : (world / ranks) * micro;
}

const batches: readonly Condition<Source>[] = [
  {
    rule: 'train-batch-not-divisible',
    severity: 'error',
    covers: ['VRL-002'],
    keys: [
      'data.train_batch_size',
      `${ROLLOUT}.n`,
      PER_GPU,
      ...GPUS,
      ...DEGREES,
      CONTEXT,
      DYNAMIC,
      `${ACTOR}.strategy`,
    ],
    source: VALIDATE,
    says: (s) => {
      const batch = s.integer('data.train_batch_size');
      const samples = degree(s, `${ROLLOUT}.n`);
      const least = leastBatch(s);
      if (batch === undefined || samples === undefined || least === undefined || least < 1 || !counted(s))
        return undefined;
      if ((batch * samples) % least === 0) return undefined;
      return `train_batch_size ${batch} × ${samples} samples = ${batch * samples} is no multiple of ${least}, the least that all data-parallel ranks take.`;
    },
  },
  {
    rule: 'mini-batch-too-large',
    severity: 'error',
    covers: ['VRL-004'],
    keys: [MINI, 'data.train_batch_size', DYNAMIC],
    source: ACTING,
    says: (s) => {
      const mini = s.integer(MINI);
      const batch = s.integer('data.train_batch_size');
      return counted(s) && mini !== undefined && batch !== undefined && batch < mini
        ? `ppo_mini_batch_size ${mini} is larger than train_batch_size ${batch}, out of which it is taken.`
        : undefined;
    },
  },
  {
    rule: 'mini-batch-not-divisible',
    severity: 'error',
    covers: ['VRL-005'],
    keys: [MICRO, MINI, DYNAMIC],
    source: ACTING,
    says: (s) => {
      const mini = s.integer(MINI);
      const micro = s.integer(MICRO);
      return counted(s) && mini !== undefined && micro !== undefined && micro > 0 && mini % micro !== 0
        ? `ppo_mini_batch_size ${mini} is no multiple of ppo_micro_batch_size ${micro}.`
        : undefined;
    },
  },
  {
    rule: 'micro-batch-below-ranks',
    severity: 'error',
    covers: ['VRL-006'],
    keys: [MICRO, ULYSSES, ...GPUS, DYNAMIC],
    source: ACTING,
    says: (s) => {
      const micro = s.integer(MICRO);
      const world = gpus(s);
      const sequence = degree(s, ULYSSES);
      if (!counted(s) || micro === undefined || world === undefined || sequence === undefined) return undefined;
      return micro * sequence < world
        ? `ppo_micro_batch_size ${micro} × ${sequence} is less than the ${world} GPUs; some ranks would get nothing.`
        : undefined;
    },
  },
];

/** Samples of one optimizer step on one data-parallel rank of an FSDP job, as verl normalises them. */
function rankBatch(s: Source): number | undefined {
  const mini = s.integer(MINI);
  const samples = degree(s, `${ROLLOUT}.n`);
  const world = gpus(s);
  const sequence = degree(s, ULYSSES);
  const sharded = strategyOf(s)?.startsWith('fsdp') === true;
  if (!sharded || mini === undefined || samples === undefined || world === undefined) return undefined;
  if (sequence === undefined || sequence < 1 || world % sequence !== 0) return undefined;
  return Math.floor((mini * samples) / (world / sequence));
}

const RANK_KEYS = [MINI, PER_GPU, `${ROLLOUT}.n`, ULYSSES, ...GPUS, `${ACTOR}.strategy`];
const WORKER = verlFile('workers/fsdp_workers.py', 'ActorRolloutRefWorker.__init__');

const perRank: readonly Condition<Source>[] = [
  {
    rule: 'mini-batch-below-ranks',
    severity: 'error',
    covers: ['VRL-002'],
    keys: RANK_KEYS,
    source: WORKER,
    says: (s) =>
      rankBatch(s) === 0
        ? `ppo_mini_batch_size ${s.integer(MINI) ?? 0} × ${s.integer(`${ROLLOUT}.n`) ?? 1} samples is less than the data-parallel ranks: a rank's share is 0.`
        : undefined,
  },
  {
    rule: 'mini-batch-not-divisible',
    severity: 'error',
    covers: ['VRL-005'],
    keys: [PER_GPU, ...RANK_KEYS.filter((key) => key !== PER_GPU), DYNAMIC],
    source: WORKER,
    says: (s) => {
      const share = rankBatch(s);
      const micro = s.integer(PER_GPU);
      if (!counted(s) || share === undefined || share < 1 || micro === undefined || micro < 1) return undefined;
      return share % micro === 0
        ? undefined
        : `A rank trains on ${share} samples of each mini-batch, which is no multiple of ppo_micro_batch_size_per_gpu ${micro}.`;
    },
  },
];

/** Deprecated whole-job sizes beside their per-GPU successors; the latter has to be given somewhere. */
const sizes: readonly Condition<Source>[] = [
  ['actor', MICRO, DYNAMIC],
  ['rollout', `${ROLLOUT}.log_prob_micro_batch_size`, DYNAMIC],
  ['ref', `${REF}.log_prob_micro_batch_size`, DYNAMIC],
].flatMap(([part = '', key = '', dynamic = '']): Condition<Source>[] => [
  {
    rule: 'exclusive-keys',
    severity: 'error',
    covers: ['VRL-003'],
    keys: [key, `${key}_per_gpu`, dynamic],
    source: VALIDATE,
    says: (s) =>
      given(s, key) && given(s, `${key}_per_gpu`) && s.flag(DYNAMIC) !== true
        ? `\`${key}\` and \`${key}_per_gpu\` exclude each other; keep the second, the first is deprecated.`
        : undefined,
  },
  {
    rule: 'batch-sizes-missing',
    severity: 'information',
    covers: ['VRL-003'],
    keys: [`${key}_per_gpu`, `actor_rollout_ref.${part}`, dynamic],
    source: VALIDATE,
    onKey: true,
    says: (s) =>
      counted(s) &&
      given(s, `actor_rollout_ref.${part}`) &&
      s.complete !== false &&
      !given(s, key) &&
      !given(s, `${key}_per_gpu`)
        ? `\`${key}_per_gpu\` is not set: without dynamic batching verl stops unless the command line gives it.`
        : undefined,
  },
]);

const STRATEGIES = [
  'fsdp',
  'fsdp2',
  'megatron',
  'veomni',
  'torchtitan',
  'automodel',
  'mindspeed',
  'mindspeed_megatron',
  'mindspeed_llm',
  'megatron-core',
  'nemo_automodel',
];

const ROWS: readonly Row<Source>[] = [
  [
    'ulysses-needs-packing',
    'VRL-007',
    verlFile('workers/config/actor.py', 'FSDPActorConfig.validate'),
    [ULYSSES, `${MODEL}.use_remove_padding`, `${ACTOR}.strategy`],
    (s) =>
      (s.integer(ULYSSES) ?? 1) > 1 && s.flag(`${MODEL}.use_remove_padding`) === false && strategyOf(s) !== 'megatron',
    'Ulysses sequence parallelism needs use_remove_padding: true in actor_rollout_ref.model.',
    'error',
    [`${MODEL}.use_remove_padding`, 'true'],
  ],
  [
    'sequence-parallel-without-tensor',
    'VRL-008',
    verlFile('workers/config/engine.py', 'McoreEngineConfig.__post_init__'),
    [`${MEGATRON}.sequence_parallel`, `${MEGATRON}.tensor_model_parallel_size`],
    (s) =>
      s.flag(`${MEGATRON}.sequence_parallel`) === true && s.integer(`${MEGATRON}.tensor_model_parallel_size`) === 1,
    'Without tensor parallelism verl sets sequence_parallel to false.',
    'information',
    [`${MEGATRON}.sequence_parallel`, 'false'],
  ],
  [
    'strategy-unknown',
    'VRL-009',
    ENGINE,
    [`${ACTOR}.fsdp_config.strategy`],
    (s) => !['fsdp', 'fsdp2', undefined].includes(s.text(`${ACTOR}.fsdp_config.strategy`)),
    'An fsdp_config takes strategy fsdp or fsdp2.',
  ],
  [
    'strategy-unknown',
    'VRL-009',
    ENGINE,
    [`${MEGATRON}.strategy`],
    (s) => !['megatron', undefined].includes(s.text(`${MEGATRON}.strategy`)),
    'A megatron section takes strategy megatron alone.',
  ],
  [
    'strategy-unknown',
    'VRL-009',
    ENGINE,
    [`${ACTOR}.strategy`],
    (s) => !STRATEGIES.includes(s.text(`${ACTOR}.strategy`) ?? 'fsdp'),
    'strategy is none of fsdp, fsdp2, megatron, veomni.',
  ],
  [
    'rollout-mode-removed',
    'VRL-010',
    ROLLING,
    [`${ROLLOUT}.mode`],
    (s) => s.text(`${ROLLOUT}.mode`) === 'sync',
    // Releases until 2025 had it as the default, and a file does not say its release.
    'Rollout mode sync was removed, and recent releases stop at it; write async or leave the key out.',
    'warning',
    [`${ROLLOUT}.mode`, 'async'],
  ],
  [
    'rollout-pipeline-unsupported',
    'VRL-012',
    ROLLING,
    [`${ROLLOUT}.pipeline_model_parallel_size`, `${ROLLOUT}.name`],
    (s) =>
      (s.integer(`${ROLLOUT}.pipeline_model_parallel_size`) ?? 1) > 1 &&
      ['vllm', 'sglang', 'trtllm'].includes(s.text(`${ROLLOUT}.name`) ?? ''),
    'Pipeline stages of a rollout engine are not implemented; use tensor and data parallelism.',
  ],
  [
    'temperature-not-positive',
    'VRL-013',
    VALIDATE,
    [`${ROLLOUT}.temperature`, `${ROLLOUT}.val_kwargs.do_sample`],
    (s) => s.flag(`${ROLLOUT}.val_kwargs.do_sample`) === true && (s.number(`${ROLLOUT}.temperature`) ?? 1) <= 0,
    'Validation samples, and the temperature is 0; verl wants it above 0.',
  ],
  [
    'wrong-value',
    'VRL-009',
    verlFile('workers/config/engine.py', 'McoreEngineConfig.__post_init__'),
    [`${MEGATRON}.dtype`],
    (s) => !['bfloat16', 'float16', undefined].includes(s.text(`${MEGATRON}.dtype`)),
    'The Megatron engine takes dtype bfloat16 or float16.',
  ],
];

const rollout: readonly Condition<Source>[] = [
  {
    rule: 'rollout-experts-not-matching',
    severity: 'error',
    covers: ['VRL-011'],
    keys: [`${ROLLOUT}.expert_parallel_size`, `${ROLLOUT}.tensor_model_parallel_size`, `${ROLLOUT}.data_parallel_size`],
    source: ROLLING,
    says: (s) => {
      const expert = s.integer(`${ROLLOUT}.expert_parallel_size`);
      const data = degree(s, `${ROLLOUT}.data_parallel_size`);
      const tensor = s.integer(`${ROLLOUT}.tensor_model_parallel_size`) ?? (s.complete === false ? undefined : 2);
      if (expert === undefined || expert <= 1 || tensor === undefined || data === undefined) return undefined;
      return expert === tensor * data
        ? undefined
        : `rollout.expert_parallel_size ${expert} has to be tensor × data = ${tensor} × ${data} = ${tensor * data}, or 1.`;
    },
  },
  {
    rule: 'rollout-not-dividing-world',
    severity: 'warning',
    covers: [],
    keys: [`${ROLLOUT}.tensor_model_parallel_size`, ...GPUS],
    source: verlFile('workers/fsdp_workers.py', 'ActorRolloutRefWorker._build_rollout'),
    says: (s) => {
      const world = gpus(s);
      const tensor = s.integer(`${ROLLOUT}.tensor_model_parallel_size`);
      if (world === undefined || tensor === undefined || tensor < 1 || world % tensor === 0) return undefined;
      return `The rollout's ${tensor} tensor-parallel ranks do not divide the ${world} GPUs that it shares with the actor.`;
    },
  },
];

/** Ulysses deals whole heads out, so its ranks divide them; key and value heads are copied where there are fewer. */
export function headFindings(s: Source, resolved: ResolvedPlan): Finding[] {
  const keys = [`${ACTOR}.fsdp_config.ulysses_sequence_parallel_size`, ULYSSES];
  const key = keys.find((name) => (s.integer(name) ?? 1) > 1);
  const at = key === undefined ? undefined : placeIn(s, key);
  const { model } = resolved;
  if (key === undefined || at === undefined || at.uri !== undefined || model === undefined) return [];
  const ranks = s.integer(key) ?? 1;
  if (strategyOf(s)?.startsWith('fsdp') !== true) return [];
  const [heads, kv] = [model.heads, model.kvHeads];
  const even = heads % ranks === 0;
  if (even && (kv % ranks === 0 || ranks % kv === 0)) return [];
  return [
    {
      rule: 'heads-not-divisible',
      severity: 'error',
      at,
      source: verlFile('models/transformers/monkey_patch.py', 'apply_monkey_patch'),
      message: even
        ? `Ulysses over ${ranks} ranks neither divides the ${kv} key and value heads nor is a multiple of them.`
        : `Ulysses over ${ranks} ranks does not divide the ${heads} attention heads.`,
    },
  ];
}

/** What verl refuses or changes. */
export const verlConditions: readonly Condition<Source>[] = [
  ...batches,
  ...perRank,
  ...sizes,
  ...rowConditions(ROWS),
  ...rollout,
];

/** Gathered start-up rules that the verl dialect decides. */
export const verlCoverage: readonly Coverage[] = [
  ...coverageOf(verlConditions),
  { rule: 'world-not-divisible', covers: ['VRL-001'] },
];
