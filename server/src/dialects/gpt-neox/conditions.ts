import type { SourceReference } from '../../plan/finding';
import type { Condition, Coverage } from '../common/conditions';
import { coverageOf } from '../common/conditions';
import type { ConfigValues } from '../common/values';

type Check = Condition;

function neox(fn: string): SourceReference {
  return {
    framework: 'GPT-NeoX',
    repository: 'EleutherAI/gpt-neox',
    file: 'megatron/neox_arguments/arguments.py',
    function: `NeoXArgs.${fn}`,
    commit: 'ea7aefd8',
  };
}

const DERIVED = neox('calculate_derived');
const VALUES = neox('validate_values');
const PIPELINE: SourceReference = {
  framework: 'DeepSpeed',
  repository: 'deepspeedai/DeepSpeed',
  file: 'deepspeed/runtime/pipe/engine.py',
  function: 'PipelineEngine.__init__',
};

/** Whether one of the two DeepSpeed blocks for a format is switched on. */
const enabled = (values: ConfigValues, name: string): boolean => values.flag(`${name}.enabled`) === true;

const model: readonly Check[] = [
  {
    rule: 'head-width-not-whole',
    severity: 'error',
    covers: [],
    keys: ['hidden_size', 'num_attention_heads', 'attention_config'],
    source: VALUES,
    says: (values) => {
      const hidden = values.integer('hidden_size');
      const heads = values.integer('num_attention_heads');
      if (values.entry('attention_config') !== undefined || hidden === undefined || heads === undefined || heads < 1)
        return undefined;
      return hidden % heads === 0 ? undefined : `hidden_size ${hidden} does not divide by ${heads} heads.`;
    },
  },
  {
    rule: 'kv-heads-fewer-than-tensor',
    severity: 'error',
    covers: [],
    keys: ['num_kv_heads', 'model_parallel_size', 'num_attention_heads'],
    source: DERIVED,
    says: (values) => {
      const kv = values.integer('num_kv_heads');
      const heads = values.integer('num_attention_heads');
      const tensor = values.integer('model_parallel_size') ?? 1;
      if (kv === undefined || heads === undefined || kv < 1 || heads % kv !== 0 || kv >= heads || tensor <= 1)
        return undefined;
      return kv % tensor === 0
        ? undefined
        : `${kv} key/value heads cannot be shared by ${tensor} model-parallel ranks: GPT-NeoX does not copy heads, so model_parallel_size must divide them.`;
    },
  },
  {
    rule: 'positions-fewer-than-sequence',
    severity: 'error',
    covers: [],
    keys: ['max_position_embeddings', 'seq_length'],
    source: VALUES,
    says: (values) => {
      const most = values.integer('max_position_embeddings');
      const length = values.integer('seq_length');
      return most === undefined || length === undefined || most >= length
        ? undefined
        : `Sequences of ${length} tokens are longer than max_position_embeddings ${most}; the nearest legal value is ${length}.`;
    },
  },
  {
    rule: 'shared-layers-not-divisible',
    severity: 'error',
    covers: [],
    keys: ['num_unique_layers', 'num_layers'],
    source: VALUES,
    says: (values) => {
      const unique = values.integer('num_unique_layers');
      const layers = values.integer('num_layers');
      if (unique === undefined || layers === undefined || unique < 1 || layers % unique === 0) return undefined;
      return `${layers} layers cannot be made of ${unique} that repeat: num_unique_layers must divide num_layers.`;
    },
  },
];

const training: readonly Check[] = [
  {
    rule: 'learning-rate-out-of-order',
    severity: 'error',
    covers: [],
    keys: ['min_lr', 'optimizer.params.lr'],
    source: VALUES,
    says: (values) => {
      const least = values.number('min_lr');
      const peak = values.number('optimizer.params.lr');
      return least === undefined || peak === undefined || least <= peak
        ? undefined
        : `min_lr ${least} is above the learning rate ${peak}.`;
    },
  },
  {
    rule: 'global-batch-not-divisible',
    severity: 'error',
    covers: [],
    keys: ['train_batch_size', 'train_micro_batch_size_per_gpu', 'gradient_accumulation_steps'],
    source: neox('check_batch_parameters'),
    says: (values) => {
      const whole = values.integer('train_batch_size');
      const micro = values.integer('train_micro_batch_size_per_gpu');
      const steps = values.integer('gradient_accumulation_steps');
      if (whole === undefined || micro === undefined || steps === undefined) return undefined;
      const part = micro * steps;
      return part < 1 || whole % part === 0
        ? undefined
        : `train_batch_size ${whole} is no multiple of train_micro_batch_size_per_gpu ${micro} × gradient_accumulation_steps ${steps} = ${part}, whatever the number of data ranks.`;
    },
  },
  {
    rule: 'exclusive-keys',
    severity: 'error',
    covers: [],
    keys: ['precision', 'fp16.enabled', 'bf16.enabled'],
    source: DERIVED,
    onKey: true,
    says: (values) => {
      const word = values.text('precision');
      if (enabled(values, 'fp16') && enabled(values, 'bf16')) return '`fp16` and `bf16` cannot both be enabled.';
      if (word === undefined) return undefined;
      if (enabled(values, 'fp16') && word !== 'fp16') return `\`fp16\` is enabled, but \`precision\` says ${word}.`;
      return enabled(values, 'bf16') && word !== 'bfloat16'
        ? `\`bf16\` is enabled, but \`precision\` says ${word}.`
        : undefined;
    },
  },
  {
    rule: 'experts-with-sharded-gradients',
    severity: 'error',
    covers: [],
    keys: ['zero_optimization.stage', 'moe_num_experts'],
    source: DERIVED,
    says: (values) => {
      const stage = values.integer('zero_optimization.stage') ?? 0;
      return (values.integer('moe_num_experts') ?? 1) > 1 && stage >= 2
        ? `Experts do not work with ZeRO stage ${stage}; the nearest legal stage is 1.`
        : undefined;
    },
  },
  {
    rule: 'pipeline-with-sharded-gradients',
    severity: 'error',
    covers: ['DS-020'],
    keys: ['zero_optimization.stage', 'pipe_parallel_size'],
    source: PIPELINE,
    says: (values) => {
      const stage = values.integer('zero_optimization.stage') ?? 0;
      const ranks = values.integer('pipe_parallel_size');
      if (stage < 2 || ranks === undefined || ranks < 1) return undefined;
      return `DeepSpeed's pipeline engine refuses ZeRO stage ${stage}${ranks === 1 ? ', and pipe_parallel_size 1 already builds one; 0 builds none' : '; the nearest legal stage is 1'}.`;
    },
  },
];

/** What GPT-NeoX says about combinations of its settings, as far as one of its merged files decides it. */
export const neoxConditions: readonly Check[] = [...model, ...training];

export const gptNeoxCoverage: readonly Coverage[] = coverageOf(neoxConditions);
