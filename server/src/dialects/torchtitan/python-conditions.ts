import { coverageOf, type Condition, type Coverage } from '../common/conditions';
import { checkpoints, expertMesh, expertTensor, fsdpPolicy, recompute, shardDegree, warmup } from './conditions';
import { microbatches, stageCounts, unevenStages, unknownSchedule } from './conditions-pipeline';
import type { TitanJob } from './job';
import { titan } from './source';

type Check = Condition<TitanJob>;

/** Settings of the batch: in tokens, and those in samples of the releases before. */
export const TOKENS = {
  pass: 'training.num_tokens_per_microbatch_per_dp_rank',
  step: 'training.num_tokens_per_train_step',
  length: 'training.max_context_length',
  cuts: 'parallelism.num_pp_microbatches',
  earlier: ['training.local_batch_size', 'training.seq_len', 'training.global_batch_size'],
} as const;

const head = (file: string, fn: string): ReturnType<typeof titan> => ({ ...titan(file, fn), commit: 'b5bcd76c' });

const POSITIVE: readonly (readonly [string, string, string])[] = [
  [TOKENS.pass, 'config/configs.py', 'TrainingConfig.__post_init__'],
  [TOKENS.length, 'config/configs.py', 'TrainingConfig.__post_init__'],
  [TOKENS.cuts, 'trainer.py', 'Trainer.Config.__post_init__'],
];

const positive: readonly Check[] = POSITIVE.map(([key, file, fn]) => ({
  rule: 'wrong-value',
  severity: 'error',
  covers: [],
  keys: [key],
  source: head(file, fn),
  says: (job) => {
    const value = job.integer(key);
    return value === undefined || value > 0 ? undefined : `${key.split('.')[1] ?? ''} ${value} must be at least 1.`;
  },
}));

const stepTokens: Check = {
  rule: 'wrong-value',
  severity: 'error',
  covers: [],
  keys: [TOKENS.step],
  source: head('config/configs.py', 'TrainingConfig.__post_init__'),
  says: (job) => {
    const value = job.integer(TOKENS.step);
    return value === undefined || value === -1 || value > 0
      ? undefined
      : `num_tokens_per_train_step ${value} is neither -1 (one pass of every rank) nor at least 1.`;
  },
};

const shares: Check = {
  rule: 'sequence-not-divisible',
  severity: 'error',
  covers: [],
  keys: [
    TOKENS.pass,
    'parallelism.tensor_parallel_degree',
    'parallelism.context_parallel_degree',
    'parallelism.enable_sequence_parallel',
  ],
  source: head('trainer.py', 'Trainer.__init__'),
  says: (job) => {
    const tokens = job.entry(TOKENS.pass) === undefined ? undefined : job.integer(TOKENS.pass);
    const tensor = job.flag('parallelism.enable_sequence_parallel') === false ? 1 : job.degree('tensor', 1);
    const context = job.degree('context', 1);
    if (tokens === undefined || tensor === undefined || context === undefined || tensor < 1 || context < 1)
      return undefined;
    const step = tensor * (context > 1 ? 2 * context : 1);
    if (tokens < 1 || tokens % step === 0) return undefined;
    const parts = [tensor > 1 ? `TP ${tensor}` : '', context > 1 ? `2 × CP ${context}` : ''].filter(
      (part) => part !== '',
    );
    const below = Math.floor(tokens / step) * step;
    return `${tokens} tokens a pass are not divisible by ${parts.join(' × ')}${parts.length > 1 || context > 1 ? ` = ${step}` : ''}; the nearest legal values are ${below > 0 ? `${below} and ` : ''}${below + step}.`;
  },
};

const fewCuts: Check = {
  rule: 'fewer-microbatches-than-stages',
  severity: 'warning',
  covers: ['TT-008'],
  keys: [TOKENS.cuts, 'parallelism.pipeline_parallel_degree', 'parallelism.pipeline_parallel_schedule'],
  source: head('distributed/pipeline_parallel.py', '_build_pipeline_schedule'),
  says: (job) => {
    const pipeline = job.degree('pipeline', 1);
    const count = job.entry(TOKENS.cuts) === undefined ? 1 : job.integer(TOKENS.cuts);
    if (pipeline === undefined || pipeline < 2 || count === undefined || count < 1 || job.split === undefined)
      return undefined;
    if (count >= job.split.stages) return undefined;
    const why = job.schedule.single
      ? 'PyTorch refuses that for single-stage schedules'
      : 'ranks idle while the pipeline fills';
    return `${count} microbatch${count === 1 ? '' : 'es'} for ${job.split.stages} pipeline stages: ${why}; set num_pp_microbatches to at least ${job.split.stages}.`;
  },
};

const asyncTensor: Check = {
  rule: 'needs-compiled-model',
  severity: 'error',
  covers: ['TT-019'],
  keys: ['compile.enable_async_tensor_parallel', 'compile.enable', 'compile.components'],
  source: head('config/configs.py', 'CompileConfig.__post_init__'),
  says: (job) =>
    job.flag('compile.enable_async_tensor_parallel') === true && job.compiled === false
      ? 'Asynchronous tensor parallelism is made by the compiler: `enable` must be true with `model` among the components.'
      : undefined,
};

const graphs: Check = {
  rule: 'cuda-graphs-with-pipeline',
  severity: 'error',
  covers: [],
  keys: ['parallelism.pipeline_parallel_degree', 'training.disable_cuda_graphs'],
  source: head('trainer.py', 'Trainer.Config._validate_cuda_graphs'),
  says: (job) => {
    const pipeline = job.degree('pipeline', 1);
    return pipeline === undefined || pipeline < 2 || job.flag('training.disable_cuda_graphs') === true
      ? undefined
      : `CUDA graphs do not work with ${pipeline} pipeline ranks; set training.disable_cuda_graphs to True.`;
  },
};

const COMMON = [
  shardDegree,
  expertTensor,
  expertMesh,
  unknownSchedule,
  ...stageCounts,
  unevenStages,
  ...recompute,
  fsdpPolicy,
  warmup,
  ...checkpoints,
  asyncTensor,
];

const IN_TOKENS: readonly Check[] = [...positive, stepTokens, shares, fewCuts];

/**
 * What torchtitan says about a job of a registry. The releases with Python configs differ: checks that only some of them have are
 * made where the file shows that it belongs to those.
 */
export function pythonConditions(text: string): readonly Check[] {
  const tokens = /\b(?:num_tokens_per_|max_context_length|num_pp_microbatches)/.test(text);
  const samples = /\b(?:local_batch_size|seq_len|global_batch_size|pipeline_parallel_microbatch_size)\b/.test(text);
  return [
    ...COMMON,
    ...(tokens && !samples ? IN_TOKENS : []),
    ...(samples && !tokens ? microbatches : []),
    ...(text.includes('disable_cuda_graphs') ? [graphs] : []),
  ];
}

/** Gathered rules of the checks that only the releases with Python configs have. */
export const torchtitanPythonCoverage: readonly Coverage[] = coverageOf([...IN_TOKENS, graphs]);
