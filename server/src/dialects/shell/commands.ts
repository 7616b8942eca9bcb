import { resolveCommands, type ShellCommand } from '../../syntax/shell-variables';
import { splitShell, type Word } from '../../syntax/shell-words';

/** Scripts inside scripts: `ssh` that runs `bash -c` that runs `bash -c` is as deep as anyone goes. */
const DEEPEST = 3;
const SHELL = /(?:^|\/)(?:ba|z|k|da)?sh$/;
const SCRIPT_FLAG = /^-[a-z]*c$/;

/** The script after `bash -c`, or the whole argument of `eval` and `ssh`, as words with their places. */
function innerScript(words: readonly Word[]): Word | undefined {
  const flag = words.findIndex(({ text }, i) => SCRIPT_FLAG.test(text) && isShell(words, i));
  if (flag >= 0) return words[flag + 1];
  const last = words.at(-1);
  const [first] = words;
  return first !== undefined && ['eval', 'ssh'].includes(first.text) && /\s/.test(last?.text ?? '') ? last : undefined;
}

/** True where the flags before `index` belong to a shell. */
function isShell(words: readonly Word[], index: number): boolean {
  for (let i = index - 1; i >= 0; i -= 1) {
    const { text = '' } = words[i] ?? {};
    if (SHELL.test(text)) return true;
    if (!text.startsWith('-')) return false;
  }
  return false;
}

function withInner(command: ShellCommand, text: string, depth: number): ShellCommand[] {
  const script = depth < DEEPEST ? innerScript(command.words) : undefined;
  if (script === undefined) return [command];
  const { starts, ends } = script;
  const inner = resolveCommands(splitShell({ text: script.text, starts, ends }), text, command.variables);
  // Options of srun and of the container in front of the shell hold for what runs inside.
  const outer = command.words.slice(0, command.words.indexOf(script));
  return inner.flatMap((one) => withInner({ ...one, words: [...outer, ...one.words] }, text, depth + 1));
}

/** Every command of a script, those inside quoted scripts too, with the variables that the script sets. */
export function scriptCommands(text: string): ShellCommand[] {
  const starts = Array.from({ length: text.length }, (_, index) => index);
  const commands = splitShell({ text, starts, ends: starts.map((start) => start + 1) });
  return resolveCommands(commands, text).flatMap((command) => withInner(command, text, 0));
}
