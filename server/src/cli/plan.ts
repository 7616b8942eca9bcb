import { findGpu, gpuNames } from '../dialects/presets';
import { hasNoAdvice, startAdvice, type Advice, type Advised, type Answer } from '../features/advise/advise';
import { costText, labelOf, layoutText } from '../features/advise/describe';
import { changedLines } from '../features/advise/line-diff';
import { applyEdits } from '../features/advise/write-field';
import type { Analysis, AnalysisSettings } from '../features/analysis';
import { finish } from '../engine/search/training-search';
import { bytes, count, percent } from '../features/format';
import { amounts } from './amounts';
import { editsJson } from './edits';
import { planServing } from './plan-serving';
import { openFile, openText } from './files';
import { oneOf, readArguments, singleFile, wholeNumber, type Arguments } from './options';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens plan FILE [--objective time|memory|cost] [--top N] [--worlds N,N…] [--memory GIB] [--step SECONDS]
               [--precision keep|any] [--model M] [--gpu NAME] [--gpus N] [--tokens T --price P --watts W] [--format text|json]

Better layouts for the training job, or better splits for the server, of one file: every legal split, schedule, ZeRO stage, microbatch and recomputation is looked at;
what cannot fit is left out by its states, and what may be best is simulated. Each answer is a change of the file's own lines.

  --objective  time (default) of a step, memory of the fullest rank, or cost in GPU-hours;
               of a server: time of a token to one user, memory for cache, or cost (default there): tokens a GPU
  --top        answers at most (default 5)
  --worlds     GPU counts to look at, instead of the file's own
  --memory     GiB that a rank may hold, where it is less than the device has
  --step       seconds that a step may take
  --ttft, --tpot  seconds to a server's first token, and between tokens of its largest batch, that may pass
  --prompt, --output  tokens of one request of a server (default 2048 and 512)
  --precision  any: tries FP8 products where the file computes in BF16 (default: keep)
  --model, --gpu, --gpus, --tokens, --price, --watts  as for "shardlens estimate"

