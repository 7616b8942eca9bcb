import { largestDivisor } from '../../plan/rules/rule-context';
import { replaceFix } from '../common/findings';
import type { Condition, Coverage } from '../common/conditions';
import { coverageOf, isOn } from '../common/conditions';
import type { TitanJob } from './job';
import { modelConditions } from './conditions-model';
import { pipelineConditions } from './conditions-pipeline';
import { titan } from './source';

type Check = Condition<TitanJob>;

const above = (job: TitanJob, concept: 'tensor' | 'pipeline' | 'context' | 'expert' | 'replicate'): boolean =>
  (job.degree(concept, 1) ?? 1) > 1;

export const shardDegree: Check = {
  rule: 'degree-not-positive',
  severity: 'error',
  covers: ['TT-004'],
  keys: ['parallelism.data_parallel_shard_degree', 'training.data_parallel_shard_degree'],
  source: titan('distributed/parallel_dims.py', 'ParallelDims._validate'),
  says: (job) => {
    const shard = job.degree('shard', -1);
    return shard === undefined || shard === -1 || shard >= 1
      ? undefined
      : `data_parallel_shard_degree ${shard} is neither -1 (whatever the other degrees leave) nor at least 1.`;
  },
};

export const expertTensor: Check = {
  rule: 'expert-tensor-mismatch',
  severity: 'error',
  covers: ['TT-005'],
  keys: [
    'parallelism.expert_tensor_parallel_degree',
    'parallelism.expert_parallel_degree',
    'parallelism.tensor_parallel_degree',
  ],
  source: titan('distributed/parallel_dims.py', 'ParallelDims._validate'),
  says: (job) => {
    const experts = job.degree('expertTensor', 1);
    const tensor = job.degree('tensor', 1);
    if (!above(job, 'expert') || experts === undefined || tensor === undefined || [1, tensor].includes(experts))
      return undefined;
    return `expert_tensor_parallel_degree ${experts} must be 1 or the tensor degree ${tensor} while experts are split.`;
  },
};

export const expertMesh: Check = {
  rule: 'expert-world-not-divisible',
  severity: 'error',
  covers: [],
  keys: ['parallelism.expert_parallel_degree', 'parallelism.data_parallel_shard_degree'],
  source: titan('distributed/parallel_dims.py', 'ParallelDims.build_mesh'),
  says: (job) => {
    const [expert, own, shard] = [job.degree('expert', 1), job.degree('expertTensor', 1), job.degree('shard', -1)];
    const [tensor, context] = [job.degree('tensor', 1), job.degree('context', 1)];
    if (expert === undefined || own === undefined || shard === undefined) return undefined;
    if (tensor === undefined || context === undefined || expert <= 1 || shard < 1 || ![1, tensor].includes(own))
      return undefined;
    const ranks = shard * context * tensor;
    if (ranks % (expert * own) === 0) return undefined;
    const near = largestDivisor(Math.floor(ranks / own), expert);
    return `expert_parallel_degree ${expert} does not divide the ranks that experts are laid over, shard degree ${shard} × CP ${context} × TP ${tensor}${own > 1 ? ` ÷ ETP ${own}` : ''} = ${ranks / own}; the nearest legal value is ${near}.`;
  },
};

const replicatedOnly: Check = {
  rule: 'replication-without-sharding',
  severity: 'error',
  covers: ['TT-034'],
  keys: [
    'parallelism.data_parallel_replicate_degree',
    'parallelism.data_parallel_shard_degree',
    'parallelism.tensor_parallel_degree',
    'parallelism.pipeline_parallel_degree',
  ],
  source: titan('models/llama3/infra/parallelize.py', 'parallelize_llama'),
  says: (job) =>
    above(job, 'replicate') &&
    job.degree('shard', -1) === 1 &&
    !above(job, 'context') &&
    (above(job, 'tensor') || above(job, 'pipeline'))
      ? 'Replicas without sharding are plain DDP, which torchtitan does not combine with tensor or pipeline parallelism; shard over at least 2 ranks or replicate over none.'
      : undefined,
};

