import type { Condition, Coverage } from '../common/conditions';
import { coverageOf } from '../common/conditions';
import { childOf, integerOf, isUnresolved, textOf } from '../common/nodes';
import type { ConfigValues } from '../common/values';
import { nano } from './source';

type Check = Condition;

const degree = (values: ConfigValues, key: string): number => values.integer(`parallelism.${key}`) ?? 1;

const experts: Check = {
  rule: 'expert-parallel-unsupported',
  severity: 'error',
  covers: ['NT-002'],
  keys: ['parallelism.expert_parallel_size'],
  source: nano('parallel/context.py', 'ParallelContext._init_parallel_groups'),
  says: (values) =>
    degree(values, 'expert_parallel_size') > 1
      ? 'nanotron counts its ranks without expert parallelism and then arranges them with it, which fails for any size but 1.'
      : undefined,
};

const fewHeads: Check = {
  rule: 'kv-heads-fewer-than-tensor',
  severity: 'error',
  covers: ['NT-004', 'NT-005'],
  keys: ['parallelism.tp', 'model.model_config.num_key_value_heads'],
  source: nano('config/config.py', 'Config.__post_init__'),
  says: (values) => {
    const tensor = degree(values, 'tp');
    const heads = values.integer('model.model_config.num_key_value_heads');
    if (heads === undefined || tensor <= 1 || heads % tensor === 0) return undefined;
    return `${heads} key/value heads cannot be shared by ${tensor} tensor-parallel ranks: nanotron does not copy heads, so tp must divide them.`;
  },
};

const enoughMicrobatches: Check = {
  rule: 'fewer-microbatches-than-stages',
  severity: 'error',
  covers: ['NT-006'],
  keys: ['tokens.batch_accumulation_per_replica', 'parallelism.pp'],
  source: nano('parallel/pipeline_parallel/engine.py', 'OneForwardOneBackwardPipelineEngine.train_batch_iter'),
  says: (values) => {
    const pipeline = degree(values, 'pp');
    const count = values.integer('tokens.batch_accumulation_per_replica');
    const engine = values.text('parallelism.pp_engine') ?? '1f1b';
    if (engine !== '1f1b' || pipeline <= 1 || count === undefined || count >= pipeline - 1) return undefined;
    return `1F1B over ${pipeline} pipeline ranks needs at least ${pipeline - 1} microbatches a step, but batch_accumulation_per_replica is ${count}; the nearest legal value is ${pipeline - 1}.`;
  },
};

function oneOf(key: string, covers: string, words: readonly string[], file: string, fn: string): Check {
  return {
    rule: 'wrong-value',
    severity: 'error',
    covers: [covers],
    keys: [key],
    source: nano(file, fn),
    says: (values) => {
      const word = values.text(key);
      return word === undefined || words.includes(word)
        ? undefined
        : `${key.split('.').at(-1) ?? key} \`${word}\` is none of ${words.join(', ')}.`;
    },
  };
}

const RATE = 'optimizer.learning_rate_scheduler';
const words: readonly Check[] = [
  oneOf('parallelism.pp_engine', 'NT-007', ['1f1b', 'afab'], 'config/utils_config.py', 'cast_str_to_pipeline_engine'),
  oneOf(
    `${RATE}.lr_warmup_style`,
    'NT-008',
    ['linear', 'constant'],
    'config/config.py',
    'LRSchedulerArgs.__post_init__',
  ),
  oneOf(
    `${RATE}.lr_decay_style`,
    'NT-008',
    ['linear', 'cosine', '1-sqrt'],
    'config/config.py',
    'LRSchedulerArgs.__post_init__',
  ),
  oneOf(
    'model.model_config.moe_config.token_dispatcher_type',
    'NT-011',
    ['alltoall', 'allgather'],
    'config/models_config.py',
    'MoEConfig.__post_init__',
  ),
];

