import { buildOrder, SCHEDULE_KINDS } from '../engine/schedule/build';
import { closedForm, type ClosedForm } from '../engine/schedule/closed-form';
import { completeDurations, UNIT_DURATIONS } from '../engine/schedule/durations';
import type { ScheduleRefusal, Timeline } from '../engine/schedule/order';
import { isRefusal } from '../engine/schedule/refusal';
import { simulate } from '../engine/schedule/simulate';
import type { ScheduleSpec } from '../engine/schedule/spec';
import type { Durations, ScheduleKind } from '../engine/spec/training';
import { noView } from '../features/views/frame';
import { chromeTrace } from '../features/schedule/chrome-trace';
import { scheduleJson } from '../features/schedule/schedule-json';
import { scheduleSvg } from '../features/schedule/svg';
import { readTorchCsv, torchCsv } from '../features/schedule/torch-csv';
import { scheduleSpecOf } from '../plan/schedule-spec';
import { openFile, readText } from './files';
import { oneOf, readArguments, singleFile, wholeNumber, type Arguments } from './options';
import { scheduleText } from './schedule-text';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens schedule [FILE] [--kind K --ranks P --microbatches M --chunks V --group-size N --durations F=…,…]
                   [--format text|json|csv|svg|trace]

The pipeline schedule of a training file, or of the sizes given; options go before the file.

  --kind          ${SCHEDULE_KINDS.slice(0, 8).join(' ')}
                  ${SCHEDULE_KINDS.slice(8).join(' ')}
                  or the path of a torch schedule CSV
  --ranks         pipeline ranks P
  --microbatches  microbatches M of one step; for dualpipe both directions together
  --chunks        stages a rank V
  --group-size    microbatches a group N of Megatron's interleaved kinds, default P
  --durations     F=1,I=1,W=1,B=2,FB=3,comm=0 in any one unit; B defaults to I+W, FB to F+B
  --format        text (default), json, csv (torch, compute only), svg or trace (Chrome trace, for Perfetto)

