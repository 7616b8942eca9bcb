import { runCost, type RunCost } from '../../engine/cost/economics';
import type { RunTerms } from '../../engine/cost/plan-cost';
import { machineOf, type Calibration, type Machine } from '../../engine/cost/rates';
import type { TrainingInput } from '../../engine/memory/input';
import { inputOf, type Choice } from '../../engine/search/candidates';
import { distanceToFront, type Outcome } from '../../engine/search/front';
import { trainingSpace } from '../../engine/search/space';
import {
  ownChoice,
  searchTraining,
  type SearchCounts,
  type SearchProgress,
  type SearchResult,
  type SearchTarget,
} from '../../engine/search/training-search';
import type { SyntaxEdit } from '../../syntax/edits';
import type { Analysis } from '../analysis';
import { trainingInputOf } from '../estimates';
import { gpuIsAssumed } from '../answers';
import { followingDurations } from '../schedule/duration-edits';
import { reasonsFor } from './reasons';
import { fixedFields, kindsOf, writeChoice, type Change } from './write-choice';
import { applyEdits } from './write-field';

export type Objective = 'time' | 'memory' | 'cost';

export interface AdviceOptions {
  readonly objective: Objective;
  /** Answers to give at most. */
  readonly top: number;
  /** GPU counts to look at; default: the plan's own. */
  readonly gpus?: readonly number[];
  readonly target?: SearchTarget;
  /** Tries FP8 products, too. */
  readonly precision?: boolean;
  /** Reads a changed text as the file, to prove that an answer can be written and that its framework takes it. */
  readonly reanalyse: (text: string) => Analysis;
}

/** One layout with what it takes. */
export interface Answer {
  readonly choice: Choice;
  readonly data: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly tokensPerSecondPerGpu: number;
  /** Of the BF16 peak, attention causal. */
  readonly mfu: number;
  readonly bubble: number;
  /** Of the run, or of a thousand million tokens while its length is not stated. */
  readonly run?: RunCost;
}

export interface Advised extends Answer {
  /** Against the plan's own, as shares: -0.1 is a tenth less. Absent where the plan's own cannot be computed. */
  readonly gain?: { readonly time: number; readonly memory: number; readonly gpuHours: number };
  readonly onFront: boolean;
  readonly reasons: readonly string[];
  readonly changes: readonly Change[];
  /** Absent where the file has no place for one of the changes. */
  readonly edits?: readonly SyntaxEdit[];
}

export interface Advice {
  readonly kind: 'training';
  readonly own?: Answer & { readonly fits: boolean; readonly distance: number };
  readonly answers: readonly Advised[];
  /** Where nothing keeps to the target. */
  readonly nearest?: Advised;
  readonly capacity: number;
  readonly limit: number;
  readonly counts: SearchCounts;
  /** What an answer would be better for. */
  readonly notes: readonly string[];
}

/** Why there is no advice, and what would have to be said first. */
export interface NoAdvice {
  readonly needs: readonly string[];
  readonly reason: string;
}

interface Job {
  readonly analysis: Analysis;
  readonly input: TrainingInput;
  readonly machine: Machine;
  readonly options: AdviceOptions;
  readonly terms: RunTerms;
}

/** Layouts whose text is written and read back before giving up on more answers. */
const MOST_TRIED = 40;

function missingFor({ resolved }: Analysis): NoAdvice | undefined {
  if (resolved === undefined)
    return { needs: ['dialect'], reason: 'this file was not recognised as a parallelism or serving config' };
  if (resolved.plan.task !== 'training') return { needs: ['task'], reason: 'this file describes no training job' };
  const needs: string[] = [];
  if (resolved.model === undefined) needs.push(...resolved.missing.filter((field) => field.startsWith('model.')));
  if (resolved.layout === undefined) needs.push('layout');
  if (resolved.cluster === undefined || gpuIsAssumed(resolved)) needs.push('cluster.gpu');
  if (resolved.layout !== undefined && resolved.batch === undefined) needs.push('batch');
  const world = resolved.assumptions.some(({ field, origin }) => field === 'layout.worldSize' && origin === 'assumed');
  if (world) needs.push('cluster.gpus');
  if (needs.length === 0) return undefined;
  const how: Readonly<Record<string, string>> = {
    'cluster.gpu': 'the GPU, such as "# shardlens: gpu=H800" or --gpu H800',
    'cluster.gpus': 'the number of GPUs, such as "# shardlens: gpus=2048" or --gpus 2048',
    layout: 'parallel degrees that are whole numbers and stand in the file',
    batch: 'the batch and the sequence length',
  };
  const named = needs.some((field) => field.startsWith('model.'))
    ? ['the model, such as "# shardlens: model=llama-3.1-8b"']
    : [];
  const words = [...named, ...needs.flatMap((field) => how[field] ?? [])];
  return { needs, reason: `a better layout can only be looked for with ${words.join('; ')}` };
}

