import type { ServingInput } from '../memory/input';
import { estimateServing } from '../memory/serving';
import { size } from '../model/tensors';
import type { PassTime } from './serving-pass';
import { servingPass } from './serving-pass';
import { machineOf, type Calibration, type Machine } from './rates';
import type { NoCost } from './plan-cost';

/** What a server is asked to do. Tokens. */
export interface ServingLoad {
  readonly prompt: number;
  readonly output: number;
  /** Tokens on the busiest rank's experts over the mean. */
  readonly imbalance?: number;
  /** Only the smallest and the largest batch: enough to choose by. */
  readonly ends?: boolean;
  /** Chance that a drafted token is taken, the ones before it taken. */
  readonly acceptance?: number;
}

/** A chat with a document: what is taken where nobody says what is asked. */
export const DEFAULT_LOAD: ServingLoad = { prompt: 2048, output: 512 };

/** Tokens on the busiest rank's experts over the mean under real traffic: SGLang's 96-GPU deployment lost 18 % of prefill to it. */
const IMBALANCE = 1.4;
/** DeepSeek-V3 takes 85 to 90 % of its second tokens (arXiv 2412.19437, section 5.4.3). */
const ACCEPTANCE = 0.85;
/** Tokens of one prefill pass of a group where the engine names none. */
const CHUNK = 8192;

/** One batch size of a server. */
export interface BatchPoint {
  /** Sequences on the whole server. */
  readonly sequences: number;
  /** Seconds from one token of a sequence to the next. */
  readonly tpot: number;
  /** Output tokens a second and GPU while only decoding. */
  readonly decodeRate: number;
  /** Output tokens a second and GPU with prefill on the same GPUs. */
  readonly mixedRate: number;
  readonly step: PassTime;
}

export interface ServingCost {
  readonly gpus: number;
  readonly load: ServingLoad;
  /** Seconds to the first token of one prompt on an idle server. */
  readonly ttft: number;
  /** Prompt tokens a second and GPU with full passes. */
  readonly prefillRate: number;
  readonly prefill: PassTime;
  /** Throughput against batch, up to what cache and engine allow; ascending. */
  readonly batches: readonly BatchPoint[];
  /** Sequences that the cache holds, whole server; absent without a capacity. */
  readonly cacheSequences?: number;
  /** What bounds the largest batch. */
  readonly bound: 'cache' | 'engine' | 'none';
  /** Share of GPUs for prefill that keeps a disaggregated deployment in balance at the largest batch, and what it gives. */
  readonly disaggregated: {
    readonly prefillShare: number;
    readonly outputRate: number;
    /** Seconds between tokens, and between tokens where prefill interrupts decoding on the same GPUs. */
    readonly tpot: number;
    readonly unifiedTpot: number;
  };
  /** Largest batch with two overlapped batches against one; only with expert parallelism. */
  readonly twoBatches?: { readonly tpot: number; readonly gain: number };
  /** Largest batch without drafts against with them. */
  readonly speculative?: { readonly tokensPerStep: number; readonly acceptance: number; readonly tpotWithout: number };
}

/** Tokens a step gives with `drafts` drafted ones that are each taken with probability `p`: a geometric sum (arXiv 2211.17192, equation 1). */
export function acceptedTokens(drafts: number, p: number): number {
  if (drafts <= 0) return 1;
  return p >= 1 ? drafts + 1 : (1 - Math.pow(p, drafts + 1)) / (1 - p);
}

interface Job {
  readonly input: ServingInput;
  readonly machine: Machine;
  readonly load: ServingLoad;
  readonly groups: number;
  readonly gpus: number;
  readonly drafts: number;
  readonly imbalance: number;
}

/** A decode step of `sequences` a group, drafts verified in it and drafted by the model's own extra layers. */
function decodeStep(job: Job, sequences: number, drafts: number, twoBatches: boolean): PassTime {
  const { input, machine, load, imbalance } = job;
  const context = load.prompt + load.output / 2;
  const step = servingPass(input, machine, {
    phase: 'decode',
    sequences,
    tokens: 1 + drafts,
    context,
    twoBatches,
    imbalance,
  });
  // A drafting layer costs about one layer and the head again for each drafted token.
  const extra = drafts > 0 ? (drafts * step.seconds) / Math.max(1, input.model.layers) + drafts * 3e-4 : 0;
  return { ...step, seconds: step.seconds + extra };
}

function pointOf(job: Job, sequences: number, prefillRate: number): BatchPoint {
  const { groups, gpus, load, drafts } = job;
  const step = decodeStep(job, sequences / groups, drafts, job.input.layout.expert > 1 && sequences / groups >= 2);
  const tokens = acceptedTokens(drafts, load.acceptance ?? ACCEPTANCE);
  const tpot = step.seconds / tokens;
  const decodeRate = sequences / tpot / gpus;
  // A request takes its prompt's share and its output's share of the same GPUs.
  const mixedRate = load.output / (load.prompt / prefillRate + load.output / decodeRate);
  return { sequences, tpot, decodeRate, mixedRate, step };
}

/** Sequences of the whole server to look at: powers of two, then the largest. */
function batchSizes(groups: number, most: number): number[] {
  const out: number[] = [];
  for (let sequences = Math.max(1, groups); sequences < most; sequences *= 2) out.push(sequences);
  return [...out, Math.max(groups, most)];
}

