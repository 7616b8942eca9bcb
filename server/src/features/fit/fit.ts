import type { MemoryReport } from '../../engine/memory/report';
import type { ResolvedPlan } from '../../plan/plan';
import { outcomeOf, secondsOf, type Outcome, type Value } from './change';
import { servingKnobs, trainingKnobs, type Knob } from './knobs';

/** One change of one value, with what it brings and what it costs. Bytes are of the fullest rank. */
export interface FitOption {
  /** Dotted plan field that a person changes. */
  readonly field: string;
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** What the field is given; `alone` where nothing else is changed with it. */
  readonly value: Value;
  readonly alone: boolean;
  /** Total of the fullest rank afterwards. */
  readonly bytes: number;
  /** Bytes less than now; negative where it takes more. */
  readonly saved: number;
  readonly fits?: boolean;
  readonly cost: string;
  /** Change of the time of one step over the same batch, as a share; where the cost model knows the GPU. */
  readonly stepChange?: number;
  /** Tokens that the cache holds afterwards, and how many more than now; serving only. */
  readonly tokens?: number;
  readonly moreTokens?: number;
}

/** Smallest saving worth a line, as a share of the fullest rank. */
const LEAST = 0.002;
/** Plans whose schedule takes longer to time than an answer may are shown without times. */
const LARGEST_TIMED = 4_096;

function isTimed({ layout, batch, plan }: ResolvedPlan): boolean {
  if (plan.task !== 'training' || layout === undefined || batch === undefined) return false;
  return layout.pipeline * layout.virtualPipeline * Math.min(batch.microbatches, 256) <= LARGEST_TIMED;
}

interface Tried {
  readonly knob: Knob;
  readonly after: Outcome;
  readonly option: FitOption;
}

function tried(knob: Knob, now: MemoryReport, after: Outcome): Tried {
  const { memory } = after;
  const fits = memory.classes[memory.peak.classIndex]?.fits;
  const tokens = memory.kvCache?.tokens;
  const before = now.kvCache?.tokens;
  const option: FitOption = {
    field: knob.changes[0].field,
    name: knob.name,
    from: knob.from,
    to: knob.to,
    value: knob.changes[0].value,
    alone: knob.changes.length === 1,
    bytes: memory.peak.bytes,
    saved: now.peak.bytes - memory.peak.bytes,
    ...(fits === undefined ? {} : { fits }),
    cost: knob.cost,
    ...(tokens === undefined || before === undefined ? {} : { tokens, moreTokens: tokens - before }),
  };
  return { knob, after, option };
}

/** Of several values of one degree: the first that fits, else the one that saves most. */
function bestOfEach(all: readonly Tried[]): Tried[] {
  const kept = new Map<string, Tried>();
  for (const one of all) {
    const { field, to, fits, saved } = one.option;
    const key = field.startsWith('layout.') ? field : `${field} ${to}`;
    const old = kept.get(key)?.option;
    if (old === undefined || (old.fits !== true && (fits === true || saved > old.saved))) kept.set(key, one);
  }
  return [...kept.values()];
}

/** The option with the change of a step's time; the cost model times no copies between GPU and CPU. */
function timed({ option, after }: Tried, now: number | undefined): FitOption {
  if (now === undefined || option.field.startsWith('optimizer.offload')) return option;
  const seconds = secondsOf(after.resolved);
  return seconds === undefined ? option : { ...option, stepChange: seconds / now - 1 };
}

/** The first change that makes a plan fit, in the order of a person's reach; trying stops there, so that a diagnostic can name it. */
export function firstFitting(resolved: ResolvedPlan, now: MemoryReport): FitOption | undefined {
  const knobs = resolved.plan.task === 'serving' ? servingKnobs(resolved) : trainingKnobs(resolved);
  for (const knob of knobs) {
    const after = outcomeOf(resolved, knob.changes);
    const option = after === undefined ? undefined : tried(knob, now, after).option;
    if (option?.fits === true) return option;
  }
  return undefined;
}

/**
 * Every single change of a plan that saves memory on its fullest rank, or gives a server more cache, each computed by estimating the
 * changed plan: those that make it fit first, then by bytes saved. Changes that the framework refuses are left out. Without `times` the
 * time of a step is not looked at.
 */
export function fitOptions(resolved: ResolvedPlan, now: MemoryReport, times = true): FitOption[] {
  const { task } = resolved.plan;
  if (task === 'model') return [];
  const seconds = times && isTimed(resolved) ? secondsOf(resolved) : undefined;
  const knobs = task === 'serving' ? servingKnobs(resolved) : trainingKnobs(resolved);
  const all = knobs.flatMap((knob) => {
    const after = outcomeOf(resolved, knob.changes);
    return after === undefined ? [] : [tried(knob, now, after)];
  });
  const useful = all.filter(
    ({ option: { saved, moreTokens = 0 } }) => saved > LEAST * now.peak.bytes || moreTokens > 0,
  );
  const rank = ({ fits }: FitOption): number => (fits === true ? 0 : 1);
  // A server that fits wants room for tokens.
  const roomy = task === 'serving' && now.classes[now.peak.classIndex]?.fits === true;
  const gain = ({ saved, moreTokens = 0 }: FitOption): number => (roomy ? moreTokens : saved);
  return bestOfEach(useful)
    .map((one) => timed(one, seconds))
    .sort((a, b) => rank(a) - rank(b) || gain(b) - gain(a));
}
