import type { ServingLoad } from '../engine/cost/serving-cost';
import { calibrate, type Calibrated } from './calibrate/calibrate';
import type { RunTerms, TrainingCost } from '../engine/cost/plan-cost';
import { hasNoCost, trainingCost } from '../engine/cost/plan-cost';
import type { StepParts } from '../engine/cost/training-step';
import type { Analysis } from './analysis';
import type { Directive } from './directives';
import { trainingInputOf } from './estimates';
import { typedSeconds } from './schedule/planned';
import { count, parameters, percent, seconds } from './format';

/** The first directive that says an amount wins, nearest first. */
function firstOf(directives: readonly Directive[], key: 'price' | 'watts' | 'tokens'): number | undefined {
  return directives.map((directive) => directive[key]?.value).find((value) => value !== undefined);
}

/** What the run is to reach and costs, from comments, workspace file and settings. */
export function runTerms(directives: readonly Directive[]): RunTerms {
  const tokens = firstOf(directives, 'tokens');
  const pricePerGpuHour = firstOf(directives, 'price');
  const wattsPerGpu = firstOf(directives, 'watts');
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(pricePerGpuHour === undefined ? {} : { pricePerGpuHour }),
    ...(wattsPerGpu === undefined ? {} : { wattsPerGpu }),
  };
}

/** What measurements make of the estimates, worked out once, when somebody asks. */
export function lazyCalibration(
  resolved: NonNullable<Analysis['resolved']>,
  load: ServingLoad,
  memory: Analysis['memory'],
  text: string | undefined,
): NonNullable<Analysis['calibrated']> {
  let known: { readonly found: Calibrated | undefined } | undefined;
  return () => {
    known ??= { found: text === undefined ? undefined : calibrate(resolved, text, load, memory) };
    return known.found;
  };
}

/** A cost that is worked out once, when somebody asks: schedules are simulated for it. */
export function lazyCost(
  resolved: NonNullable<Analysis['resolved']>,
  terms: RunTerms,
  calibrated: NonNullable<Analysis['calibrated']>,
): NonNullable<Analysis['cost']> {
  let known: { readonly cost: ReturnType<NonNullable<Analysis['cost']>> } | undefined;
  return () => {
    if (known === undefined) {
      const input = trainingInputOf(resolved);
      known = { cost: input === undefined ? undefined : trainingCost(input, terms, calibrated()?.calibration) };
    }
    return known.cost;
  };
}

/** The cost where there is one. */
export function costOf(analysis: Analysis): TrainingCost | undefined {
  const cost = analysis.cost?.();
  return cost === undefined || hasNoCost(cost) ? undefined : cost;
}

/** `MFU 39.1 % of BF16, causal`: never a utilisation without what it is measured against. */
export function mfuText({ utilisations }: TrainingCost): string {
  const [first] = utilisations;
  return first === undefined
    ? ''
    : `MFU ${percent(first.mfu)} of the ${first.peak} peak, attention ${first.causal ? 'causal' : 'whole'}`;
}

function runText({ run, perBillion }: TrainingCost): string | undefined {
  const of = run ?? perBillion;
  if (of === undefined) return undefined;
  const money = of.money === undefined ? '' : ` · cost ${count(of.money)}`;
  const energy = of.kilowattHours === undefined ? '' : ` · ${count(of.kilowattHours)} kWh`;
  if (run === undefined)
    return money + energy === '' ? undefined : `a billion tokens: ${count(of.gpuHours)} GPU-hours${money}${energy}`;
  return `${run.days.toFixed(1)} days · ${count(run.gpuHours)} GPU-hours${money}${energy}`;
}

const PART_NAMES: Readonly<Record<Exclude<keyof StepParts, 'recompute'>, string>> = {
  compute: 'compute',
  host: 'host',
  tensor: 'tensor parallel',
  context: 'context parallel',
  expert: 'expert exchange',
  pipeline: 'pipeline idle',
  data: 'data parallel',
  optimizer: 'optimizer',
  straggling: 'stragglers',
};