/** Passes of one prompt, each after what came before it: a pass grows evenly with its context, so the first and the last tell them all. */
function timeToFirst(job: Job, chunk: number): number {
  const { input, machine, load, imbalance } = job;
  const pass = (tokens: number, context: number): number =>
    servingPass(input, machine, { phase: 'prefill', sequences: 1, tokens, context, imbalance }).seconds;
  const whole = Math.floor(load.prompt / chunk);
  const rest = load.prompt - whole * chunk;
  const full = whole === 0 ? 0 : (whole * (pass(chunk, 0) + pass(chunk, (whole - 1) * chunk))) / 2;
  return full + (rest > 0 ? pass(rest, whole * chunk) : 0);
}

/** Most sequences of a server whose engine and cache say nothing: more are of no use to a person who waits. */
const MOST_SEQUENCES = 1024;

function limitsOf(job: Job): {
  readonly most: number;
  readonly cache: number | undefined;
  readonly bound: ServingCost['bound'];
} {
  const { input, load, groups } = job;
  const tokens = estimateServing(input).kvCache?.tokens;
  const perSequence = Math.max(1, load.prompt + load.output);
  const cache = tokens === undefined ? undefined : Math.floor(tokens / perSequence) * groups;
  const engine = size(input.serving.maxConcurrency) || undefined;
  const most = Math.min(cache ?? Infinity, engine ?? Infinity, MOST_SEQUENCES * groups);
  const bound = most === cache ? 'cache' : most === engine ? 'engine' : 'none';
  return { most, cache, bound };
}

/** No model has more layers; a time that nobody can need must not take seconds to work out. */
const MOST_LAYERS = 2000;

function usable(input: ServingInput, load: ServingLoad): NoCost | undefined {
  if (!(input.model.layers <= MOST_LAYERS)) return { missing: 'model.layers', reason: 'no model has so many layers' };
  if (input.cluster === undefined) return { missing: 'cluster.gpu', reason: 'no GPU is named' };
  if (!(load.prompt >= 1 && load.output >= 1 && load.prompt + load.output < 2 ** 30))
    return { missing: 'serving.contextLength', reason: 'prompt and output have to be positive numbers of tokens' };
  return undefined;
}

/** Time to first token, time between tokens and throughput of a server under a load, against batch up to its cache. */
export function servingCost(
  input: ServingInput,
  load: ServingLoad = DEFAULT_LOAD,
  calibration: Calibration = {},
): ServingCost | NoCost {
  const refused = usable(input, load);
  if (refused !== undefined || input.cluster === undefined)
    return refused ?? { missing: 'cluster.gpu', reason: 'no GPU is named' };
  const machine = machineOf(input.cluster, calibration);
  if ('missing' in machine) return { missing: machine.missing, reason: `${machine.missing} of the GPU is not known` };
  const { layout, serving } = input;
  const job: Job = {
    input,
    machine,
    load,
    groups: Math.max(1, layout.attentionData),
    gpus: Math.max(1, layout.worldSize),
    drafts: Math.min(16, size(serving.speculativeTokens)),
    imbalance: load.imbalance ?? IMBALANCE,
  };
  const { most, cache, bound } = limitsOf(job);
  if (most < 1) return { missing: 'serving.memoryFraction', reason: 'the cache has no room for one such request' };
  const chunk = Math.max(1, size(serving.chunkedPrefill) || CHUNK);
  const pass = servingPass(input, machine, {
    phase: 'prefill',
    sequences: Math.max(1, chunk / load.prompt),
    tokens: Math.min(chunk, load.prompt),
    context: 0,
    twoBatches: layout.expert > 1,
    imbalance: job.imbalance,
  });
  const perPass = Math.max(chunk, Math.min(chunk, load.prompt));
  const prefillRate = (perPass * job.groups) / pass.seconds / job.gpus;
  const sizes = load.ends === true ? [job.groups, Math.max(job.groups, most)] : batchSizes(job.groups, most);
  const batches = sizes.map((sequences) => pointOf(job, sequences, prefillRate));
  const last = batches.at(-1);
  if (last === undefined || !Number.isFinite(last.tpot) || !(prefillRate > 0))
    return { missing: 'batch', reason: 'the sizes give no finite time' };
  return {
    gpus: job.gpus,
    load,
    ttft: timeToFirst(job, chunk),
    prefillRate,
    prefill: pass,
    batches,
    ...(cache === undefined ? {} : { cacheSequences: cache }),
    bound,
    disaggregated: disaggregation(job, last, prefillRate),
    ...(load.ends === true ? {} : extras(job, last)),
  };
}

function disaggregation({ load }: Job, last: BatchPoint, prefillRate: number): ServingCost['disaggregated'] {
  const before = load.prompt / prefillRate;
  const after = load.output / last.decodeRate;
  const prefillShare = before / (before + after);
  return {
    prefillShare,
    outputRate: load.output / (before + after),
    tpot: last.tpot,
    unifiedTpot: last.tpot / Math.max(1e-3, 1 - prefillShare),
  };
}

function extras(job: Job, last: BatchPoint): Pick<ServingCost, 'twoBatches' | 'speculative'> {
  const { groups, drafts, load, input } = job;
  const sequences = last.sequences / groups;
  const tokens = acceptedTokens(drafts, load.acceptance ?? ACCEPTANCE);
  const one =
    input.layout.expert > 1 && sequences >= 2 ? decodeStep(job, sequences, drafts, false).seconds / tokens : undefined;
  const plain = drafts > 0 ? decodeStep(job, sequences, 0, input.layout.expert > 1).seconds : undefined;
  return {
    ...(one === undefined ? {} : { twoBatches: { tpot: one, gain: one / last.tpot - 1 } }),
    ...(plain === undefined
      ? {}
      : { speculative: { tokensPerStep: tokens, acceptance: load.acceptance ?? ACCEPTANCE, tpotWithout: plain } }),
  };
}
