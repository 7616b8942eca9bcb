import { optionsOf } from '../../syntax/arguments';
import type { ShellCommand } from '../../syntax/shell-variables';
import type { Word } from '../../syntax/shell-words';
import type { Reference } from '../dialect';
import { textOf, placeOf } from '../common/nodes';

/** Trainers that take their settings from a file, and the options that name it. */
const RUNS: readonly { readonly program: RegExp; readonly options: readonly string[] }[] = [
  { program: /^deepspeed$/, options: ['deepspeed_config', 'deepspeed'] },
  { program: /^accelerate$/, options: ['config_file', 'deepspeed_config_file'] },
  { program: /^torchtitan\.train$|torchtitan\/train\.py$/, options: ['job.config_file'] },
  { program: /(?:^|\/)run_train\.py$/, options: ['config-file'] },
];
/** Commands whose first word after a verb is the file itself. */
const VERBS: readonly (readonly [RegExp, RegExp])[] = [
  [/^axolotl$/, /^(?:train|preprocess|finetune)$/],
  [/^llamafactory-cli$/, /^(?:train|export|chat)$/],
];
/** Options that name a DeepSpeed file, whatever the script is called. */
const ANYWHERE = ['deepspeed', 'deepspeed_config'];
const FILE = /\.(?:ya?ml|json|jsonc|toml)$/;

function baseName(text: string): string {
  return text.split('/').at(-1) ?? text;
}

function named(words: readonly Word[], options: readonly string[], text: string): Reference[] {
  return optionsOf(words, text).flatMap((entry): Reference[] => {
    const target = textOf(entry.value);
    return options.includes(entry.key) && target !== undefined && FILE.test(target)
      ? [{ at: placeOf(entry), target, kind: 'config' }]
      : [];
  });
}

function positional(words: readonly Word[]): Reference[] {
  return words.flatMap((word, i): Reference[] => {
    const [before, verb] = [words[i - 2], words[i - 1]];
    const fits = VERBS.some(
      ([program, pattern]) => program.test(baseName(before?.text ?? '')) && pattern.test(verb?.text ?? ''),
    );
    return fits && !word.unresolved && FILE.test(word.text)
      ? [{ at: { span: word.span }, target: word.text, kind: 'config' }]
      : [];
  });
}

/** Config files that the trainers of a script are started with. */
export function namedConfigs(commands: readonly ShellCommand[], text: string): Reference[] {
  return commands.flatMap(({ words }) => {
    const options = RUNS.filter(({ program }) => words.some((word) => program.test(word.text))).flatMap(
      (run) => run.options,
    );
    const starts = words.some((word) => word.text.endsWith('.py') || word.text === '-m');
    return [...named(words, starts ? [...options, ...ANYWHERE] : options, text), ...positional(words)];
  });
}
