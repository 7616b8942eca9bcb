import type { Finding, SourceReference } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { statedWorld } from '../../plan/resolve-layout';
import { coverageOf, isOn, type Condition, type Coverage } from '../common/conditions';
import { isTruthy, rowConditions, type Row } from '../common/rows';
import { placeIn, type Source } from '../deepspeed/source';
import { agreementConditions, HF_TRAINER } from '../deepspeed/trainer';

function trlFile(file: string, inFunction: string): SourceReference {
  return {
    framework: 'TRL',
    repository: 'https://github.com/huggingface/trl',
    file: `trl/trainer/${file}`,
    function: inFunction,
    commit: 'f2cd57710ae345ea6428ae95363267fcf38a3dc8',
  };
}

const ARGUMENTS: SourceReference = {
  framework: 'Transformers',
  repository: 'https://github.com/huggingface/transformers',
  file: 'src/transformers/training_args.py',
  function: 'TrainingArguments.__post_init__',
};

const ROWS: readonly Row<Source>[] = [
  [
    'exclusive-keys',
    '',
    ARGUMENTS,
    ['bf16', 'fp16'],
    (s) => isOn(s, 'bf16') && isOn(s, 'fp16'),
    'bf16 and fp16 exclude each other.',
  ],
  [
    'exclusive-keys',
    '',
    trlFile('model_config.py', 'ModelConfig.__post_init__'),
    ['load_in_8bit', 'load_in_4bit'],
    (s) => isOn(s, 'load_in_8bit') && isOn(s, 'load_in_4bit'),
    'load_in_8bit and load_in_4bit exclude each other.',
  ],
  [
    'quantized-weights-cannot-train',
    '',
    trlFile('model_config.py', 'ModelConfig'),
    ['load_in_4bit', 'load_in_8bit', 'use_peft'],
    (s) => (isOn(s, 'load_in_8bit') || isOn(s, 'load_in_4bit')) && !isOn(s, 'use_peft'),
    'Quantized weights cannot be trained; set use_peft to true to train adapters on them.',
    'warning',
  ],
  [
    'exclusive-keys',
    '',
    trlFile('grpo_config.py', 'GRPOConfig.__post_init__'),
    ['generation_batch_size', 'steps_per_generation'],
    (s) => isTruthy(s, 'generation_batch_size') && isTruthy(s, 'steps_per_generation'),
    'generation_batch_size and steps_per_generation exclude each other.',
  ],
  [
    'generations-not-divisible',
    '',
    trlFile('grpo_config.py', 'GRPOConfig.__post_init__'),
    ['num_generations'],
    (s) => (s.integer('num_generations') ?? 2) < 2,
    'GRPO compares samples of one prompt: num_generations has to be at least 2.',
  ],
  [
    'generations-not-divisible',
    '',
    trlFile('grpo_config.py', 'GRPOConfig.__post_init__'),
    ['generation_batch_size', 'num_generations'],
    (s) => groupsDiffer(s),
    'generation_batch_size is no multiple of num_generations.',
  ],
];

function groupsDiffer(s: Source): boolean {
  const batch = s.integer('generation_batch_size');
  const group = s.integer('num_generations');
  return batch !== undefined && group !== undefined && group > 1 && batch % group !== 0;
}

/** What the Trainer and TRL refuse. */
export const trlConditions: readonly Condition<Source>[] = [
  ...rowConditions(ROWS),
  ...agreementConditions(HF_TRAINER, true),
];

/** Groups of samples against the batch of all ranks, where the number of GPUs is known. */
export function groupFindings(s: Source, resolved: ResolvedPlan): Finding[] {
  const group = s.integer('num_generations');
  const micro = s.integer('per_device_train_batch_size');
  const steps = s.integer('steps_per_generation') ?? s.integer('gradient_accumulation_steps') ?? 1;
  const names = ['steps_per_generation', 'gradient_accumulation_steps', 'generation_batch_size', 'num_generations'];
  const world = statedWorld(resolved.plan);
  const at = placeIn(s, 'num_generations');
  if (group === undefined || micro === undefined || world === undefined || at === undefined) return [];
  const stated = s.entry('generation_batch_size') !== undefined || names.some((name) => s.unknown(name));
  const batch = micro * steps * world;
  if (stated || group < 2 || batch < 1 || batch % group === 0) return [];
  return [
    {
      rule: 'generations-not-divisible',
      severity: 'error',
      at,
      source: trlFile('grpo_config.py', 'GRPOConfig.__post_init__'),
      message: `The batch of ${micro} × ${steps} × ${world} ranks = ${batch} samples is no multiple of num_generations ${group}; the next that is, is ${Math.ceil(batch / group) * group}.`,
    },
  ];
}

/** Gathered start-up rules that the TRL dialect decides. */
export const trlCoverage: readonly Coverage[] = coverageOf(trlConditions);
