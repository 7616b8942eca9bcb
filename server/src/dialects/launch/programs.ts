import type { ShellCommand } from '../../syntax/shell-variables';
import type { Word } from '../../syntax/shell-words';
import { matchMegatronKey } from '../megatron/arguments';

/** The servers and trainers whose command lines are read. */
export type Program = 'sglang' | 'vllm' | 'tensorrt-llm' | 'megatron' | 'trainer' | 'verl';

/** One program with what it is started with. */
export interface Launched {
  readonly program: Program;
  /** The script, module or command as it is written. */
  readonly name: string;
  /** Words before the program: launchers such as torchrun and srun with their own options. */
  readonly launcher: readonly Word[];
  readonly words: readonly Word[];
  /** The positional model of `vllm serve MODEL` and `trtllm-serve MODEL`. */
  readonly model?: Word;
  /** A wrapper with options of its own hands the rest on: words that the program does not know may be the wrapper's. */
  readonly wrapped: boolean;
  readonly command: ShellCommand;
}

interface Found {
  readonly program: Program;
  /** Index of the program itself and of the first word that belongs to it. */
  readonly at: number;
  readonly from: number;
  readonly positional?: boolean;
  readonly wrapped?: boolean;
}

const MODULES: Readonly<Record<string, Program>> = {
  'sglang.launch_server': 'sglang',
  'sglang.srt.entrypoints.http_server': 'sglang',
  'vllm.entrypoints.openai.api_server': 'vllm',
  'vllm.entrypoints.api_server': 'vllm',
  'tensorrt_llm.commands.serve': 'tensorrt-llm',
};
const WRAPPERS: readonly (readonly [RegExp, Program])[] = [
  [/^sglang_router\.launch_server$/, 'sglang'],
  [/^dynamo\.sglang(?:\..+)?$/, 'sglang'],
  [/^dynamo\.vllm(?:\..+)?$/, 'vllm'],
  [/^dynamo\.trtllm(?:\..+)?$/, 'tensorrt-llm'],
  [/^huggingfaceserver$/, 'vllm'],
];
/** Images whose entry point is the server: what follows (or stands in `args`) are its arguments. */
const IMAGES: readonly (readonly [RegExp, Program])[] = [[/(?:^|\/)vllm(?:-openai|-tpu|-rocm)?(?:[:@].*)?$/, 'vllm']];
/** Commands that only speak of programs. */
const TALK = new Set([
  'echo',
  'printf',
  'cat',
  'grep',
  'git',
  'pip',
  'pip3',
  'uv',
  'apt',
  'apt-get',
  'pkill',
  'pgrep',
  'ps',
  'kill',
  'killall',
  'which',
  'curl',
  'wget',
  'sed',
  'awk',
  'conda',
  'tee',
  'log',
  'info',
  'alias',
  'type',
  'ls',
  'rm',
  'cp',
  'mv',
  'mkdir',
  'brew',
  'rsync',
  'logger',
  'read',
  'test',
  '[',
  '[[',
]);
/** Flags that make a script Megatron's, whatever its name is. */
const MEGATRON = [
  '--tensor-model-parallel-size',
  '--pipeline-model-parallel-size',
  '--expert-model-parallel-size',
  '--micro-batch-size',
  '--num-layers',
  '--global-batch-size',
  '--seq-length',
  '--hidden-size',
  '--num-attention-heads',
  '--use-mcore-models',
  '--use-distributed-optimizer',
  '--context-parallel-size',
  '--train-iters',
  '--transformer-impl',
];

/** Arguments of the Hugging Face Trainer, which scripts pass through whatever their name is. */
const TRAINER = [
  'model-name-or-path',
  'per-device-train-batch-size',
  'gradient-accumulation-steps',
  'gradient-checkpointing',
  'num-train-epochs',
  'deepspeed',
  'learning-rate',
  'max-seq-length',
  'fsdp',
];
const LAUNCHERS = /(?:^|\/)(?:torchrun|accelerate|deepspeed|srun|mpirun)$/;

function baseName(text: string): string {
  return text.split('/').at(-1) ?? text;
}

function optionName(text: string): string {
  return text.split('=')[0] ?? text;
}

function isMegatron(words: readonly Word[], from: number): boolean {
  const options = new Set(words.slice(from).map(({ text }) => optionName(text)));
  return MEGATRON.filter((flag) => options.has(flag)).length >= 3;
}

/** A script of the Trainer that a launcher spreads over GPUs, or any script with a DeepSpeed file. */
function isTrainer(words: readonly Word[], from: number): boolean {
  const options = new Set(
    words.slice(from).map(({ text }) => optionName(text).replace(/^--/, '').replaceAll('_', '-')),
  );
  const before = words.slice(0, from);
  if (options.has('deepspeed-config')) return before.some(({ text }) => LAUNCHERS.test(text));
  const launched = before.some(({ text }) => LAUNCHERS.test(text) || text.startsWith('torch.distributed.'));
  return (launched || options.has('deepspeed')) && TRAINER.filter((name) => options.has(name)).length >= 3;
}

