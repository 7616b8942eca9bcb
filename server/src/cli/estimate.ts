import { findGpu, gpuNames } from '../dialects/presets';
import { FACTORS } from '../engine/cost/calibrate';
import type { Analysis } from '../features/analysis';
import { measurementFaults } from '../features/calibrate/read';
import type { TimeAnswer } from '../features/cost';
import type { ServingTimeAnswer } from '../features/serving-cost';
import type { EstimateAnswer, EstimateClass } from '../features/estimate';
import { estimateAnswer } from '../features/estimate';
import { bytes, count, gib, parameters, percent, seconds } from '../features/format';
import { amounts } from './amounts';
import { openFile, readText } from './files';
import { findingRows, hasErrors, type FindingRow } from './findings';
import { oneOf, readArguments, singleFile, wholeNumber } from './options';
import { facts, table, type Column } from './table';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens estimate FILE [--model M] [--gpu NAME] [--gpus N] [--tokens T --price P --watts W]
               [--prompt N --output N] [--calibrate FILE] [--format text|json]

Memory of every class of ranks, checkpoint, cache, and the time and cost of training of one file.

  --model   a preset such as deepseek-ai/DeepSeek-V3, or the path of a config.json, where the file names none
  --gpu     a GPU such as H800, where the file names none
  --gpus    GPUs of the whole job, where the file does not say
  --tokens  tokens of the whole run, such as 14.8T: days and GPU-hours
  --price   money a GPU-hour
  --watts   power of one GPU
  --prompt, --output  tokens of one request, for a server (default 2048 and 512)
  --calibrate  measurements of this job (a small file or a log of Megatron-LM, torchtitan, vLLM, SGLang or
               nccl-tests): predicted beside measured, and the times tuned to them
  --format  text (default, in GiB) or json (bytes everywhere)