Exit: 0 fine, 1 no layout keeps to the limits, 2 wrong usage or something is missing that an answer needs.
`;

function layoutJson({ choice, data }: Answer): object {
  const { gpus, tensor, pipeline, virtual, context, expert, expertTensor, zero, kind, microBatch, microbatches } =
    choice;
  return {
    gpus,
    tensor,
    pipeline,
    virtualPipeline: virtual,
    context,
    expert,
    expertTensor,
    data,
    zeroStage: zero,
    schedule: kind,
    microBatch,
    microbatches,
    recompute: choice.recompute,
    compute: choice.precision.compute,
    ...(choice.stageLayers === undefined ? {} : { stageLayers: choice.stageLayers }),
  };
}

function answerJson(answer: Answer): object {
  const { run } = answer;
  return {
    layout: layoutJson(answer),
    stepSeconds: answer.seconds,
    tokensPerSecondPerGpu: answer.tokensPerSecondPerGpu,
    mfu: answer.mfu,
    mfuPeak: 'BF16',
    mfuCausal: true,
    bubble: answer.bubble,
    memoryBytes: Math.round(answer.bytes),
    ...(run === undefined ? {} : { gpuHours: run.gpuHours }),
    ...(run?.money === undefined ? {} : { money: run.money }),
    ...(run?.kilowattHours === undefined ? {} : { kilowattHours: run.kilowattHours }),
  };
}

function advisedJson(analysis: Analysis, answer: Advised): object {
  const { gain, onFront, reasons, changes, edits } = answer;
  const resolved = analysis.resolved;
  return {
    ...answerJson(answer),
    ...(gain === undefined ? {} : { gain }),
    onFront,
    reasons,
    changes: changes.map((change) => ({
      ...change,
      label: resolved === undefined ? change.field : labelOf(resolved, change.field),
    })),
    ...editsJson(analysis, edits),
  };
}

function planJson(path: string, analysis: Analysis, advice: Advice, objective: string): string {
  const { own, answers, nearest, counts, capacity, limit, notes } = advice;
  const document = {
    path,
    dialect: analysis.dialect?.id ?? null,
    objective,
    capacityBytes: capacity,
    limitBytes: limit,
    ...(own === undefined ? {} : { own: { ...answerJson(own), fits: own.fits, distanceToFront: own.distance } }),
    answers: answers.map((answer) => advisedJson(analysis, answer)),
    ...(nearest === undefined ? {} : { nearest: advisedJson(analysis, nearest) }),
    counts,
    notes,
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function answerText(analysis: Analysis, answer: Advised, number: number): string {
  const { reasons, changes, edits } = answer;
  const lines =
    edits === undefined
      ? changes.map(({ field, from, to }) => `  ${field}: ${from} -> ${to} (this file has no place for all of these)`)
      : changedLines(analysis.text, applyEdits(analysis.text, edits)).map(({ sign, text }) => `  ${sign} ${text}`);
  const run = answer.run === undefined ? '' : `, ${count(answer.run.gpuHours)} GPU-hours`;
  return [
    `${number}. ${layoutText(answer)}`,
    `   ${costText(answer)}${run}${answer.onFront ? '' : ', not on the front'}`,
    ...reasons.map((reason) => `   - ${reason}`),
    ...lines,
    '',
  ].join('\n');
}

function planText(analysis: Analysis, advice: Advice): string {
  const { own, answers, nearest, counts, limit, notes } = advice;
  const head = [
    ...(own === undefined
      ? []
      : [
          `Now  ${layoutText(own)}`,
          `     ${costText(own)}${own.fits ? '' : ', beyond the limits'}${own.fits ? (own.distance === 0 ? ', on the front' : `, ${percent(own.distance)} slower than the front`) : ''}`,
        ]),
    `${count(counts.legal)} legal layouts; the states of ${count(counts.bounded)} leave room in ${bytes(limit)}, ${count(counts.estimated)} were estimated and ${count(counts.simulated)} simulated`,
    ...notes,
    '',
  ];
  if (nearest !== undefined)
    return [...head, 'Nothing keeps to the limits. The nearest:', answerText(analysis, nearest, 1)].join('\n');
  if (answers.length === 0)
    return [...head, 'Nothing better was found: this layout is the best of what the file can say.', ''].join('\n');
  return [...head, ...answers.map((answer, at) => answerText(analysis, answer, at + 1))].join('\n');
}

function worldsOf({ text }: Arguments): number[] | undefined {
  const value = text('worlds');
  if (value === undefined) return undefined;
  const worlds = value.split(',').map((part) => Number(part.trim()));
  if (worlds.length > 16 || worlds.some((world) => !Number.isSafeInteger(world) || world < 1 || world > 2 ** 20))
    throw new UsageError(`--worlds must be GPU counts such as 1024,2048, not ${JSON.stringify(value)}`);
  return worlds;
}

/** What the options say where the file does not. */
export function settingsOf(given: Arguments): AnalysisSettings {
  const gpus = wholeNumber(given, 'gpus');
  const model = given.text('model');
  const gpu = given.text('gpu');
  if (gpu !== undefined && findGpu(gpu) === undefined)
    throw new UsageError(`--gpu ${gpu} is not known; known are ${gpuNames().join(', ')}`);
  return {
    rules: {},
    ...(model === undefined ? {} : { model }),
    ...(gpu === undefined ? {} : { gpu }),
    ...(gpus === undefined ? {} : { gpus }),
    ...amounts(given, ['tokens', 'price', 'watts', 'prompt', 'output']),
  };
}

/** Limits of a server. Seconds. */
function servingTarget(given: Arguments): { readonly ttft?: number; readonly tpot?: number } {
  return amounts(given, ['ttft', 'tpot']);
}

const OPTIONS = [
  'ttft',
  'tpot',
  'prompt',
  'output',
  'objective',
  'top',
  'worlds',
  'memory',
  'step',
  'precision',
  'model',
  'gpu',
  'gpus',
  'tokens',
  'price',
  'watts',
  'format',
];

function run(args: readonly string[], { cwd, out }: Terminal): ExitCode {
  const given = readArguments(args, OPTIONS);
  const format = oneOf(given, 'format', ['text', 'json']);
  const objective = oneOf(given, 'objective', ['time', 'memory', 'cost']);
  const precision = oneOf(given, 'precision', ['keep', 'any']);
  const file = singleFile(given);
  if (file === undefined) throw new UsageError('name the file to find a better layout for');
  const { memory, step } = amounts(given, ['memory', 'step']);
  const gpus = worldsOf(given);
  const settings = settingsOf(given);
  const { analysis } = openFile(cwd, file, settings);
  const reanalyse = (text: string): Analysis => openText(cwd, file, text, settings);
  const top = wholeNumber(given, 'top') ?? 5;
  if (analysis.resolved?.plan.task === 'serving') {
    // Without a word about it, a server is to give many tokens for its money.
    const served = given.text('objective') === undefined ? 'cost' : objective;
    const target = servingTarget(given);
    const options = { objective: served, top, target, reanalyse, ...(gpus === undefined ? {} : { gpus }) } as const;
    const answer = planServing(file, analysis, options, format);
    out(answer.out);
    return answer.met ? EXIT.fine : EXIT.findings;
  }
  const search = startAdvice(analysis, {
    objective,
    top,
    precision: precision === 'any',
    ...(gpus === undefined ? {} : { gpus }),
    target: {
      ...(memory === undefined ? {} : { bytes: memory * 2 ** 30 }),
      ...(step === undefined ? {} : { seconds: step }),
    },
    reanalyse,
  });
  if (hasNoAdvice(search)) throw new UsageError(`no advice for ${file}: ${search.reason}`);
  const advice = finish(search);
  out(format === 'json' ? planJson(file, analysis, advice, objective) : planText(analysis, advice));
  const unmet = advice.answers.length === 0 && advice.own?.fits !== true;
  return unmet ? EXIT.findings : EXIT.fine;
}

export const planCommand: Command = { name: 'plan', summary: 'better layouts', help: HELP, run };
