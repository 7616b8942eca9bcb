import type { Calibration } from '../../engine/cost/rates';
import { DEFAULT_LOAD } from '../../engine/cost/serving-cost';
import type { SearchProgress } from '../../engine/search/training-search';
import {
  ownServingChoice,
  searchServing,
  type ServingChoice,
  type ServingOutcome,
  type ServingResult,
  type ServingTarget,
} from '../../engine/search/serving-search';
import type { ServingInput } from '../../engine/memory/input';
import type { SyntaxEdit } from '../../syntax/edits';
import type { Analysis } from '../analysis';
import { gpuIsAssumed } from '../answers';
import { servingInputOf } from '../estimates';
import { count, percent, plural, seconds } from '../format';
import type { NoAdvice, Objective } from './advise';
import type { Change } from './write-choice';
import { applyEdits, canWrite, setRootKey, writeField, type FieldValue } from './write-field';

export interface ServingAdviceOptions {
  readonly objective: Objective;
  readonly top: number;
  readonly gpus?: readonly number[];
  readonly target?: ServingTarget;
  readonly calibration?: Calibration;
  readonly reanalyse: (text: string) => Analysis;
}

export interface ServingAdvised {
  readonly outcome: ServingOutcome;
  readonly reasons: readonly string[];
  readonly changes: readonly Change[];
  readonly edits?: readonly SyntaxEdit[];
}

export interface ServingAdvice {
  readonly kind: 'serving';
  readonly own?: ServingOutcome;
  readonly ownFits: boolean;
  readonly answers: readonly ServingAdvised[];
  readonly nearest?: ServingAdvised;
  readonly legal: number;
}

/** `time`: quickest tokens to one user; `cost`: most tokens a GPU; `memory`: most cache a GPU. */
const ORDER: Readonly<Record<Objective, (a: ServingOutcome, b: ServingOutcome) => number>> = {
  time: (a, b) => a.tpotOne - b.tpotOne || b.rate - a.rate,
  cost: (a, b) => b.rate - a.rate || a.tpotOne - b.tpotOne,
  memory: (a, b) => b.cachePerGpu - a.cachePerGpu || b.rate - a.rate,
};

const SEARCHED = ['layout.tensor', 'layout.attentionData', 'layout.expert'] as const;

function missingFor({ resolved }: Analysis): NoAdvice | undefined {
  if (resolved?.model === undefined)
    return {
      needs: ['model.name'],
      reason: 'a better split can only be looked for with the model, such as "# shardlens: model=llama-3.1-8b"',
    };
  if (resolved.cluster === undefined || gpuIsAssumed(resolved))
    return {
      needs: ['cluster.gpu'],
      reason: 'a better split can only be looked for with the GPU, such as "# shardlens: gpu=H800" or --gpu H800',
    };
  if (resolved.layout === undefined)
    return { needs: ['layout'], reason: 'parallel degrees that are whole numbers have to stand in the file' };
  return undefined;
}

function write(
  analysis: Analysis,
  own: ServingChoice,
  choice: ServingChoice,
): { changes: Change[]; edits: SyntaxEdit[] | undefined } {
  const values: readonly (readonly [string, number, number])[] = [
    ['layout.tensor', own.tensor, choice.tensor],
    ['layout.attentionData', own.attentionData, choice.attentionData],
    ['layout.expert', own.expert, choice.expert],
  ];
  const changed = values.filter(([, before, after]) => before !== after);
  const changes = changed.map(([field, before, after]): Change => ({ field, from: String(before), to: String(after) }));
  const edits: SyntaxEdit[] = [];
  for (const [field, , after] of changed) {
    const one = writeField(analysis, field, after as FieldValue);
    if (one === undefined) return { changes, edits: undefined };
    edits.push(...one);
  }
  // SGLang counts groups and is told apart from plain replicas by a flag.
  if (analysis.dialect?.id === 'sglang' && choice.attentionData > 1 && own.attentionData === 1)
    edits.push(...setRootKey(analysis, 'enable-dp-attention', true));
  return { changes, edits };
}

function proves(
  analysis: Analysis,
  edits: readonly SyntaxEdit[],
  choice: ServingChoice,
  options: ServingAdviceOptions,
): boolean {
  const after = options.reanalyse(applyEdits(analysis.text, edits));
  const errors = (of: Analysis): number => of.findings.filter(({ severity }) => severity === 'error').length;
  const read = after.resolved === undefined ? undefined : servingInputOf(after.resolved);
  if (read === undefined || errors(after) > errors(analysis)) return false;
  const now = ownServingChoice(read);
  return (['tensor', 'attentionData', 'expert'] as const).every((key) => now[key] === choice[key]);
}

