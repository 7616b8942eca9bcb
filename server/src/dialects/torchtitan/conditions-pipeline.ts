import type { Condition } from '../common/conditions';
import type { TitanJob } from './job';
import { titan } from './source';

type Check = Condition<TitanJob>;

const FILE = 'distributed/pipeline_parallel.py';
const KEYS = [
  'parallelism.pipeline_parallel_layers_per_stage',
  'parallelism.pipeline_parallel_degree',
  'experimental.pipeline_parallel_degree',
  'parallelism.pipeline_parallel_schedule',
  'experimental.pipeline_parallel_schedule',
];

const piped = (job: TitanJob): number | undefined => {
  const pipeline = job.degree('pipeline', 1);
  return pipeline !== undefined && pipeline > 1 ? pipeline : undefined;
};

/** The file names neither a schedule file nor its own split, so that torchtitan deals the layers itself. */
const dealt = (job: TitanJob): boolean => job.entry('parallelism.module_fqns_per_model_part') === undefined;

export const microbatches: readonly Check[] = [
  {
    rule: 'microbatch-not-dividing-batch',
    severity: 'error',
    covers: ['TT-007'],
    keys: ['training.local_batch_size', 'parallelism.pipeline_parallel_microbatch_size'],
    source: titan(FILE, 'build_pipeline_schedule'),
    says: (job) => {
      const size = job.integer('parallelism.pipeline_parallel_microbatch_size');
      const local = job.degree('local', 8);
      if (piped(job) === undefined || size === undefined || local === undefined || size < 1 || local % size === 0)
        return undefined;
      return `local_batch_size ${local} cannot be cut into microbatches of ${size}; the nearest legal local batches are ${Math.floor(local / size) * size || size} and ${Math.ceil(local / size) * size}.`;
    },
  },
  {
    rule: 'fewer-microbatches-than-stages',
    severity: 'warning',
    covers: ['TT-008'],
    keys: [
      'training.local_batch_size',
      'parallelism.pipeline_parallel_microbatch_size',
      'parallelism.pipeline_parallel_degree',
      'parallelism.pipeline_parallel_schedule',
    ],
    source: titan(FILE, 'build_pipeline_schedule'),
    says: (job) => {
      const size = job.integer('parallelism.pipeline_parallel_microbatch_size') ?? 1;
      const local = job.degree('local', 8);
      if (piped(job) === undefined || local === undefined || job.split === undefined || size < 1) return undefined;
      if (job.name('pipeline').startsWith('experimental.')) return undefined;
      const count = Math.floor(local / size);
      if (count >= job.split.stages) return undefined;
      const why = job.schedule.single
        ? 'PyTorch since 2.6 refuses that for single-stage schedules, and before it left ranks idle'
        : 'ranks idle while the pipeline fills';
      return `${count} microbatch${count === 1 ? '' : 'es'} for ${job.split.stages} pipeline stages: ${why}; raise local_batch_size to at least ${job.split.stages * size}.`;
    },
  },
];

export const stageCounts: readonly Check[] = [
  {
    rule: 'stages-not-divisible',
    severity: 'error',
    covers: ['TT-009'],
    keys: KEYS,
    source: titan(FILE, 'pipeline_llm'),
    says: (job) => {
      const pipeline = piped(job);
      if (pipeline === undefined || job.split === undefined || job.split.stages % pipeline === 0) return undefined;
      return `${job.split.stages} pipeline stages cannot be shared by ${pipeline} pipeline ranks; the nearest legal counts are ${Math.floor(job.split.stages / pipeline) * pipeline || pipeline} and ${Math.ceil(job.split.stages / pipeline) * pipeline}.`;
    },
  },
  {
    rule: 'stages-do-not-fit-schedule',
    severity: 'error',
    covers: ['TT-010', 'TT-011'],
    keys: KEYS,
    source: titan(FILE, 'pipeline_llm'),
    says: (job) => {
      const pipeline = piped(job);
      const each = job.integer('parallelism.pipeline_parallel_layers_per_stage');
      if (pipeline === undefined || job.split === undefined || each === undefined || job.split.stages % pipeline !== 0)
        return undefined;
      const { perRank } = job.split;
      if (job.schedule.single && perRank !== 1)
        return `${job.schedule.word} runs one stage a rank, but ${each} layers a stage make ${perRank}; take at least ${Math.ceil(((job.layers ?? 0) + job.split.inputWeight + job.split.outputWeight) / pipeline)} layers a stage.`;
      if (!job.schedule.single && job.schedule.kind !== undefined && perRank < 2)
        return `${job.schedule.word} needs at least 2 stages a rank, but ${each} layers a stage make ${perRank}; take fewer layers a stage.`;
      return undefined;
    },
  },
  {
    rule: 'stages-do-not-fit-schedule',
    severity: 'error',
    covers: ['TT-014'],
    keys: KEYS,
    source: titan(FILE, 'pipeline_module_split'),
    says: (job) =>
      piped(job) !== undefined &&
      job.schedule.vShaped &&
      job.split !== undefined &&
      job.split.perRank > 2 &&
      Number.isInteger(job.split.perRank)
        ? `${job.schedule.word} folds the model into a V of exactly 2 stages a rank, not ${job.split.perRank}.`
        : undefined,
  },
  {
    rule: 'more-stages-than-layers',
    severity: 'error',
    covers: ['TT-012'],
    keys: ['parallelism.pipeline_parallel_degree', 'experimental.pipeline_parallel_degree', 'model.flavor'],
    source: titan(FILE, 'generate_llm_fqn_per_model_part'),
    says: (job) => {
      if (piped(job) === undefined || job.split === undefined || job.layers === undefined || !dealt(job))
        return undefined;
      const counted = job.layers + job.split.inputWeight + job.split.outputWeight;
      return job.split.stages > counted
        ? `${job.split.stages} pipeline stages are more than the ${counted} layers that torchtitan deals out (${job.layers} decoder layers, ${job.split.inputWeight} for the embedding, ${job.split.outputWeight} for the head).`
        : undefined;
    },
  },
  {
    rule: 'stage-weight-too-large',
    severity: 'error',
    covers: ['TT-013'],
    keys: [
      'parallelism.pipeline_parallel_first_stage_less_layers',
      'parallelism.pipeline_parallel_last_stage_less_layers',
      'parallelism.pipeline_parallel_degree',
    ],
    source: titan(FILE, 'generate_llm_fqn_per_model_part'),
    says: (job) => {
      if (piped(job) === undefined || job.split === undefined || job.layers === undefined || !dealt(job))
        return undefined;
      const { inputWeight, outputWeight, stages } = job.split;
      const least = Math.floor((job.layers + inputWeight + outputWeight) / stages);
      const worst = Math.max(inputWeight, outputWeight);
      return least >= 1 && worst > least
        ? `A stage gets ${least} layers, fewer than the ${worst} that the first or last stage is to give up; the nearest legal value is ${least}.`
        : undefined;
    },
  },
];

