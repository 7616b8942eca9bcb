import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './usage';

type OptionNames = readonly string[];

export interface Arguments {
  readonly files: readonly string[];
  /** Text of an option, or undefined when it was not given. */
  readonly text: (name: string) => string | undefined;
}

/** Joins `--name -4`, which node:util would call ambiguous, so that the number itself is what is refused. */
function joinNegative(args: readonly string[]): string[] {
  const out: string[] = [];
  for (const arg of args) {
    const last = out.at(-1);
    if (/^-[\d.]/.test(arg) && last !== undefined && /^--[a-z][a-z-]*$/.test(last))
      out[out.length - 1] = `${last}=${arg}`;
    else out.push(arg);
  }
  return out;
}

/** Reads `--name value` options and file names; anything else is wrong usage, said in one sentence. */
export function readArguments(args: readonly string[], names: OptionNames): Arguments {
  const options: ParseArgsConfig['options'] = Object.fromEntries(names.map((name) => [name, { type: 'string' }]));
  try {
    const { values, positionals } = parseArgs({
      args: joinNegative(args),
      options,
      allowPositionals: true,
      strict: true,
    });
    return {
      files: positionals,
      text: (name) => {
        const value = values[name];
        return typeof value === 'string' ? value : undefined;
      },
    };
  } catch (error) {
    // node:util explains at length; its first sentence names the option, and that is what helps.
    const [first = ''] = (error instanceof Error ? error.message : String(error)).split(/\.\s|\n/);
    throw new UsageError(`${first.replace(/\.$/, '')}; the options are ${names.map((name) => `--${name}`).join(', ')}`);
  }
}

/** A whole number of at least `least`, or undefined when the option was not given. */
export function wholeNumber({ text }: Arguments, name: string, least = 1): number | undefined {
  const value = text(name);
  if (value === undefined) return undefined;
  const number = /^\d+$/.test(value.trim()) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= least) return number;
  throw new UsageError(`--${name} must be a whole number of at least ${least}, not ${JSON.stringify(value)}`);
}

/** One of a list of words; the first is what counts when the option was not given. */
export function oneOf<T extends string>({ text }: Arguments, name: string, words: readonly [T, ...T[]]): T {
  const value = text(name);
  if (value === undefined) return words[0];
  const word = words.find((candidate) => candidate === value);
  if (word === undefined)
    throw new UsageError(`--${name} must be one of ${words.join(', ')}, not ${JSON.stringify(value)}`);
  return word;
}

/** The one file of a command that takes at most one. */
export function singleFile({ files }: Arguments): string | undefined {
  const [file, second] = files;
  if (second !== undefined) throw new UsageError(`one file is expected, but ${files.length} are given`);
  return file;
}