function reasonsFor(own: ServingOutcome | undefined, other: ServingOutcome): string[] {
  const { choice } = other;
  const lines: string[] = [];
  if (choice.attentionData > 1 && choice.attentionData !== own?.choice.attentionData)
    lines.push(
      `DP attention ${choice.attentionData}: each group keeps the cache of its own requests instead of all of them keeping the same`,
    );
  if (choice.expert > 1 && choice.expert !== own?.choice.expert)
    lines.push(`EP ${choice.expert}: experts stay whole on their ranks, and tokens go to them`);
  if (own === undefined) return lines;
  if (Math.abs(other.cachePerGpu / own.cachePerGpu - 1) > 0.02)
    lines.push(`cache for ${count(other.cachePerGpu)} tokens a GPU instead of ${count(own.cachePerGpu)}`);
  if (choice.gpus < own.choice.gpus)
    lines.push(
      `${plural(choice.gpus, 'GPU')} a server instead of ${own.choice.gpus}, so more servers on the same GPUs`,
    );
  return lines;
}

/** `TP 8 · DP attention 8 · EP 8, 8 GPUs`. */
export function splitText({ tensor, attentionData, expert, pipeline, gpus }: ServingChoice): string {
  return [
    plural(gpus, 'GPU'),
    `TP ${tensor}`,
    ...(pipeline > 1 ? [`PP ${pipeline}`] : []),
    ...(attentionData > 1 ? [`DP attention ${attentionData}`] : []),
    ...(expert > 1 ? [`EP ${expert}`] : []),
  ].join(' · ');
}

/** What a split gives, with the change against the plan's own. */
export function splitCost(outcome: ServingOutcome, own?: ServingOutcome): string {
  const change =
    own === undefined || own === outcome
      ? ''
      : ` (${outcome.rate >= own.rate ? '+' : '−'}${percent(Math.abs(outcome.rate / own.rate - 1))})`;
  return `${count(outcome.rate)} output tokens/s a GPU${change} at ${plural(outcome.sequences, 'sequence')} · TPOT ${seconds(outcome.tpotOne)} to ${seconds(outcome.tpot)} · TTFT ${seconds(outcome.ttft)}`;
}

function advised(
  analysis: Analysis,
  input: ServingInput,
  result: ServingResult,
  outcome: ServingOutcome,
  options: ServingAdviceOptions,
): ServingAdvised | undefined {
  const { changes, edits } = write(analysis, ownServingChoice(input), outcome.choice);
  const proved = edits !== undefined && edits.length > 0 && proves(analysis, edits, outcome.choice, options);
  if (edits !== undefined && edits.length > 0 && !proved) return undefined;
  return { outcome, reasons: reasonsFor(result.own, outcome), changes, ...(proved ? { edits } : {}) };
}

function* run(
  analysis: Analysis,
  input: ServingInput,
  options: ServingAdviceOptions,
): Generator<SearchProgress, ServingAdvice> {
  const load = analysis.load ?? DEFAULT_LOAD;
  const freedom = {
    fixed: SEARCHED.filter((field) => !canWrite(analysis, field)),
    ...(options.gpus === undefined ? {} : { gpus: options.gpus }),
  };
  const result = yield* searchServing(
    input,
    load,
    freedom,
    options.target ?? {},
    options.calibration ?? analysis.calibrated?.()?.calibration ?? {},
  );
  const order = ORDER[options.objective];
  const { own, ownFits, nearest } = result;
  const better = [...result.front]
    .filter((outcome) => outcome !== own && (own === undefined || !ownFits || order(outcome, own) < 0))
    .sort(order);
  const answers: ServingAdvised[] = [];
  for (const outcome of better) {
    if (answers.length >= options.top) break;
    const answer = advised(analysis, input, result, outcome, options);
    if (answer !== undefined) answers.push(answer);
    yield { done: answers.length, of: better.length };
  }
  const near = nearest === undefined ? undefined : advised(analysis, input, result, nearest, options);
  return {
    kind: 'serving',
    ...(own === undefined ? {} : { own }),
    ownFits,
    answers,
    ...(near === undefined ? {} : { nearest: near }),
    legal: result.legal,
  };
}

/** Looks for better splits of a server: what is missing at once, else a search that can be paused and stopped. */
export function startServingAdvice(
  analysis: Analysis,
  options: ServingAdviceOptions,
): Generator<SearchProgress, ServingAdvice> | NoAdvice {
  const missing = missingFor(analysis);
  if (missing !== undefined) return missing;
  const input = analysis.resolved === undefined ? undefined : servingInputOf(analysis.resolved);
  return input === undefined
    ? { needs: ['serving'], reason: 'this file describes no server' }
    : run(analysis, input, options);
}