function costOf(job: Job, outcome: Outcome): RunCost | undefined {
  const { tokens, ...prices } = job.terms;
  return runCost({
    tokens: tokens ?? 1e9,
    tokensPerSecondPerGpu: outcome.step.tokensPerSecondPerGpu,
    gpus: outcome.choice.gpus,
    ...prices,
  });
}

function answerOf(job: Job, outcome: Outcome): Answer {
  const { choice, seconds, bytes, step } = outcome;
  const run = costOf(job, outcome);
  return {
    choice,
    data: choice.gpus / (choice.tensor * choice.pipeline * choice.context),
    seconds,
    bytes,
    tokensPerSecondPerGpu: step.tokensPerSecondPerGpu,
    mfu: step.mfu[0]?.mfu ?? 0,
    bubble: step.bubble,
    ...(run === undefined ? {} : { run }),
  };
}

const PROVED = [
  'gpus',
  'tensor',
  'pipeline',
  'virtual',
  'context',
  'microBatch',
  'microbatches',
  'zero',
  'kind',
] as const;

/** True when the text after the edits says just this layout and nothing that its framework refuses. */
function proves(job: Job, after: Analysis, choice: Choice): boolean {
  const errors = (analysis: Analysis): number =>
    analysis.findings.filter(({ severity, rule }) => severity === 'error' && rule !== 'out-of-memory').length;
  if (after.resolved === undefined || errors(after) > errors(job.analysis)) return false;
  const read = trainingInputOf(after.resolved);
  if (read === undefined) return false;
  const now = ownChoice(read);
  const wanted = inputOf(job.input, choice);
  const experts = (job.input.model.experts ?? 0) > 0 ? (['expert', 'expertTensor'] as const) : [];
  const same = [...PROVED, ...experts].every((key) => now[key] === choice[key]);
  return (
    same &&
    read.recompute.granularity === wanted.recompute.granularity &&
    String(read.layout.stageLayers) === String(wanted.layout.stageLayers)
  );
}

function advised(job: Job, result: SearchResult, outcome: Outcome): Advised | undefined {
  const { analysis, input, machine } = job;
  const { own } = result;
  const { changes, edits } = writeChoice(analysis, input, outcome.choice);
  const after =
    edits === undefined || edits.length === 0 ? undefined : job.options.reanalyse(applyEdits(analysis.text, edits));
  // What can be written but is read back otherwise, or refused, is no answer for this framework.
  if (after !== undefined && !proves(job, after, outcome.choice)) return undefined;
  const times = followingDurations(analysis, after?.resolved);
  const answer = answerOf(job, outcome);
  const hours = (seconds: number, gpus: number): number => seconds * gpus;
  return {
    ...answer,
    onFront: result.front.includes(outcome),
    reasons: reasonsFor(own, outcome, machine.cluster),
    changes:
      times.length === 0 ? changes : [...changes, { field: 'pipeline.durations', from: 'as typed', to: 'scaled' }],
    ...(own === undefined
      ? {}
      : {
          gain: {
            time: outcome.seconds / own.seconds - 1,
            memory: outcome.bytes / own.bytes - 1,
            gpuHours: hours(outcome.seconds, outcome.choice.gpus) / hours(own.seconds, own.choice.gpus) - 1,
          },
        }),
    ...(after === undefined || edits === undefined ? {} : { edits: [...edits, ...times] }),
  };
}

const ORDER: Readonly<Record<Objective, (a: Outcome, b: Outcome) => number>> = {
  time: (a, b) => a.seconds - b.seconds || a.bytes - b.bytes,
  memory: (a, b) => a.bytes - b.bytes || a.seconds - b.seconds,
  cost: (a, b) => a.seconds * a.choice.gpus - b.seconds * b.choice.gpus || a.bytes - b.bytes,
};