Exit: 0 fine, 1 a schedule that its framework would refuse or that cannot finish, 2 wrong usage or a file that cannot be read.
`;

const CSV_BYTES = 64 * 1024 * 1024;

/** What the options and the file together ask for. */
type Asked =
  | { readonly spec: ScheduleSpec; readonly durations: Durations; readonly inMilliseconds: boolean }
  | { readonly csv: string; readonly durations: Durations; readonly inMilliseconds: boolean };

const DURATION_NAMES = ['F', 'B', 'I', 'W', 'FB', 'comm'] as const;

function durationsOf(text: string): Durations {
  const pairs = text.split(',').map((pair): [string, number] => {
    const [name = '', value = '', rest] = pair.split('=').map((part) => part.trim());
    const number = value === '' ? Number.NaN : Number(value);
    const known = (DURATION_NAMES as readonly string[]).includes(name);
    if (!known || rest !== undefined || !Number.isFinite(number) || number < 0 || number > 1e12)
      throw new UsageError(`--durations takes pairs such as F=1,I=1,W=1,FB=2,comm=0, not ${JSON.stringify(pair)}`);
    return [name, number];
  });
  return completeDurations(Object.fromEntries(pairs) as Partial<Durations>);
}

function kindOf(given: Arguments): ScheduleKind | { readonly csv: string } | undefined {
  const text = given.text('kind');
  if (text === undefined) return undefined;
  const kind = SCHEDULE_KINDS.find((candidate) => candidate === text);
  if (kind !== undefined) return kind;
  if (text.toLowerCase().endsWith('.csv')) return { csv: text };
  throw new UsageError(
    `--kind must be one of ${SCHEDULE_KINDS.join(', ')} or the path of a CSV file, not ${JSON.stringify(text)}`,
  );
}

function specOfFile(cwd: string, file: string, kind: ScheduleKind | undefined): ScheduleSpec {
  const { analysis } = openFile(cwd, file);
  const { resolved } = analysis;
  if (resolved !== undefined && resolved.plan.task !== 'training')
    throw new UsageError(`${file} has no training pipeline`);
  const spec = resolved === undefined ? undefined : scheduleSpecOf(resolved, kind);
  if (spec === undefined) {
    const { reason } = noView(analysis, 'The batch is not known, so there are no microbatches to lay out.');
    throw new UsageError(`no schedule of ${file}: ${reason}`);
  }
  return spec;
}

function specOfOptions(kind: ScheduleKind | undefined, ranks: number | undefined, microbatches: number | undefined) {
  if (kind === undefined || ranks === undefined || microbatches === undefined)
    throw new UsageError('name a file, or give --kind, --ranks and --microbatches');
  return { kind, ranks, microbatches };
}

function readAsked(given: Arguments, cwd: string): Asked {
  const file = singleFile(given);
  const kind = kindOf(given);
  const stated = given.text('durations');
  const sizes = {
    ranks: wholeNumber(given, 'ranks'),
    microbatches: wholeNumber(given, 'microbatches'),
    chunks: wholeNumber(given, 'chunks'),
    groupSize: wholeNumber(given, 'group-size'),
  };
  const own = stated === undefined ? undefined : durationsOf(stated);
  if (typeof kind === 'object') {
    if (file !== undefined || Object.values(sizes).some((size) => size !== undefined))
      throw new UsageError('a CSV file is the whole schedule: it takes no other file and no sizes');
    return { csv: kind.csv, durations: own ?? UNIT_DURATIONS, inMilliseconds: false };
  }
  const base: ScheduleSpec =
    file === undefined ? specOfOptions(kind, sizes.ranks, sizes.microbatches) : specOfFile(cwd, file, kind);
  const over = Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== undefined));
  const durations = own ?? completeDurations((base.durations as Durations | undefined) ?? UNIT_DURATIONS);
  const inMilliseconds = own === undefined && base.durations !== undefined;
  return { spec: { ...base, ...over, durations }, durations, inMilliseconds };
}

interface Built {
  readonly timeline: Timeline;
  readonly formula?: ClosedForm | undefined;
}

function build(asked: Asked, cwd: string): Built | ScheduleRefusal {
  if ('spec' in asked) {
    const order = buildOrder(asked.spec);
    return isRefusal(order) ? order : { timeline: simulate(order, asked.durations), formula: closedForm(asked.spec) };
  }
  const reading = readTorchCsv(readText(cwd, asked.csv, CSV_BYTES));
  if ('order' in reading) return { timeline: simulate(reading.order, asked.durations) };
  const [first] = reading.problems;
  const place = first === undefined ? '' : ` (line ${first.line + 1}, column ${first.character + 1})`;
  throw new UsageError(`${asked.csv} is no schedule${place}: ${first?.message ?? 'it holds no actions'}`);
}

function refuse(refusal: ScheduleRefusal, asJson: boolean, { out, err }: Terminal): ExitCode {
  const nearest = refusal.nearest.length === 0 ? '' : ` Nearest legal: ${refusal.nearest.join(', ')}.`;
  if (asJson) out(`${JSON.stringify({ refusal }, null, 2)}\n`);
  else err(`shardlens schedule: ${refusal.message}${nearest} [${refusal.rule}]\n`);
  return EXIT.findings;
}

function run(args: readonly string[], terminal: Terminal): ExitCode {
  const names = ['kind', 'ranks', 'microbatches', 'chunks', 'group-size', 'durations', 'format'];
  const given = readArguments(args, names);
  const format = oneOf(given, 'format', ['text', 'json', 'csv', 'svg', 'trace']);
  const asked = readAsked(given, terminal.cwd);
  const built = build(asked, terminal.cwd);
  if (isRefusal(built)) return refuse(built, format === 'json', terminal);
  const { timeline, formula } = built;
  const print = {
    text: () => scheduleText(scheduleJson(timeline, formula), timeline),
    json: () => `${JSON.stringify(scheduleJson(timeline, formula))}\n`,
    csv: () => torchCsv(timeline.order),
    svg: () => scheduleSvg(timeline),
    trace: () =>
      `${JSON.stringify(chromeTrace(timeline, asked.inMilliseconds ? { microsecondsPerUnit: 1000 } : {}))}\n`,
  };
  terminal.out(print[format]());
  if (timeline.deadlock === undefined) return EXIT.fine;
  const { reason, unfinished } = timeline.deadlock;
  const why = reason === 'cycle' ? 'ranks wait for each other' : 'a pass waits for one that no rank runs';
  terminal.err(`shardlens schedule: the schedule cannot finish: ${why}, and ${unfinished} passes never run.\n`);
  return EXIT.findings;
}

export const scheduleCommand: Command = {
  name: 'schedule',
  summary: 'pipeline schedule, drawn or as data',
  help: HELP,
  run,
};