Exit: 0 fine, 1 findings of severity error, 2 wrong usage or a file that cannot be read.
`;

type Shown = Omit<EstimateAnswer, 'findings'> & { readonly path: string; readonly findings: readonly FindingRow[] };

type PartName =
  'weights' | 'gradients' | 'optimizer' | 'activations' | 'kvCache' | 'buffers' | 'workspace' | 'allocated' | 'total';

const PARTS: readonly (readonly [name: PartName, title: string])[] = [
  ['weights', 'weights'],
  ['gradients', 'gradients'],
  ['optimizer', 'optimizer'],
  ['activations', 'activations'],
  ['kvCache', 'KV cache'],
  ['buffers', 'buffers'],
  ['workspace', 'workspace'],
  ['allocated', 'allocated'],
  ['total', 'total'],
];

/** `pp 3, ep 0`: only coordinates in which the classes differ tell them apart. */
function coordinatesOf({ coordinates }: EstimateClass, classes: readonly EstimateClass[]): string {
  const names = ['pp', 'tp', 'ep', 'dp', 'cp'] as const;
  return names
    .filter((name) => classes.some((other) => other.coordinates[name] !== coordinates[name]))
    .map((name) => `${name} ${coordinates[name]}`)
    .join(', ');
}

function fitText({ capacity, fits }: EstimateClass): string {
  if (capacity === null) return '';
  return `${gib(capacity)}${fits === false ? '  does not fit' : ''}`;
}

function shortRanks(ranks: string): string {
  return ranks.length <= 24 ? ranks : `${ranks.slice(0, 23)}…`;
}

function classTable(classes: readonly EstimateClass[]): string {
  const used = PARTS.filter(([name]) => classes.some((entry) => entry[name] > 0));
  const columns: Column[] = [
    { title: 'ranks', align: 'left' },
    ...(classes.length > 1 ? [{ title: 'at', align: 'left' } as const] : []),
    ...used.map(([, title]) => ({ title, align: 'right' }) as const),
    { title: 'of', align: 'left' },
  ];
  const rows = classes.map((entry) => [
    shortRanks(entry.ranks),
    ...(classes.length > 1 ? [coordinatesOf(entry, classes)] : []),
    ...used.map(([name]) => gib(entry[name])),
    fitText(entry),
  ]);
  return `Memory a rank, GiB\n${table(columns, rows)}`;
}

function headFacts(answer: Shown): string {
  const { model, gpu, worldSize, memory, kvCache } = answer;
  const active =
    model.activeParameters === model.parameters ? '' : `, ${parameters(model.activeParameters)} active a token`;
  const entries: [string, string][] = [
    ['Model', `${model.name}: ${count(model.parameters)} parameters (${parameters(model.parameters)}${active})`],
  ];
  if (memory.rankClasses.length > 0) {
    entries.push([
      'GPUs',
      `${count(worldSize)}${gpu === null ? '' : ` × ${gpu.name}, ${gib(gpu.memoryBytes)} GiB each`}`,
    ]);
    entries.push(['Fullest', `rank ${memory.peak.rank}, ${bytes(memory.peak.bytes)}`]);
  }
  if (memory.uncounted !== undefined) entries.push(['Memory', `not counted: ${memory.uncounted}`]);
  if (kvCache !== undefined) {
    const room = kvCache.tokens === undefined ? '' : `, room for ${count(kvCache.tokens)} tokens an attention rank`;
    entries.push(['KV cache', `${count(kvCache.bytesPerToken)} B a token on one rank${room}`]);
  }
  return facts(entries);
}

const PARTS_OF_STEP: readonly (readonly [keyof TimeAnswer['parts'], string])[] = [
  ['compute', 'compute'],
  ['recompute', '  of it recomputed'],
  ['host', 'waiting for the host'],
  ['tensor', 'tensor parallel, exposed'],
  ['context', 'context parallel, exposed'],
  ['expert', 'expert exchange, exposed'],
  ['pipeline', 'pipeline idle'],
  ['data', 'data parallel, exposed'],
  ['optimizer', 'optimizer'],
  ['straggling', 'stragglers'],
];

function servingTable(time: ServingTimeAnswer): string {
  const { load, disaggregated, sequences } = time;
  const columns: Column[] = ['sequences', 'TPOT', 'decode tokens/s a GPU', 'with prefill'].map((title) => ({
    title,
    align: 'right',
  }));
  const rows = time.batches.map((point) => [
    count(point.sequences),
    seconds(point.tpotSeconds),
    count(point.decodeTokensPerSecondPerGpu),
    count(point.tokensPerSecondPerGpu),
  ]);
  const entries: [string, string][] = [
    ['Request', `${count(load.promptTokens)} tokens in, ${count(load.outputTokens)} out`],
    ['TTFT', `${seconds(time.ttftSeconds)} on an idle server`],
    ['Prefill', `${count(time.prefillTokensPerSecondPerGpu)} tokens/s a GPU`],
    [
      'Largest',
      `${count(sequences)} sequences: ${count(time.tokensPerSecondPerGpu)} output tokens/s a GPU, TPOT ${seconds(time.tpotSeconds)}`,
    ],
    [
      'Apart',
      `${percent(disaggregated.prefillShare)} of the GPUs for prefill; TPOT ${seconds(disaggregated.tpotSeconds)} instead of ${seconds(disaggregated.unifiedTpotSeconds)}`,
    ],
  ];
  if (time.twoBatchOverlap !== undefined)
    entries.push(['Two batches', `${percent(time.twoBatchOverlap.gain)} more tokens than one`]);
  if (time.speculative !== undefined)
    entries.push([
      'Drafts',
      `${time.speculative.tokensPerStep.toFixed(2)} tokens a step at ${percent(time.speculative.acceptance)} taken; TPOT ${seconds(time.speculative.tpotWithoutSeconds)} without`,
    ]);
  return `${facts(entries)}\n${table(columns, rows)}`;
}

function timeTable({ time }: Shown): string | undefined {
  if (time === undefined) return undefined;
  if ('ttftSeconds' in time) return servingTable(time);
  const rows = PARTS_OF_STEP.filter(([part]) => time.parts[part] > 0).map(([part, title]) => [
    title,
    seconds(time.parts[part]),
    percent(time.parts[part] / time.stepSeconds),
  ]);
  const columns: Column[] = [
    { title: 'part of a step', align: 'left' },
    { title: 'time', align: 'right' },
    { title: 'share', align: 'right' },
  ];
  const mfu = time.utilisation.map(
    ({ mfu: share, peak, causal }) => `${percent(share)} of the ${peak} peak, attention ${causal ? 'causal' : 'whole'}`,
  );
  const entries: [string, string][] = [
    ['Step', `${seconds(time.stepSeconds)}, ${count(time.tokensPerStep)} tokens`],
    ['Throughput', `${count(time.tokensPerSecondPerGpu)} tokens/s a GPU, ${count(time.tokensPerSecond)} together`],
    ['MFU', mfu.join('; ')],
  ];
  if (time.days !== undefined && time.gpuHours !== undefined)
    entries.push([
      'Run',
      `${parameters(time.tokens ?? 0)} tokens: ${time.days.toFixed(1)} days, ${count(time.gpuHours)} GPU-hours`,
    ]);
  if (time.money !== undefined) entries.push(['Cost', count(time.money)]);
  if (time.kilowattHours !== undefined) entries.push(['Energy', `${count(time.kilowattHours)} kWh of the GPUs`]);
  return `${facts(entries)}\n${table(columns, rows)}`;
}

const MEASURED: Readonly<Record<string, readonly [title: string, show: (value: number) => string]>> = {
  tokensPerSecondPerGpu: ['tokens/s a GPU', count],
  decodeTokensPerSecond: ['output tokens/s', count],
  peakBytes: ['peak memory of a rank', bytes],
};

function calibrationTable({ calibration }: Shown): string | undefined {
  if (calibration === undefined) return undefined;
  const { from, factor, comparisons } = calibration;
  const columns: Column[] = ['', 'measured', 'predicted', 'error', 'calibrated'].map((title, at) => ({
    title,
    align: at === 0 ? 'left' : 'right',
  }));
  const rows = comparisons.map(({ what, measured, predicted, calibrated }) => {
    const [title, show] = MEASURED[what] ?? [what, String];
    return [title, show(measured), show(predicted), percent(predicted / measured - 1), show(calibrated)];
  });
  const said = factor === undefined ? '' : `; kernels reach ${factor.toFixed(2)} times what is usual`;
  const end = factor !== undefined && (factor < 1.02 * FACTORS.least || factor > 0.98 * FACTORS.most);
  const beyond = end
    ? ', the end of what is tuned: something else differs, such as the layout or waiting for data'
    : '';
  return `Measured, from ${from}${said}${beyond}${rows.length === 0 ? '' : `\n${table(columns, rows)}`}`;
}

function checkpointTable({ checkpoint }: Shown): string {
  const rows = Object.entries(checkpoint.elementsByDtype).map(([dtype, elements]) => [dtype, count(elements)]);
  const columns: Column[] = [
    { title: 'dtype', align: 'left' },
    { title: 'elements', align: 'right' },
  ];
  const size = `${count(checkpoint.elements)} elements, ${count(checkpoint.bytes)} bytes (${bytes(checkpoint.bytes)})`;
  return `Checkpoint: ${size}\n${table(columns, rows)}`;
}

/** Single changes that would make a plan fit, where it does not. */
function fitTable({ options = [], memory, gpu }: Shown): string[] {
  if (gpu === null || memory.peak.bytes <= gpu.memoryBytes || options.length === 0) return [];
  const columns: Column[] = [
    { title: 'change', align: 'left' },
    { title: 'saves', align: 'right' },
    { title: 'fullest', align: 'right' },
    { title: 'costs', align: 'left' },
  ];
  const rows = options.map(({ name, from, to, saved, bytes: after, fits, cost, stepChange }) => {
    const step = stepChange === undefined ? '' : `step ${stepChange < 0 ? '' : '+'}${percent(stepChange)}; `;
    return [`${name} ${from} → ${to}`, gib(saved), `${gib(after)}${fits === true ? ' fits' : ''}`, `${step}${cost}`];
  });
  const title = options.some(({ fits }) => fits === true)
    ? 'What would make it fit'
    : 'No single change makes it fit; what each would save';
  return [`${title}, GiB\n${table(columns, rows)}`];
}

function estimateText(answer: Shown): string {
  const { memory, assumptions, findings } = answer;
  // A world of one GPU means nothing for a model that nothing is said about but its shape.
  const counted = memory.rankClasses.length === 0 ? [] : assumptions;
  const taken = counted.map(({ field, value, origin, effect = '' }) => [field, String(value), origin, effect]);
  const columns = ['field', 'value', 'origin', 'effect on memory'].map((title): Column => ({ title, align: 'left' }));
  const time = timeTable(answer);
  const measured = calibrationTable(answer);
  const blocks = [
    headFacts(answer),
    ...(memory.rankClasses.length === 0 ? [] : [classTable(memory.rankClasses)]),
    ...(time === undefined ? [] : [time]),
    ...(measured === undefined ? [] : [measured]),
    ...fitTable(answer),
    checkpointTable(answer),
    ...(taken.length === 0 ? [] : [`Taken for granted\n${table(columns, taken)}`]),
    ...findings.map(({ severity, message, rule, line }) => `${severity} (line ${line + 1}): ${message}  [${rule}]\n`),
  ];
  return blocks.join('\n');
}

/** Logs of long runs are long. */
const LOG_BYTES = 64 * 1024 * 1024;

/** Says what of the measurements was not understood or is about another job; without any that can be used there is no answer. */
function tellFaults(analysis: Analysis, text: string, name: string, file: string, err: Terminal['err']): void {
  if (analysis.resolved === undefined) return;
  const faults = measurementFaults(text);
  const found = analysis.calibrated?.();
  if (found === undefined && faults.length > 0)
    throw new UsageError(`${name} holds no measurement: ${faults.join('; ')}`);
  for (const fault of faults) err(`shardlens estimate: ${name}: ${fault}\n`);
  if (found?.comparisons.length === 0 && found.calibration.network === undefined)
    err(`shardlens estimate: nothing in ${name} is about what ${file} runs\n`);
}

function run(args: readonly string[], { cwd, out, err }: Terminal): ExitCode {
  const given = readArguments(args, [
    'model',
    'gpu',
    'gpus',
    'tokens',
    'price',
    'watts',
    'prompt',
    'output',
    'calibrate',
    'format',
  ]);
  const format = oneOf(given, 'format', ['text', 'json']);
  const file = singleFile(given);
  if (file === undefined) throw new UsageError('name the file to estimate');
  const gpus = wholeNumber(given, 'gpus');
  const model = given.text('model');
  const gpu = given.text('gpu');
  if (gpu !== undefined && findGpu(gpu) === undefined)
    throw new UsageError(`--gpu ${gpu} is not known; known are ${gpuNames().join(', ')}`);
  const calibration = given.text('calibrate');
  const measured = calibration === undefined ? undefined : readText(cwd, calibration, LOG_BYTES);
  const { analysis } = openFile(
    cwd,
    file,
    {
      rules: {},
      ...(model === undefined ? {} : { model }),
      ...(gpu === undefined ? {} : { gpu }),
      ...(gpus === undefined ? {} : { gpus }),
      ...amounts(given, ['tokens', 'price', 'watts', 'prompt', 'output']),
    },
    measured,
  );
  if (calibration !== undefined && measured !== undefined) tellFaults(analysis, measured, calibration, file, err);
  const answer = estimateAnswer(analysis);
  if ('reason' in answer) throw new UsageError(`no estimate of ${file}: ${answer.reason}`);
  const findings = findingRows(analysis, answer.findings);
  const shown: Shown = { path: file, ...answer, findings };
  out(format === 'json' ? `${JSON.stringify(shown, null, 2)}\n` : estimateText(shown));
  return hasErrors(findings) ? EXIT.findings : EXIT.fine;
}

export const estimateCommand: Command = {
  name: 'estimate',
  summary: 'memory a rank, checkpoint, cache',
  help: HELP,
  run,
};
