import { buildOrder, SCHEDULE_KINDS } from '../engine/schedule/build';
import { closedForm, type ClosedForm } from '../engine/schedule/closed-form';
import { completeDurations, UNIT_DURATIONS } from '../engine/schedule/durations';
import type { ScheduleRefusal, Timeline } from '../engine/schedule/order';
import type { P2pMode } from '../engine/schedule/p2p-mode';
import { isRefusal } from '../engine/schedule/refusal';
import { simulate } from '../engine/schedule/simulate';
import type { ScheduleSpec } from '../engine/schedule/spec';
import type { StepSync } from '../engine/schedule/step';
import type { Durations, ScheduleKind } from '../engine/spec/training';
import { chromeTrace } from '../features/schedule/chrome-trace';
import { deadlockText } from '../features/schedule/custom';
import { knobEffects } from '../features/schedule/knobs';
import { planTimes, type PlanTimes } from '../features/schedule/planned';
import { scheduleJson, type ScheduleContext, type ScheduleJson } from '../features/schedule/schedule-json';
import { stepsJson } from '../features/schedule/steps-json';
import { scheduleSvg } from '../features/schedule/svg';
import { readTorchCsv, torchCsv } from '../features/schedule/torch-csv';
import { planUnder, type ScheduleAsk } from '../features/schedule/variant';
import { noView } from '../features/views/frame';
import type { ResolvedPlan } from '../plan/plan';
import { scheduleSpecOf } from '../plan/schedule-spec';
import { openFile, readText } from './files';
import { oneOf, readArguments, singleFile, wholeNumber, type Arguments } from './options';
import { scheduleText } from './schedule-text';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens schedule [FILE] [--kind K --ranks P --microbatches M --chunks V --group-size N --durations F=…,…]
                   [--p2p MODE --steps S --sync barrier|post-validation] [--format text|json|csv|svg|trace]

The pipeline schedule of a training file, or of the sizes given; options go before the file.

  --kind          ${SCHEDULE_KINDS.slice(0, 8).join(' ')}
                  ${SCHEDULE_KINDS.slice(8).join(' ')}
                  or the path of a torch schedule CSV
  --ranks         pipeline ranks P
  --microbatches  microbatches M of one step; for dualpipe both directions together
  --chunks        stages a rank V
  --group-size    microbatches a group N of Megatron's interleaved kinds, default P
  --durations     F=1,I=1,W=1,B=2,FB=3,comm=0 in any one unit; B defaults to I+W, FB to F+B
  --p2p           ideal (default), batched, overlap, overlap-flush, torch or torch-deferred: how transfers are coded
  --steps         optimizer steps that follow each other, 2 to 8; --sync says what stands between them: barrier (default,
                  every rank waits for the gradient norm) or post-validation (each rank goes on, as in zero-bubble papers)
  --format        text (default), json, csv (torch, compute only), svg or trace (Chrome trace, for Perfetto)