const stages: Check = {
  rule: 'data-stages-invalid',
  severity: 'error',
  covers: ['NT-009'],
  keys: ['data_stages'],
  source: nano('config/config.py', 'Config.__post_init__'),
  says: (values) => {
    const list = values.entry('data_stages')?.value;
    if (list?.kind !== 'list' || list.items.length === 0 || isUnresolved(list)) return undefined;
    const starts = list.items.map((item) => integerOf(childOf(item, 'start_training_step')));
    if (starts.some((start) => start === undefined)) return undefined;
    const steps = starts as number[];
    if (!steps.includes(1)) return 'No data stage starts at training step 1.';
    const names = list.items.map((item) => textOf(childOf(item, 'name')));
    const twice = names.find((name, index) => name !== undefined && names.indexOf(name) !== index);
    if (twice !== undefined) return `Two data stages are named \`${twice}\`; each needs a name of its own.`;
    const again = steps.find((step, index) => steps.indexOf(step) !== index);
    if (again !== undefined) return `Two data stages start at step ${again}; each needs a step of its own.`;
    const unsorted = steps.findIndex((step, index) => index > 0 && step < (steps[index - 1] ?? 0));
    return unsorted < 0
      ? undefined
      : `Data stages must follow one another: step ${steps[unsorted] ?? 0} stands after step ${steps[unsorted - 1] ?? 0}.`;
  },
};

const topk: Check = {
  rule: 'experts-per-token-too-many',
  severity: 'error',
  covers: ['NT-010'],
  keys: ['model.model_config.moe_config.top_k', 'model.model_config.moe_config.num_experts'],
  source: nano('config/models_config.py', 'MoEConfig.__post_init__'),
  says: (values) => {
    const count = values.integer('model.model_config.moe_config.num_experts');
    const top = values.integer('model.model_config.moe_config.top_k');
    return count === undefined || top === undefined || top <= count
      ? undefined
      : `top_k ${top} is more than the ${count} experts.`;
  },
};

const evaluation: Check = {
  rule: 'eval-interval-mismatch',
  severity: 'error',
  covers: ['NT-014'],
  keys: ['lighteval.eval_interval', 'checkpoints.checkpoint_interval'],
  source: nano('config/config.py', 'Config.__post_init__'),
  says: (values) => {
    const every = values.integer('lighteval.eval_interval');
    const saved = values.integer('checkpoints.checkpoint_interval');
    if (every === undefined || saved === undefined || saved < 1 || every % saved === 0) return undefined;
    return `lighteval.eval_interval ${every} is no multiple of checkpoint_interval ${saved}, so there is no checkpoint to judge.`;
  },
};

/** Vocabulary shares of the stages: nanotron splits blocks by cost, and a small model can leave a rank without any. */
const emptyStage: Check = {
  rule: 'more-stages-than-layers',
  severity: 'warning',
  covers: ['NT-PPEMPTY'],
  keys: ['parallelism.pp', 'model.model_config.num_hidden_layers'],
  source: nano('parallel/pipeline_parallel/utils.py', 'get_pp_rank_of'),
  says: (values) => {
    const layers = values.integer('model.model_config.num_hidden_layers');
    const pipeline = degree(values, 'pp');
    return layers === undefined || pipeline <= layers
      ? undefined
      : `${pipeline} pipeline ranks for ${layers} layers: blocks are dealt by cost, so some ranks get no parameters.`;
  },
};

/** Everything nanotron says about combinations of its settings. */
export const nanotronConditions: readonly Check[] = [
  experts,
  fewHeads,
  enoughMicrobatches,
  ...words,
  stages,
  topk,
  evaluation,
  emptyStage,
];

/** Gathered rules by the rule that implements them, shared rules included. NT-013 (context parallelism without DDP) is decided by code, not by the file. */
export const nanotronCoverage: readonly Coverage[] = [
  ...coverageOf(nanotronConditions),
  { rule: 'unknown-key', covers: [] },
  { rule: 'world-product-mismatch', covers: ['NT-001'] },
  { rule: 'heads-not-divisible', covers: ['NT-003'] },
  { rule: 'sequence-not-divisible', covers: ['NT-012'] },
];