const deepep: readonly Check[] = [
  {
    rule: 'expert-backend-unusable',
    severity: 'error',
    covers: ['TT-032'],
    keys: ['parallelism.expert_parallel_comm_backend', 'parallelism.expert_parallel_degree'],
    source: titan('models/deepseek_v3/infra/parallelize.py', 'parallelize_deepseekv3'),
    says: (job) =>
      job.text('parallelism.expert_parallel_comm_backend') === 'deepep' && job.degree('expert', 1) === 1
        ? 'DeepEP exchanges tokens between expert ranks, so expert_parallel_degree must be above 1.'
        : undefined,
  },
  {
    rule: 'expert-backend-unusable',
    severity: 'error',
    covers: ['TT-033'],
    keys: ['parallelism.expert_parallel_comm_backend', 'parallelism.expert_tensor_parallel_degree'],
    source: titan('models/deepseek_v3/infra/parallelize.py', 'parallelize_deepseekv3'),
    says: (job) =>
      job.text('parallelism.expert_parallel_comm_backend') === 'deepep' && (job.degree('expertTensor', 1) ?? 1) > 1
        ? 'DeepEP does not work with expert tensor parallelism; the nearest legal expert_tensor_parallel_degree is 1.'
        : undefined,
  },
];

export const recompute: readonly Check[] = [
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['TT-020'],
    keys: ['activation_checkpoint.mode'],
    source: titan('distributed/activation_checkpoint.py', 'apply_ac'),
    says: (job) => {
      const mode = job.text('activation_checkpoint.mode');
      return mode === undefined || ['none', 'selective', 'full', 'memory_budget'].includes(mode)
        ? undefined
        : `activation_checkpoint.mode \`${mode}\` is none of none, selective, full, memory_budget.`;
    },
  },
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['TT-021'],
    keys: ['activation_checkpoint.selective_ac_option', 'activation_checkpoint.mode'],
    source: titan('distributed/activation_checkpoint.py', '_apply_ac_to_transformer_block'),
    says: (job) => {
      const option = job.text('activation_checkpoint.selective_ac_option');
      const mode = job.text('activation_checkpoint.mode') ?? 'selective';
      return mode !== 'selective' || option === undefined || option === 'op' || /^[1-9]\d*$/.test(option)
        ? undefined
        : `selective_ac_option \`${option}\` is neither \`op\` nor a positive number of layers in quotes.`;
    },
  },
  {
    rule: 'needs-compiled-model',
    severity: 'error',
    covers: ['TT-022'],
    keys: ['activation_checkpoint.mode', 'compile.enable'],
    source: titan('distributed/activation_checkpoint.py', 'apply_ac'),
    says: (job) =>
      job.text('activation_checkpoint.mode') === 'memory_budget' && job.compiled === false
        ? 'A memory budget is a promise to the compiler: `compile.enable` must be true with `model` among its components.'
        : undefined,
  },
];

const asyncTensor: Check = {
  rule: 'needs-compiled-model',
  severity: 'error',
  covers: ['TT-019'],
  keys: [
    'parallelism.enable_async_tensor_parallel',
    'experimental.enable_async_tensor_parallel',
    'compile.enable',
    'training.compile',
  ],
  source: titan('distributed/tensor_parallel.py', 'maybe_enable_async_tp'),
  says: (job) =>
    isOn(job, job.name('asyncTensor')) && above(job, 'tensor') && job.compiled === false
      ? 'Asynchronous tensor parallelism is made by the compiler: the model must be compiled.'
      : undefined,
};

const optimizer: readonly Check[] = [
  {
    rule: 'early-step-with-split-model',
    severity: 'error',
    covers: ['TT-029'],
    keys: [
      'optimizer.early_step_in_backward',
      'parallelism.expert_parallel_degree',
      'parallelism.pipeline_parallel_degree',
    ],
    source: titan('components/optimizer.py', 'build_optimizers'),
    says: (job) =>
      isOn(job, 'optimizer.early_step_in_backward') && (above(job, 'expert') || above(job, 'pipeline'))
        ? 'The optimizer cannot step inside the backward pass with expert or pipeline parallelism.'
        : undefined,
  },
  {
    rule: 'unknown-optimizer',
    severity: 'error',
    covers: ['TT-030'],
    keys: ['optimizer.name'],
    source: titan('components/optimizer.py', 'build_optimizers'),
    says: (job) => {
      const name = job.text('optimizer.name');
      return name === undefined || name === 'Adam' || name === 'AdamW'
        ? undefined
        : `optimizer.name \`${name}\` is not built in; Adam and AdamW are.`;
    },
  },
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['TT-031'],
    keys: ['optimizer.implementation'],
    source: titan('components/optimizer.py', 'build_optimizers'),
    says: (job) => {
      const word = job.text('optimizer.implementation');
      return word === undefined || ['fused', 'foreach', 'for-loop'].includes(word)
        ? undefined
        : `optimizer.implementation \`${word}\` is none of fused, foreach, for-loop.`;
    },
  },
];