Exit: 0 fine, 1 a schedule that its framework would refuse or that cannot finish, 2 wrong usage or a file that cannot be read.
`;

const CSV_BYTES = 64 * 1024 * 1024;

/** What the options and the file together ask for. */
interface Asked {
  readonly times: PlanTimes;
  /** Whether the durations are a file's or the cost model's own; typed-in ones are in any unit. */
  readonly milliseconds?: boolean;
  readonly source: { readonly spec: ScheduleSpec } | { readonly csv: string };
  /** The plan under the sizes asked for, to try other schedules on it. */
  readonly plan?: ResolvedPlan;
  readonly assumed: readonly string[];
  readonly p2p?: P2pMode;
  readonly steps?: { readonly sync: StepSync; readonly iterations: number | undefined };
}

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

function resolvedOf(cwd: string, file: string): ResolvedPlan {
  const { analysis } = openFile(cwd, file);
  const { resolved } = analysis;
  if (resolved !== undefined && resolved.plan.task !== 'training')
    throw new UsageError(`${file} has no training pipeline`);
  if (resolved === undefined || scheduleSpecOf(resolved) === undefined) {
    const { reason } = noView(analysis, 'The batch is not known, so there are no microbatches to lay out.');
    throw new UsageError(`no schedule of ${file}: ${reason}`);
  }
  return resolved;
}

type Sizes = Readonly<Partial<Record<'ranks' | 'microbatches' | 'chunks' | 'groupSize', number>>>;

function sizesOf(given: Arguments): Sizes {
  const sizes = {
    ranks: wholeNumber(given, 'ranks'),
    microbatches: wholeNumber(given, 'microbatches'),
    chunks: wholeNumber(given, 'chunks'),
    groupSize: wholeNumber(given, 'group-size'),
  };
  return Object.fromEntries(Object.entries(sizes).filter(([, size]) => size !== undefined)) as Sizes;
}

function typedIn(durations: Durations): PlanTimes {
  return { durations, mean: durations, origin: 'stated' };
}

const UNITS: PlanTimes = { durations: UNIT_DURATIONS, mean: UNIT_DURATIONS, origin: 'unit' };

/** Sizes that decide the picture and that no file and no option gives. */
function assumedSizes({ plan, layout, batch, pipeline }: ResolvedPlan, kind: ScheduleKind | undefined, sizes: Sizes) {
  const silent = (value: { readonly origin: string } | undefined): boolean =>
    value === undefined || value.origin === 'assumed' || value.origin === 'default';
  const out: string[] = [];
  if (kind === undefined && silent(plan.pipeline.kind)) out.push(`schedule ${pipeline.kind}`);
  if (sizes.ranks === undefined && silent(plan.layout.pipeline)) out.push(`${layout?.pipeline ?? 1} pipeline rank(s)`);
  const counted = !silent(plan.batch.microbatches) || !silent(plan.batch.globalBatch);
  if (sizes.microbatches === undefined && !counted) out.push(`${batch?.microbatches ?? 1} microbatch(es)`);
  return out;
}

function askedOfFile(resolved: ResolvedPlan, kind: ScheduleKind | undefined, sizes: Sizes, own?: Durations): Asked {
  const ask: ScheduleAsk = { ...(kind === undefined ? {} : { kind }), ...sizes };
  const plan = planUnder(resolved, ask);
  const times = own === undefined ? planTimes(resolved, ask) : typedIn(own);
  const spec = { kind: plan.pipeline.kind, ranks: 1, microbatches: 1, ...scheduleSpecOf(plan), ...sizes };
  const source = { spec: { ...spec, durations: times.durations } };
  // Other schedules are tried with the durations in force here.
  const timed = times.origin === 'stated' ? { ...plan, pipeline: { ...plan.pipeline, durations: times.mean } } : plan;
  const milliseconds = own === undefined && times.origin !== 'unit';
  return { times, milliseconds, source, plan: timed, assumed: assumedSizes(resolved, kind, sizes) };
}

const MODES = ['ideal', 'batched', 'overlap', 'overlap-flush', 'torch', 'torch-deferred'] as const;

/** How transfers are made and steps follow each other: both are asked for by options alone. */
function runAsked(given: Arguments): Pick<Asked, 'p2p' | 'steps'> {
  const sync = oneOf(given, 'sync', ['barrier', 'post-validation']);
  const iterations = wholeNumber(given, 'steps', 2);
  if (iterations !== undefined && iterations > 8) throw new UsageError('--steps takes 2 to 8');
  const asked = iterations !== undefined || given.text('sync') !== undefined;
  return { p2p: oneOf(given, 'p2p', MODES), ...(asked ? { steps: { sync, iterations } } : {}) };
}

function readAsked(given: Arguments, cwd: string): Asked {
  return { ...sourceAsked(given, cwd), ...runAsked(given) };
}

function sourceAsked(given: Arguments, cwd: string): Asked {
  const file = singleFile(given);
  const kind = kindOf(given);
  const stated = given.text('durations');
  const sizes = sizesOf(given);
  const own = stated === undefined ? undefined : durationsOf(stated);
  const times = own === undefined ? UNITS : typedIn(own);
  if (typeof kind === 'object') {
    if (file !== undefined || Object.keys(sizes).length > 0)
      throw new UsageError('a CSV file is the whole schedule: it takes no other file and no sizes');
    return { times, source: { csv: kind.csv }, assumed: [] };
  }
  if (file !== undefined) return askedOfFile(resolvedOf(cwd, file), kind, sizes, own);
  const { ranks, microbatches } = sizes;
  if (kind === undefined || ranks === undefined || microbatches === undefined)
    throw new UsageError('name a file, or give --kind, --ranks and --microbatches');
  return { times, source: { spec: { kind, ...sizes, ranks, microbatches, durations: times.durations } }, assumed: [] };
}

interface Built {
  readonly timeline: Timeline;
  readonly formula?: ClosedForm | undefined;
}

function build(asked: Asked, cwd: string): Built | ScheduleRefusal {
  const { source, times, p2p = 'ideal' } = asked;
  if ('spec' in source) {
    const order = buildOrder(source.spec);
    return isRefusal(order)
      ? order
      : { timeline: simulate(order, times.durations, { p2p }), formula: closedForm(source.spec) };
  }
  const reading = readTorchCsv(readText(cwd, source.csv, CSV_BYTES));
  if ('order' in reading) return { timeline: simulate(reading.order, times.durations, { p2p }) };
  const [first] = reading.problems;
  const place = first === undefined ? '' : ` (line ${first.line + 1}, column ${first.character + 1})`;
  throw new UsageError(`${source.csv} is no schedule${place}: ${first?.message ?? 'it holds no actions'}`);
}

function refuse(refusal: ScheduleRefusal, asJson: boolean, { out, err }: Terminal): ExitCode {
  const nearest = refusal.nearest.length === 0 ? '' : ` Nearest legal: ${refusal.nearest.join(', ')}.`;
  if (asJson) out(`${JSON.stringify({ refusal }, null, 2)}\n`);
  else err(`shardlens schedule: ${refusal.message}${nearest} [${refusal.rule}]\n`);
  return EXIT.findings;
}

/** Trying every knob runs some twenty schedules; larger ones are left to the panel, which tries them one by one. */
const MOST_PASSES_FOR_KNOBS = 8000;

function contextOf(
  { times, milliseconds = false, plan, assumed, p2p, steps }: Asked,
  { order }: Timeline,
): ScheduleContext {
  const quick = plan !== undefined && order.ranks > 1 && order.op.length <= MOST_PASSES_FOR_KNOBS;
  const ran = steps === undefined ? undefined : stepsJson(order, times, steps.sync, steps.iterations);
  return { times, milliseconds, assumed, p2p, steps: ran, ...(quick ? { knobs: knobEffects(plan) } : {}) };
}

function run(args: readonly string[], terminal: Terminal): ExitCode {
  const names = [
    'kind',
    'ranks',
    'microbatches',
    'chunks',
    'group-size',
    'durations',
    'p2p',
    'steps',
    'sync',
    'format',
  ];
  const given = readArguments(args, names);
  const format = oneOf(given, 'format', ['text', 'json', 'csv', 'svg', 'trace']);
  const asked = readAsked(given, terminal.cwd);
  const built = build(asked, terminal.cwd);
  if (isRefusal(built)) return refuse(built, format === 'json', terminal);
  const { timeline, formula } = built;
  const document = (): ScheduleJson => scheduleJson(timeline, formula, contextOf(asked, timeline));
  const print = {
    text: () => scheduleText(document(), timeline),
    json: () => `${JSON.stringify(document())}\n`,
    csv: () => torchCsv(timeline.order),
    svg: () => scheduleSvg(timeline),
    trace: () =>
      `${JSON.stringify(chromeTrace(timeline, asked.milliseconds === true ? { microsecondsPerUnit: 1000 } : {}))}\n`,
  };
  terminal.out(print[format]());
  if (timeline.deadlock === undefined) return EXIT.fine;
  const why = deadlockText(timeline.order, timeline.deadlock);
  terminal.err(`shardlens schedule: the schedule cannot finish: ${why}.\n`);
  return EXIT.findings;
}

export const scheduleCommand: Command = {
  name: 'schedule',
  summary: 'pipeline schedule, drawn or as data',
  help: HELP,
  run,
};
