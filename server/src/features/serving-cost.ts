import { hasNoCost } from '../engine/cost/plan-cost';
import {
  DEFAULT_LOAD,
  servingCost,
  type BatchPoint,
  type ServingCost,
  type ServingLoad,
} from '../engine/cost/serving-cost';
import type { NoCost } from '../engine/cost/plan-cost';
import type { Analysis } from './analysis';
import type { Directive } from './directives';
import { servingInputOf } from './estimates';
import { count, percent, plural, seconds } from './format';

/** What a server is asked to do: the nearest directive that says it, else a request that is usual. */
export function servingLoad(directives: readonly Directive[]): ServingLoad {
  const first = (key: 'prompt' | 'output'): number | undefined =>
    directives.map((directive) => directive[key]?.value).find((value) => value !== undefined);
  return {
    prompt: Math.round(first('prompt') ?? DEFAULT_LOAD.prompt),
    output: Math.round(first('output') ?? DEFAULT_LOAD.output),
  };
}

/** A cost that is worked out once, when somebody asks. A plain forward of one process is no server. */
export function lazyServingCost(
  resolved: NonNullable<Analysis['resolved']>,
  load: ServingLoad,
  calibrated: NonNullable<Analysis['calibrated']>,
): NonNullable<Analysis['servingCost']> {
  let known: { readonly cost: ServingCost | NoCost | undefined } | undefined;
  return () => {
    if (known === undefined) {
      const input = servingInputOf(resolved);
      const serves = input !== undefined && input.serving.prompt === undefined;
      known = { cost: serves ? servingCost(input, load, calibrated()?.calibration) : undefined };
    }
    return known.cost;
  };
}

/** The serving cost where there is one. */
export function servingCostOf(analysis: Analysis): ServingCost | undefined {
  const cost = analysis.servingCost?.();
  return cost === undefined || hasNoCost(cost) ? undefined : cost;
}

function loadText({ prompt, output }: ServingLoad): string {
  return `${count(prompt)} in, ${count(output)} out`;
}

const BOUNDS: Readonly<Record<ServingCost['bound'], string>> = {
  cache: 'as many as the cache holds',
  engine: 'as many as the engine takes',
  none: 'more are not looked at',
};

/** The rate counts the prefill of new requests on the same GPUs; so must a time between tokens that is to agree with it. */
function mixedText({ batches, disaggregated }: ServingCost): string {
  const { unifiedTpot, tpot } = disaggregated;
  const told = batches.at(-1)?.tpot === tpot && seconds(unifiedTpot) !== seconds(tpot);
  return told ? ` (${seconds(unifiedTpot)} with prefill between)` : '';
}

/** `1,534 output tokens/s a GPU at 512 sequences · TPOT 41.2 ms · TTFT 310 ms (2,048 in, 512 out)`. */
export function servingCostTitle(analysis: Analysis): string | undefined {
  const cost = servingCostOf(analysis);
  const last = cost?.batches.at(-1);
  if (cost === undefined || last === undefined) return undefined;
  return `${count(last.mixedRate)} output tokens/s a GPU at ${plural(last.sequences, 'sequence')} · TPOT ${seconds(last.tpot)}${mixedText(cost)} · TTFT ${seconds(cost.ttft)} (${loadText(cost.load)})`;
}

function batchText({ sequences, tpot, mixedRate }: BatchPoint): string {
  return `${count(sequences)}: ${seconds(tpot)}, ${count(mixedRate)}`;
}

