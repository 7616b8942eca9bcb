import type { Finding, Severity } from './finding';
import { enforcedOn } from './enforced';
import type { Plan, Planned, Sourced } from './plan';

type Section = 'model' | 'batch' | 'serving' | 'cluster';

interface Bound {
  readonly section: Section;
  readonly keys: readonly string[];
  readonly least: number;
  /** What a value below `least` means: nothing can be built (error), or the framework's own word for "choose" (nothing to say). */
  readonly below: Severity | 'meaningful';
}

/** Larger than any real dimension by orders of magnitude, and still exact in every product of a few of them that counts. */
const LARGEST = 2 ** 31;
/** Batches and token counts reach further than widths. */
const LARGEST_COUNT = 2 ** 40;
/** More GPUs than any world has. */
const MOST_RANKS = 2 ** 24;
/** Per-layer lists are made from the count, so it is bounded by what a list may hold. */
const MOST_LAYERS = 100_000;

const BOUNDS: readonly Bound[] = [
  {
    section: 'model',
    keys: ['layers', 'hiddenSize', 'vocabSize', 'heads', 'kvHeads', 'headDim'],
    least: 1,
    below: 'error',
  },
  {
    section: 'model',
    keys: [
      'intermediateSize',
      'qLoraRank',
      'kvLoraRank',
      'qkNopeHeadDim',
      'qkRopeHeadDim',
      'vHeadDim',
      'indexHeads',
      'indexHeadDim',
      'indexTopk',
      'experts',
      'expertsPerToken',
      'expertIntermediateSize',
      'sharedExperts',
      'sharedExpertIntermediateSize',
      'expertGroups',
      'groupsPerToken',
      'mtpLayers',
      'slidingWindow',
      'maxPositions',
    ],
    least: 0,
    below: 'error',
  },
  { section: 'batch', keys: ['microBatch', 'globalBatch', 'microbatches', 'sequenceLength'], least: 1, below: 'error' },
  { section: 'cluster', keys: ['gpus', 'nodes', 'gpusPerNode'], least: 1, below: 'error' },
  { section: 'serving', keys: ['pageSize'], least: 1, below: 'error' },
  {
    section: 'serving',
    keys: ['contextLength', 'maxConcurrency', 'chunkedPrefill', 'cudaGraphMaxBatch', 'denseTensor'],
    least: 1,
    below: 'meaningful',
  },
  { section: 'serving', keys: ['speculativeTokens'], least: 0, below: 'meaningful' },
];

function largestOf(section: Section, key: string): number {
  if (section === 'cluster') return MOST_RANKS;
  if (section !== 'model') return LARGEST_COUNT;
  return key === 'layers' || key === 'mtpLayers' ? MOST_LAYERS : LARGEST;
}

/** What is wrong with one size, or undefined where it can be computed with. */
function fault(value: Sourced<unknown>, bound: Bound, most: number): Finding | 'drop' | undefined {
  const number = value.value;
  if (typeof number !== 'number' || (Number.isInteger(number) && number >= bound.least && number <= most))
    return undefined;
  const low = !(number >= bound.least);
  if (low && bound.below === 'meaningful') return 'drop';
  if (value.origin !== 'file' || value.at === undefined) return 'drop';
  const whole = Number.isFinite(number) ? Math.round(number) : bound.least;
  const nearest = Math.min(most, Math.max(bound.least, whole));
  return {
    rule: 'size-not-positive',
    severity: bound.below === 'meaningful' ? 'warning' : bound.below,
    message: `${value.label ?? 'The size'} ${number} is not possible: it has to be a whole number from ${bound.least} to ${most}; the nearest legal value is ${nearest}.`,
    ...(value.at.uri === undefined ? { at: value.at } : { related: [{ at: value.at, message: 'stands here' }] }),
  };
}

/** A share of the device's memory, or undefined where it is one: nothing can take more than all, or none. */
function fractionFault(value: Sourced<number>): Finding | 'drop' | undefined {
  if (value.value > 0 && value.value <= 1) return undefined;
  if (value.origin !== 'file' || value.at?.uri !== undefined || value.at === undefined) return 'drop';
  return {
    rule: 'fraction-out-of-range',
    severity: 'error',
    message: `${value.label ?? 'The memory fraction'} ${value.value} is not possible: it is a share of the device's memory, above 0 and at most 1; the nearest legal value is ${value.value > 1 ? 1 : 0.01}.`,
    at: value.at,
  };
}

/**
 * The plan without the sizes that nothing can be computed from (zero, negative, fractional, larger than anything that exists),
 * and a finding for each that the file states. Whoever computes after this may trust every size to be a count.
 */
export function usablePlan(plan: Plan): { readonly plan: Plan; readonly findings: readonly Finding[] } {
  const findings: Finding[] = [];
  const sections: Record<Section, Record<string, Sourced<unknown> | undefined>> = {
    model: plan.model as Planned<Record<string, unknown>>,
    cluster: plan.cluster as Planned<Record<string, unknown>>,
    batch: plan.batch as Planned<Record<string, unknown>>,
    serving: plan.serving as Planned<Record<string, unknown>>,
  };
  for (const bound of BOUNDS) {
    for (const key of bound.keys) {
      const value = sections[bound.section][key];
      const found = value === undefined ? undefined : fault(value, bound, largestOf(bound.section, key));
      if (found === undefined) continue;
      const { [key]: _dropped, ...rest } = sections[bound.section];
      sections[bound.section] = rest;
      if (found !== 'drop') findings.push(found);
    }
  }
  const fraction = plan.serving.memoryFraction;
  const found = fraction === undefined ? undefined : fractionFault(fraction);
  if (found !== undefined) {
    const { memoryFraction: _dropped, ...rest } = sections.serving;
    sections.serving = rest;
    if (found !== 'drop') findings.push(found);
  }
  return { plan: { ...plan, ...sections } as Plan, findings: enforcedOn(plan, findings) };
}
