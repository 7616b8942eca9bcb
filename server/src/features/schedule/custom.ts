import { passesPerRank } from '../../engine/schedule/scale';
import type { Deadlock, PassName, ScheduleOrder } from '../../engine/schedule/order';
import { simulate } from '../../engine/schedule/simulate';
import type { Reference } from '../../dialects/dialect';
import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import type { FileLookup } from '../analysis';
import { fileNameOf } from '../uris';
import { planTimes, type PlannedTimeline } from './planned';
import { actionToken } from './tokens';
import { readTorchCsv, type CsvReading } from './torch-csv';

type Named = Reference & { readonly uri: string };

/** The schedule file that a plan names, read; undefined where it names none or nobody has read it. */
export function customSchedule(
  references: readonly Named[],
  files: FileLookup,
  most = Infinity,
): { readonly reference: Named; readonly reading: CsvReading } | undefined {
  const reference = references.find(({ kind }) => kind === 'schedule');
  const text = reference === undefined ? undefined : files(reference.uri);
  if (reference === undefined || typeof text !== 'string' || text.length > most) return undefined;
  return { reference, reading: readTorchCsv(text) };
}

function passText({ pass, stage, microbatch }: PassName): string {
  return `${stage}${pass}${microbatch}`;
}

/** The circle of waiting in a sentence: `rank 0 at 0B0 waits for 1B0 of rank 1, rank 1 at 1F1 waits for 0F1 of rank 0`. */
export function deadlockText(order: ScheduleOrder, { reason, cycle, unfinished }: Deadlock): string {
  const links = cycle.map(({ rank, action, needs, onRank }) => {
    const where = onRank < 0 ? 'which no rank runs' : `which stands later on rank ${onRank}`;
    return `rank ${rank} at ${actionToken(order, action)} waits for ${passText(needs)}, ${where}`;
  });
  const why = reason === 'cycle' ? 'ranks wait for each other' : 'a pass waits for one that no rank runs';
  const told = links.length === 0 ? '' : `: ${links.slice(0, 6).join('; ')}${links.length > 6 ? '; …' : ''}`;
  return `${why}${told}. ${unfinished} passes never run`;
}

/** A schedule file under a plan's times: each of its stages takes what the plan's layers make of it. */
export function plannedCustom(resolved: ResolvedPlan, order: ScheduleOrder): PlannedTimeline {
  const chunks = passesPerRank('custom', order.chunks);
  const times = planTimes(resolved, chunks > 1 ? { kind: 'interleaved-torch', chunks } : { kind: '1f1b' });
  return { times, timeline: simulate(order, times.durations) };
}

export const CUSTOM_SCHEDULE = 'custom-schedule';

/** Files up to this size are checked while somebody types; larger ones when they are drawn. */
const CHECKED_CHARACTERS = 64 * 1024;

/** What torch would refuse of the schedule file that a plan names. */
export function customScheduleFindings(
  { layout, batch }: ResolvedPlan,
  references: readonly Named[],
  files: FileLookup,
): Finding[] {
  const found = customSchedule(references, files, CHECKED_CHARACTERS);
  if (found === undefined) return [];
  const { reference, reading } = found;
  const name = fileNameOf(reference.uri);
  const finding = (severity: Finding['severity'], message: string): Finding => ({
    rule: CUSTOM_SCHEDULE,
    severity,
    message,
    at: reference.at,
    source: {
      framework: 'PyTorch',
      repository: 'pytorch/pytorch',
      file: 'torch/distributed/pipelining/schedules.py',
      function: '_PipelineScheduleRuntime._load_csv',
    },
  });
  if ('problems' in reading) {
    const [first] = reading.problems;
    const more = reading.problems.length > 1 ? ` ${reading.problems.length - 1} more faults follow.` : '';
    return [finding('error', `${name}, line ${(first?.line ?? 0) + 1}: ${first?.message ?? 'no schedule.'}${more}`)];
  }
  const { order } = reading;
  const { deadlock } = simulate(order, { F: 1, B: 2, I: 1, W: 1, FB: 3, comm: 0 });
  if (deadlock !== undefined)
    return [finding('error', `The schedule of ${name} cannot finish: ${deadlockText(order, deadlock)}.`)];
  const out: Finding[] = [];
  if (layout !== undefined && layout.pipeline !== order.ranks)
    out.push(finding('error', `${name} lays out ${order.ranks} ranks, but the pipeline has ${layout.pipeline}.`));
  if (batch !== undefined && batch.microbatches !== order.microbatches)
    out.push(
      finding('warning', `${name} runs ${order.microbatches} microbatches, but a step has ${batch.microbatches}.`),
    );
  return out;
}