/** What a hover tells of latency and throughput: the largest batch, the way there, and what the deployment could change. */
export function servingCostLines(analysis: Analysis): string[] {
  const cost = servingCostOf(analysis);
  const title = servingCostTitle(analysis);
  if (cost === undefined || title === undefined) return [];
  const { batches, bound, disaggregated, twoBatches, speculative, prefillRate } = cost;
  const step = Math.max(1, Math.ceil(batches.length / 5));
  const shown = batches.filter((_, at) => at % step === 0 || at === batches.length - 1);
  const { prefillShare, tpot, unifiedTpot } = disaggregated;
  return [
    `${title}; ${BOUNDS[bound]}`,
    `Sequences at once: TPOT, output tokens/s a GPU: ${shown.map(batchText).join(' · ')}`,
    `Prefill ${count(prefillRate)} tokens/s a GPU; on GPUs of its own it wants ${percent(prefillShare, 0)} of them, and TPOT stays at ${seconds(tpot)} instead of ${seconds(unifiedTpot)}`,
    ...(twoBatches === undefined ? [] : [`Two overlapped batches: ${percent(twoBatches.gain)} more tokens than one`]),
    ...(speculative === undefined
      ? []
      : [
          `Drafts: ${speculative.tokensPerStep.toFixed(2)} tokens a step at ${percent(speculative.acceptance, 0)} taken; without them TPOT is ${seconds(speculative.tpotWithout)}`,
        ]),
  ];
}

/** `time` of the `estimate` document for a server: seconds and tokens. */
export interface ServingTimeAnswer {
  readonly ttftSeconds: number;
  /** At the largest batch. */
  readonly tpotSeconds: number;
  /** Output tokens with prefill on the same GPUs, at the largest batch. */
  readonly tokensPerSecondPerGpu: number;
  readonly prefillTokensPerSecondPerGpu: number;
  readonly decodeTokensPerSecondPerGpu: number;
  readonly sequences: number;
  readonly bound: string;
  readonly load: { readonly promptTokens: number; readonly outputTokens: number };
  readonly batches: readonly {
    readonly sequences: number;
    readonly tpotSeconds: number;
    readonly decodeTokensPerSecondPerGpu: number;
    readonly tokensPerSecondPerGpu: number;
  }[];
  readonly disaggregated: {
    readonly prefillShare: number;
    readonly tpotSeconds: number;
    readonly unifiedTpotSeconds: number;
  };
  readonly twoBatchOverlap?: { readonly tpotWithoutSeconds: number; readonly gain: number };
  readonly speculative?: {
    readonly tokensPerStep: number;
    readonly acceptance: number;
    readonly tpotWithoutSeconds: number;
  };
}

/** The `time` of an analysed serving file; undefined where there is none. */
export function servingTimeAnswer(analysis: Analysis): ServingTimeAnswer | undefined {
  const cost = servingCostOf(analysis);
  const last = cost?.batches.at(-1);
  if (cost === undefined || last === undefined) return undefined;
  const { disaggregated, twoBatches, speculative } = cost;
  return {
    ttftSeconds: cost.ttft,
    tpotSeconds: last.tpot,
    tokensPerSecondPerGpu: last.mixedRate,
    prefillTokensPerSecondPerGpu: cost.prefillRate,
    decodeTokensPerSecondPerGpu: last.decodeRate,
    sequences: last.sequences,
    bound: cost.bound,
    load: { promptTokens: cost.load.prompt, outputTokens: cost.load.output },
    batches: cost.batches.map(({ sequences, tpot, decodeRate, mixedRate }) => ({
      sequences,
      tpotSeconds: tpot,
      decodeTokensPerSecondPerGpu: decodeRate,
      tokensPerSecondPerGpu: mixedRate,
    })),
    disaggregated: {
      prefillShare: disaggregated.prefillShare,
      tpotSeconds: disaggregated.tpot,
      unifiedTpotSeconds: disaggregated.unifiedTpot,
    },
    ...(twoBatches === undefined
      ? {}
      : { twoBatchOverlap: { tpotWithoutSeconds: twoBatches.tpot, gain: twoBatches.gain } }),
    ...(speculative === undefined
      ? {}
      : {
          speculative: {
            tokensPerStep: speculative.tokensPerStep,
            acceptance: speculative.acceptance,
            tpotWithoutSeconds: speculative.tpotWithout,
          },
        }),
  };
}
