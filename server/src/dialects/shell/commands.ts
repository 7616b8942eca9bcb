import { resolveCommands, type ShellCommand } from '../../syntax/shell-variables';
import { splitShell, type Word } from '../../syntax/shell-words';

/** Scripts inside scripts: `ssh` that runs `bash -c` that runs `bash -c` is as deep as anyone goes. */
const DEEPEST = 3;
const SHELL = /(?:^|\/)(?:ba|z|k|da)?sh$/;
const SCRIPT_FLAG = /^-[a-z]*c$/;

interface Inner {
  readonly script: Word;
  /** Words in front of the shell that runs the script: options of srun and of the container hold for what runs inside. */
  readonly outer: readonly Word[];
}

/** Index of the shell that the flag at `index` belongs to. */
function shellBefore(words: readonly Word[], index: number): number | undefined {
  for (let i = index - 1; i >= 0; i -= 1) {
    const { text = '' } = words[i] ?? {};
    if (SHELL.test(text)) return i;
    if (!text.startsWith('-')) return undefined;
  }
  return undefined;
}

/** The script after `bash -c`, or the whole argument of `eval` and `ssh`, as words with their places. */
function innerScript(words: readonly Word[]): Inner | undefined {
  for (const [flag, { text }] of words.entries()) {
    const shell = SCRIPT_FLAG.test(text) ? shellBefore(words, flag) : undefined;
    const script = words[flag + 1];
    if (shell !== undefined && script !== undefined) return { script, outer: words.slice(0, shell) };
  }
  const last = words.at(-1);
  const runs = ['eval', 'ssh'].includes(words[0]?.text ?? '');
  return runs && last !== undefined && /\s/.test(last.text) ? { script: last, outer: [] } : undefined;
}

function withInner(command: ShellCommand, text: string, depth: number): ShellCommand[] {
  const inner = depth < DEEPEST ? innerScript(command.words) : undefined;
  if (inner === undefined) return [command];
  const { script, outer } = inner;
  const parts = splitShell({ text: script.text, starts: script.starts, ends: script.ends });
  return resolveCommands(parts, text, command.variables).flatMap((one) =>
    withInner({ ...one, words: [...outer, ...one.words] }, text, depth + 1),
  );
}

/** Every command of a script, those inside quoted scripts too, with the variables that the script sets. */
export function scriptCommands(text: string): ShellCommand[] {
  const starts = Array.from({ length: text.length }, (_, index) => index);
  const commands = splitShell({ text, starts, ends: starts.map((start) => start + 1) });
  return resolveCommands(commands, text).flatMap((command) => withInner(command, text, 0));
}