export const fsdpPolicy: Check = {
  rule: 'wrong-value',
  severity: 'error',
  covers: ['TT-035'],
  keys: ['parallelism.fsdp_reshard_after_forward'],
  source: titan('models/llama3/infra/parallelize.py', 'apply_fsdp'),
  says: (job) => {
    const word = job.text('parallelism.fsdp_reshard_after_forward');
    return word === undefined || ['default', 'always', 'never'].includes(word)
      ? undefined
      : `fsdp_reshard_after_forward \`${word}\` is none of default, always, never.`;
  },
};

/** Steps of warm-up and decay beyond the steps there are; torchtitan shortens them. */
export const warmup: Check = {
  rule: 'schedule-clamped',
  severity: 'warning',
  covers: ['TT-036'],
  keys: ['lr_scheduler.warmup_steps', 'training.steps', 'lr_scheduler.decay_ratio'],
  source: titan('components/lr_scheduler.py', 'build_lr_schedulers'),
  says: (job) => {
    const steps = job.integer('training.steps');
    const warm = job.integer('lr_scheduler.warmup_steps');
    if (steps === undefined || warm === undefined) return undefined;
    if (warm > steps)
      return `warmup_steps ${warm} is more than the ${steps} steps of training: warm-up becomes ${steps} steps.`;
    const ratio = job.number('lr_scheduler.decay_ratio');
    if (ratio === undefined) return undefined;
    const decay = Math.round(steps * ratio);
    return warm + decay > steps
      ? `${warm} steps of warm-up and ${decay} of decay are more than the ${steps} steps of training: decay becomes ${steps - warm} steps.`
      : undefined;
  },
};

const checkpointOn = (job: TitanJob): boolean =>
  isOn(job, 'checkpoint.enable') || isOn(job, 'checkpoint.enable_checkpoint');

export const checkpoints: readonly Check[] = [
  {
    rule: 'too-few-checkpoints-kept',
    severity: 'error',
    covers: ['TT-037'],
    keys: ['checkpoint.keep_latest_k'],
    source: titan('components/checkpoint.py', 'CheckpointManager.__init__'),
    says: (job) =>
      checkpointOn(job) && job.integer('checkpoint.keep_latest_k') === 1
        ? 'keep_latest_k 1 would delete the only finished checkpoint while the next is written; keep 2 or more, or 0 for all.'
        : undefined,
    fixes: (job) => {
      const node = job.node('checkpoint.keep_latest_k');
      return node === undefined ? [] : [replaceFix('Keep 2 checkpoints', node.span, '2')];
    },
  },
  {
    rule: 'wrong-value',
    severity: 'error',
    covers: ['TT-038'],
    keys: ['checkpoint.async_mode'],
    source: titan('components/checkpoint.py', 'CheckpointManager.__init__'),
    says: (job) => {
      const word = job.text('checkpoint.async_mode');
      return !checkpointOn(job) ||
        word === undefined ||
        ['disabled', 'async', 'async_with_pinned_mem'].includes(word.toLowerCase())
        ? undefined
        : `checkpoint.async_mode \`${word}\` is none of disabled, async, async_with_pinned_mem.`;
    },
  },
];

export const balancer: Check = {
  rule: 'wrong-value',
  severity: 'error',
  covers: ['TT-040'],
  keys: ['parallelism.context_parallel_load_balancer'],
  source: titan('distributed/context_parallel.py', 'cp_shard'),
  says: (job) => {
    const word = job.text('parallelism.context_parallel_load_balancer');
    return !above(job, 'context') || word === undefined || ['headtail', 'ptrr', ''].includes(word)
      ? undefined
      : `context_parallel_load_balancer \`${word}\` is neither headtail nor ptrr nor empty.`;
  },
};

/** Everything torchtitan says about combinations of its settings, in the order a person would want to fix them. */
export const titanConditions: readonly Check[] = [
  shardDegree,
  expertTensor,
  expertMesh,
  replicatedOnly,
  ...deepep,
  ...pipelineConditions,
  ...modelConditions,
  ...recompute,
  asyncTensor,
  ...optimizer,
  fsdpPolicy,
  warmup,
  ...checkpoints,
  balancer,
];

/** Gathered rules by the rule that implements them, shared rules included. */
export const torchtitanCoverage: readonly Coverage[] = [
  ...coverageOf(titanConditions),
  { rule: 'unknown-key', covers: ['TT-001'] },
  { rule: 'world-product-mismatch', covers: ['TT-003'] },
  { rule: 'degree-not-positive', covers: ['TT-004'] },
  { rule: 'global-batch-not-divisible', covers: ['TT-006'] },
  { rule: 'sequence-not-divisible', covers: ['TT-017'] },
  { rule: 'gpu-lacks-format', covers: ['TT-023', 'TT-026'] },
];