function moduleAt(words: readonly Word[], i: number): Found | undefined {
  const text = words[i]?.text ?? '';
  const module = words[i - 1]?.text === '-m' ? text : /^-m./.test(text) ? text.slice(2) : undefined;
  if (module === undefined || /^(?:torch\.distributed|accelerate|deepspeed)\./.test(module)) return undefined;
  const program = MODULES[module];
  if (program !== undefined) return { program, at: i, from: i + 1, positional: program === 'tensorrt-llm' };
  const wrapper = WRAPPERS.find(([pattern]) => pattern.test(module));
  if (wrapper !== undefined) return { program: wrapper[1], at: i, from: i + 1, wrapped: true };
  if (module === 'vllm.entrypoints.cli.main' && words[i + 1]?.text === 'serve')
    return { program: 'vllm', at: i, from: i + 2, positional: true };
  if (/^verl\.(?:trainer|experimental|recipe)\./.test(module)) return { program: 'verl', at: i, from: i + 1 };
  if (isMegatron(words, i + 1)) return { program: 'megatron', at: i, from: i + 1 };
  return isTrainer(words, i + 1) ? { program: 'trainer', at: i, from: i + 1 } : undefined;
}

function programAt(words: readonly Word[], i: number): Found | undefined {
  const text = words[i]?.text ?? '';
  const next = words[i + 1]?.text;
  const name = baseName(text);
  if (name === 'vllm' && next === 'serve') return { program: 'vllm', at: i, from: i + 2, positional: true };
  if (name === 'sglang' && next === 'serve') return { program: 'sglang', at: i, from: i + 2 };
  if (name === 'trtllm-serve') {
    if (next === 'disaggregated' || next === 'mm_embedding_serve') return undefined;
    return { program: 'tensorrt-llm', at: i, from: next === 'serve' ? i + 2 : i + 1, positional: true };
  }
  if (/vllm\/entrypoints\/(?:openai\/)?api_server\.py$/.test(text)) return { program: 'vllm', at: i, from: i + 1 };
  if (/sglang\/launch_server\.py$/.test(text)) return { program: 'sglang', at: i, from: i + 1 };
  if (name.endsWith('.py') && isMegatron(words, i + 1)) return { program: 'megatron', at: i, from: i + 1 };
  if ((name.endsWith('.py') || name === 'trl') && isTrainer(words, i + 1))
    return { program: 'trainer', at: i, from: i + 1 };
  if (words[0]?.text !== undefined && /^(?:docker|podman|nerdctl)$/.test(baseName(words[0].text))) {
    const image = IMAGES.find(([pattern]) => pattern.test(text) && text.includes('/'));
    if (image !== undefined && (next === undefined || next.startsWith('-')))
      return { program: image[1], at: i, from: i + 1 };
  }
  return moduleAt(words, i);
}

/** The program of ours that a command starts, wherever launchers put it. */
export function launchedBy(command: ShellCommand): Launched | undefined {
  const { words } = command;
  const runs = words[1]?.text === 'run';
  if (words.length === 0 || (!runs && TALK.has(baseName(words[0]?.text ?? '')))) return undefined;
  for (let i = 0; i < words.length; i += 1) {
    const found = programAt(words, i);
    if (found === undefined) continue;
    const first = words[found.from];
    const model = found.positional === true && first !== undefined && !first.text.startsWith('-') ? first : undefined;
    return {
      program: found.program,
      name: words[found.at]?.text ?? '',
      launcher: words.slice(0, found.at),
      words: words.slice(model === undefined ? found.from : found.from + 1),
      ...(model === undefined ? {} : { model }),
      wrapped: found.wrapped === true,
      command,
    };
  }
  return undefined;
}

/** The same for arguments whose program is the entry point of an image. */
export function launchedByImage(image: string | undefined, command: ShellCommand): Launched | undefined {
  const found = image === undefined ? undefined : IMAGES.find(([pattern]) => pattern.test(image));
  if (found === undefined || command.words[0]?.text.startsWith('-') !== true) return undefined;
  return { program: found[1], name: image ?? '', launcher: [], words: command.words, wrapped: false, command };
}

/** True where an option belongs to Megatron, for its arity. */
export function megatronArity(name: string): 'flag' | 'one' | 'many' | undefined {
  const match = matchMegatronKey(`--${name}`);
  if (match === undefined) return undefined;
  if (match.schema.type === 'boolean') return 'flag';
  return match.schema.type === 'array' ? 'many' : 'one';
}