/** The front first, in the order of the objective, then whatever else fits; the plan's own layout left out. */
function ranked(result: SearchResult, objective: Objective): Outcome[] {
  const order = ORDER[objective];
  const front = [...result.front].sort(order);
  const rest = result.fitting.filter((outcome) => !result.front.includes(outcome)).sort(order);
  return [...front, ...rest].filter((outcome) => outcome !== result.own);
}

function isBetter(own: Outcome | undefined, ownFits: boolean, other: Outcome, objective: Objective): boolean {
  if (own === undefined || !ownFits) return true;
  return ORDER[objective](other, own) < 0;
}

/** Two layouts that take the same time and memory are one answer to a reader. */
function isLike(answer: Answer, outcome: Outcome): boolean {
  const near = (a: number, b: number, share: number): boolean => Math.abs(a / b - 1) < share;
  return (
    answer.choice.gpus === outcome.choice.gpus &&
    near(answer.seconds, outcome.seconds, 0.005) &&
    near(answer.bytes, outcome.bytes, 0.02)
  );
}

function notesOf({ terms, options }: Job): string[] {
  if (options.objective !== 'cost' || terms.pricePerGpuHour !== undefined) return [];
  return [
    'No price of a GPU-hour is stated, so layouts are ranked by GPU-hours; say one as "# shardlens: price=2" or --price 2.',
  ];
}

function* run(job: Job): Generator<SearchProgress, Advice> {
  const { analysis, input, machine, options } = job;
  const kinds = kindsOf(analysis);
  const space = trainingSpace(input, {
    fixed: fixedFields(analysis),
    ...(kinds === undefined ? {} : { kinds }),
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
    ...(options.precision === undefined ? {} : { precision: options.precision }),
    unevenStages: analysis.dialect?.id === 'shardlens',
  });
  const result = yield* searchTraining(input, machine, space, options.target ?? {});
  const answers: Advised[] = [];
  let tried = 0;
  for (const outcome of ranked(result, options.objective)) {
    if (answers.length >= options.top || tried >= MOST_TRIED) break;
    if (answers.some((answer) => isLike(answer, outcome))) continue;
    if (!isBetter(result.own, result.ownFits, outcome, options.objective)) continue;
    tried += 1;
    const answer = advised(job, result, outcome);
    if (answer !== undefined) answers.push(answer);
    yield { done: tried, of: MOST_TRIED };
  }
  const nearest = result.nearest === undefined ? undefined : advised(job, result, result.nearest);
  const capacity = machine.cluster.memoryBytes;
  return {
    kind: 'training',
    ...(result.own === undefined
      ? {}
      : {
          own: {
            ...answerOf(job, result.own),
            fits: result.ownFits,
            distance: distanceToFront(result.own, result.front),
          },
        }),
    answers,
    ...(nearest === undefined ? {} : { nearest }),
    capacity,
    limit: Math.min(capacity, options.target?.bytes ?? capacity),
    counts: result.counts,
    notes: notesOf(job),
  };
}

/**
 * Looks for better layouts of a training file: what it lacks as an answer at once, else a search that can be paused and stopped.
 * Every answer with edits was written into the text, read back, and found to say just that layout.
 */
export function startAdvice(
  analysis: Analysis,
  options: AdviceOptions,
  calibration: Calibration = analysis.calibrated?.()?.calibration ?? {},
): Generator<SearchProgress, Advice> | NoAdvice {
  const missing = missingFor(analysis);
  if (missing !== undefined) return missing;
  const input = analysis.resolved === undefined ? undefined : trainingInputOf(analysis.resolved);
  if (input?.cluster === undefined) return { needs: ['cluster.gpu'], reason: 'the GPU is not known' };
  const machine = machineOf(input.cluster, calibration);
  if ('missing' in machine)
    return { needs: [machine.missing], reason: `${machine.missing} of ${input.cluster.gpu} is not known` };
  return run({ analysis, input, machine, options, terms: analysis.terms ?? {} });
}

/** Tells what is missing from a search that can run. */
export function hasNoAdvice(value: Generator<SearchProgress, Advice> | NoAdvice): value is NoAdvice {
  return 'needs' in value;
}
