import type { Condition } from '../common/conditions';
import { replaceFix } from '../common/findings';
import { valuesFrom } from '../common/values';
import type { Fix, SourceReference } from '../../plan/finding';
import { DEEPSPEED } from './companion';
import { placeIn, type Source } from './source';

/** Keys of a trainer's file by the DeepSpeed key that each of them fills where it says `auto`. */
export type TrainerKeys = Readonly<Record<string, string>>;

/** How the Hugging Face Trainer names what DeepSpeed asks for. */
export const HF_TRAINER: TrainerKeys = {
  train_micro_batch_size_per_gpu: 'per_device_train_batch_size',
  gradient_accumulation_steps: 'gradient_accumulation_steps',
  gradient_clipping: 'max_grad_norm',
  'optimizer.params.lr': 'learning_rate',
  'optimizer.params.weight_decay': 'weight_decay',
  'scheduler.params.warmup_max_lr': 'learning_rate',
  'bf16.enabled': 'bf16',
  'fp16.enabled': 'fp16',
};

const HF: SourceReference = {
  framework: 'Transformers',
  repository: 'https://github.com/huggingface/transformers',
  file: 'src/transformers/integrations/deepspeed.py',
  function: 'HfTrainerDeepSpeedConfig.trainer_config_process',
};

/**
 * The same settings with every `auto` of the named DeepSpeed file replaced by the trainer's own value, at the trainer's own place.
 * Source: huggingface/transformers, src/transformers/integrations/deepspeed.py, `HfTrainerDeepSpeedConfig.fill_match`.
 */
export function withAuto(source: Source, keys: TrainerKeys): Source {
  const start = `${DEEPSPEED}.`;
  const own = (name: string): string | undefined =>
    name.startsWith(start) && source.text(name) === 'auto' ? keys[name.slice(start.length)] : undefined;
  const values = valuesFrom((name) => source.entry(own(name) ?? name), source.complete);
  return {
    ...values,
    uriOf: (name) => source.uriOf(own(name) ?? name),
    // A precision that the trainer does not ask for is filled with false.
    flag: (name) => {
      const key = own(name);
      if (key === undefined || !name.endsWith('.enabled'))
        return key === undefined ? source.flag(name) : values.flag(name);
      return source.entry(key) === undefined && source.flag(key) === undefined ? false : source.flag(key);
    },
  };
}

function differs(s: Source, mine: string, theirs: string): string | undefined {
  const flag = s.flag(theirs);
  if (flag !== undefined) {
    const asked = s.flag(mine) ?? (s.entry(mine) === undefined ? false : undefined);
    if (asked === undefined || asked === flag) return undefined;
    return s.entry(mine) === undefined ? 'not set, which means false,' : String(asked);
  }
  const value = s.number(theirs);
  const own = s.number(mine);
  const node = s.node(theirs);
  // Filled from here where the file says `auto`: one value is not two, however it is written (YAML 1.1 reads 2e-5 as a text).
  if (node !== undefined && node === s.node(mine)) return undefined;
  // The Trainer compares as Python does: the word "8" is not the number 8.
  if (own !== undefined && value !== undefined && node?.kind === 'scalar' && typeof node.value === 'string')
    return `the number ${String(own)}`;
  return value === undefined || own === undefined || value === own ? undefined : String(own);
}

/** Takes the DeepSpeed file's number over; not preferred, for which of the two is meant is not known. */
function adopt(s: Source, mine: string, theirs: string): readonly Fix[] {
  const at = placeIn(s, mine);
  const value = s.number(theirs);
  if (at === undefined || at.uri !== undefined || value === undefined || value === s.number(mine)) return [];
  return [replaceFix(`Set \`${mine}\` to ${String(value)}, as in the DeepSpeed file`, at.span, String(value), false)];
}

/** A value as the message shows it: a text in quotes, so that it is seen to be one. */
function quoted(s: Source, name: string): string {
  const node = s.node(name);
  const text = s.text(name) ?? '';
  return node?.kind === 'scalar' && typeof node.value === 'string' ? `the text "${text}"` : text;
}

/**
 * Values that stand in both files and disagree: the Trainer stops and lists them.
 * `fp16` and `bf16` count as false where the trainer's file leaves them out, unless `defaults` says that they may be filled in.
 */
export function agreementConditions(keys: TrainerKeys, precisionByDefault = false): readonly Condition<Source>[] {
  return Object.entries(keys)
    .filter(([key]) => !key.startsWith('scheduler.'))
    .map(([key, mine]): Condition<Source> => {
      const theirs = `${DEEPSPEED}.${key}`;
      return {
        rule: 'trainer-disagrees-with-deepspeed',
        severity: 'error',
        covers: ['ACC-012'],
        keys: key.endsWith('.enabled') ? [mine, 'deepspeed', theirs] : [mine, theirs],
        source: HF,
        fixes: (s) => adopt(s, mine, theirs),
        says: (s) => {
          if (precisionByDefault && key.endsWith('.enabled') && s.entry(mine) === undefined) return undefined;
          const value = differs(s, mine, theirs);
          const theirText = quoted(s, theirs);
          return value === undefined
            ? undefined
            : `\`${mine}\` is ${value} here and \`${key}\` is ${theirText} in the DeepSpeed file: the Trainer stops on values that disagree. Write \`auto\` there to have it filled from here.`;
        },
      };
    });
}