/** What a step is spent on, largest first, below one per cent left out. */
export function partsText({ parts, stepSeconds }: TrainingCost): string {
  return (Object.keys(PART_NAMES) as (keyof typeof PART_NAMES)[])
    .map((part) => [part, parts[part] / stepSeconds] as const)
    .filter(([, share]) => share >= 0.01)
    .sort((a, b) => b[1] - a[1])
    .map(([part, share]) => `${PART_NAMES[part]} ${percent(share, 0)}`)
    .join(', ');
}

/** `12.3 s a step`; beside it what the schedule takes by durations of the file, where those are another measure of the same step. */
function stepText({ stepSeconds }: TrainingCost, { resolved }: Analysis, model: string): string {
  const typed = resolved === undefined ? undefined : typedSeconds(resolved);
  const own = `${seconds(stepSeconds)} a step`;
  return typed === undefined ? own : `${own}${model} (${seconds(typed)} by the typed durations)`;
}

/** `12.3 s a step · 1,534 tokens/s a GPU · MFU …`, and what the run takes. */
export function costLines(analysis: Analysis): string[] {
  const cost = costOf(analysis);
  if (cost === undefined) return [];
  const head = `${stepText(cost, analysis, ' by the cost model')} · ${count(cost.tokensPerSecondPerGpu)} tokens/s a GPU · ${mfuText(cost)}`;
  const run = runText(cost);
  return [head, `Step: ${partsText(cost)}`, ...(run === undefined ? [] : [run])];
}

/** The short form above the file. */
export function costTitle(analysis: Analysis): string | undefined {
  const cost = costOf(analysis);
  if (cost === undefined) return undefined;
  const days =
    cost.run === undefined
      ? ''
      : ` · ${cost.run.days.toFixed(1)} days for ${parameters(cost.run.seconds * cost.tokensPerSecondPerGpu * (analysis.resolved?.layout?.worldSize ?? 1))} tokens`;
  const [mfu] = cost.utilisations;
  const share = mfu === undefined ? '' : ` · MFU ${percent(mfu.mfu)} (${mfu.peak}, causal)`;
  return `${stepText(cost, analysis, '')} · ${count(cost.tokensPerSecondPerGpu)} tokens/s a GPU${share}${days}`;
}

/** `time` of the `estimate` document: seconds, tokens and FLOPs; shares as fractions. */
export interface TimeAnswer {
  readonly stepSeconds: number;
  readonly tokensPerStep: number;
  readonly tokensPerSecond: number;
  readonly tokensPerSecondPerGpu: number;
  readonly flopsPerToken: number;
  /** Against the dense BF16 peak, attention counted as causal kernels compute it. */
  readonly mfu: number;
  readonly mfuPeak: string;
  readonly mfuCausal: boolean;
  /** The same by every convention. */
  readonly utilisation: readonly { readonly mfu: number; readonly peak: string; readonly causal: boolean }[];
  readonly bubble: number;
  /** Seconds of one step by cause; `recompute` is part of `compute`, the others sum to the step. */
  readonly parts: StepParts;
  /** Of the whole run: absent while its number of tokens is not stated. */
  readonly tokens?: number;
  readonly days?: number;
  readonly gpuHours?: number;
  readonly money?: number;
  readonly kilowattHours?: number;
}

/** The `time` of an analysed file; undefined where there is none. */
export function timeAnswer(analysis: Analysis): TimeAnswer | undefined {
  const cost = costOf(analysis);
  if (cost === undefined) return undefined;
  const { run, utilisations, stepSeconds, tokensPerStep, tokensPerSecondPerGpu, flopsPerToken, bubble, parts } = cost;
  const [first] = utilisations;
  const { tokens } = analysis.terms ?? {};
  return {
    stepSeconds,
    tokensPerStep,
    tokensPerSecond: tokensPerStep / stepSeconds,
    tokensPerSecondPerGpu,
    flopsPerToken,
    mfu: first?.mfu ?? 0,
    mfuPeak: first?.peak ?? 'BF16',
    mfuCausal: first?.causal ?? true,
    utilisation: utilisations.map(({ mfu, peak, causal }) => ({ mfu, peak, causal })),
    bubble,
    parts,
    ...(run === undefined || tokens === undefined
      ? {}
      : {
          tokens,
          days: run.days,
          gpuHours: run.gpuHours,
          ...(run.money === undefined ? {} : { money: run.money }),
          ...(run.kilowattHours === undefined ? {} : { kilowattHours: run.kilowattHours }),
        }),
  };
}