/** Layers that do not divide evenly are dealt out all the same: say what each stage really holds. */
export const unevenStages: Check = {
  rule: 'uneven-stages',
  severity: 'information',
  covers: [],
  keys: ['parallelism.pipeline_parallel_degree', 'experimental.pipeline_parallel_degree'],
  source: titan(FILE, 'generate_llm_fqn_per_model_part'),
  says: (job) => {
    const counts = job.split?.counts;
    if (piped(job) === undefined || counts === undefined || !dealt(job) || job.split?.perRank === undefined)
      return undefined;
    // Releases before v0.2.0 dealt the layers in another way.
    if (job.versions.some((version) => version < 2)) return undefined;
    if (new Set(counts).size < 2 || !Number.isInteger(job.split.perRank)) return undefined;
    const shown =
      counts.length > 16 ? `${counts.slice(0, 4).join('|')}|…|${counts.slice(-3).join('|')}` : counts.join('|');
    return `${job.layers ?? 0} layers over ${counts.length} stages become ${shown}: embedding and head count as layers of the first and last stage.`;
  },
};

const dualPipe: Check = {
  rule: 'dualpipev-overlap-with-recompute',
  severity: 'error',
  covers: ['TT-016'],
  keys: [
    'activation_checkpoint.mode',
    'parallelism.pipeline_parallel_schedule',
    'parallelism.expert_parallel_degree',
    'parallelism.pipeline_parallel_expert_parallel_overlap',
  ],
  source: titan('distributed/dual_pipe_v.py', 'get_dual_pipe_v_flag'),
  says: (job) => {
    const mode = job.text('activation_checkpoint.mode') ?? 'selective';
    if (
      piped(job) === undefined ||
      job.schedule.word.toLowerCase() !== 'dualpipev' ||
      (job.degree('expert', 1) ?? 1) <= 1
    )
      return undefined;
    if (mode === 'none' || job.flag('parallelism.pipeline_parallel_expert_parallel_overlap') === false)
      return undefined;
    return `DualPipeV with expert parallelism overlaps expert communication by default, which activation checkpointing (\`${mode}\`) does not allow; set the mode to none or pipeline_parallel_expert_parallel_overlap to false.`;
  },
};

export const unknownSchedule: Check = {
  rule: 'unknown-schedule',
  severity: 'error',
  covers: [],
  keys: ['parallelism.pipeline_parallel_schedule', 'experimental.pipeline_parallel_schedule'],
  source: {
    framework: 'PyTorch',
    repository: 'pytorch/pytorch',
    file: 'torch/distributed/pipelining/schedules.py',
    function: 'get_schedule_class',
  },
  says: (job) => {
    const known =
      /^(?:1f1b|gpipe|interleaved1f1b|loopedbfs|interleavedzerobubble|zbvzerobubble|dualpipev|pipelineschedulesingle|pipelineschedulemulti)$/i;
    const word = job.text(job.name('schedule'));
    // Flexible1F1B of 2024 is gone from PyTorch, but the release a file was written with still had it.
    return piped(job) === undefined ||
      word === undefined ||
      known.test(word) ||
      /^flexible/i.test(word) ||
      job.schedule.kind !== undefined
      ? undefined
      : `torch.distributed.pipelining has no schedule \`${word}\`; it has 1F1B, GPipe, Interleaved1F1B, LoopedBFS, InterleavedZeroBubble, ZBVZeroBubble and DualPipeV.`;
  },
};

export const pipelineConditions: readonly Check[] = [
  unknownSchedule,
  ...microbatches,
  ...stageCounts,
  dualPipe,
  unevenStages,
];
