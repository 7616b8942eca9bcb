import { hasNoCost } from '../cost/plan-cost';
import type { Calibration } from '../cost/rates';
import type { ServingCost, ServingLoad } from '../cost/serving-cost';
import { servingCost } from '../cost/serving-cost';
import type { ServingInput } from '../memory/input';
import { estimateServing } from '../memory/serving';
import { size } from '../model/tensors';
import type { LayoutSpec } from '../spec/layout';

/** One way to split a server over GPUs. */
export interface ServingChoice {
  readonly tensor: number;
  readonly attentionData: number;
  readonly expert: number;
  readonly pipeline: number;
  readonly gpus: number;
}

/** A split with what it gives. Seconds, tokens, tokens a second and GPU. */
export interface ServingOutcome {
  readonly choice: ServingChoice;
  readonly ttft: number;
  /** Time between tokens with one sequence a group, and with the largest batch. */
  readonly tpotOne: number;
  readonly tpot: number;
  readonly rate: number;
  readonly sequences: number;
  /** Cache tokens a GPU. */
  readonly cachePerGpu: number;
  /** Bytes of the fullest rank. */
  readonly bytes: number;
  readonly cost: ServingCost;
}

export interface ServingTarget {
  /** Seconds to the first token and from one to the next that may pass. */
  readonly ttft?: number;
  readonly tpot?: number;
}

export interface ServingResult {
  readonly own?: ServingOutcome;
  readonly ownFits: boolean;
  /** Nothing is at once as quick to one user, as productive, as roomy and on as few GPUs. */
  readonly front: readonly ServingOutcome[];
  readonly fitting: readonly ServingOutcome[];
  readonly nearest?: ServingOutcome;
  readonly legal: number;
}

/** What may change. */
export interface ServingFreedom {
  /** Plan fields (dotted) that stay. */
  readonly fixed?: readonly string[];
  readonly gpus?: readonly number[];
}

function powersUpTo(most: number): number[] {
  const out: number[] = [];
  for (let value = 1; value <= most; value *= 2) out.push(value);
  return out;
}

/** Whether a model's heads, key-value heads, widths and experts can be dealt out so. */
export function servesModel({ model, experts }: ServingInput, choice: ServingChoice): boolean {
  const { tensor, attentionData, expert } = choice;
  if (tensor % attentionData !== 0) return false;
  const attention = tensor / attentionData;
  if (size(model.heads) % attention !== 0) return false;
  if (model.attention === 'gqa') {
    const keys = Math.max(1, size(model.kvHeads));
    if (keys % attention !== 0 && attention % keys !== 0) return false;
  }
  if (size(model.experts) === 0) return expert === 1 && size(model.intermediateSize) % tensor === 0;
  if (expert === 1) return size(model.expertIntermediateSize) % tensor === 0;
  return (size(model.experts) + size(experts?.redundant)) % expert === 0;
}

function choicesOf(input: ServingInput, freedom: ServingFreedom): ServingChoice[] {
  const { layout, model } = input;
  const fixed = new Set(freedom.fixed ?? []);
  const keep = (field: string, own: number, values: readonly number[]): readonly number[] =>
    fixed.has(field) ? [own] : [...new Set([...values, own])].sort((a, b) => a - b);
  const most = Math.max(...(freedom.gpus ?? [layout.worldSize]));
  const out: ServingChoice[] = [];
  for (const tensor of keep('layout.tensor', layout.tensor, powersUpTo(most)))
    for (const attentionData of keep('layout.attentionData', layout.attentionData, powersUpTo(tensor)))
      for (const expert of keep('layout.expert', layout.expert, size(model.experts) > 0 ? [1, tensor] : [1])) {
        const gpus = tensor * layout.pipeline;
        const choice = { tensor, attentionData, expert, pipeline: layout.pipeline, gpus };
        // Experts are spread over the ranks that there are.
        const spread = expert <= gpus && (expert === 1 || tensor % expert === 0 || expert % tensor === 0);
        const wanted = freedom.gpus === undefined ? gpus <= layout.worldSize : freedom.gpus.includes(gpus);
        if (spread && wanted && servesModel(input, choice)) out.push(choice);
      }
  return out;
}

/** The plan's input under another split. */
export function servingInputUnder(input: ServingInput, choice: ServingChoice): ServingInput {
  const layout: LayoutSpec = {
    ...input.layout,
    tensor: choice.tensor,
    attentionData: choice.attentionData,
    expert: choice.expert,
    // Ranks that do not spread experts cut them.
    expertTensor: choice.expert > 1 ? Math.max(1, choice.tensor / choice.expert) : 1,
    worldSize: choice.gpus,
  };
  const own = input.layout.attentionData;
  const { chunkedPrefill, denseTensor, sharedTensor, ...serving } = input.serving;
  // What an engine divides by its groups is divided by other groups now.
  const chunk =
    chunkedPrefill === undefined ? undefined : Math.max(1, Math.round((chunkedPrefill * own) / choice.attentionData));
  return {
    ...input,
    layout,
    serving: {
      ...serving,
      ...(chunk === undefined ? {} : { chunkedPrefill: chunk }),
      ...(denseTensor === undefined ? {} : { denseTensor: Math.min(denseTensor, choice.tensor) }),
      ...(sharedTensor === undefined ? {} : { sharedTensor: Math.min(sharedTensor, choice.tensor) }),
    },
    ...(input.cluster === undefined ? {} : { cluster: { ...input.cluster, gpus: choice.gpus } }),
  };
}

function outcomeOf(
  input: ServingInput,
  choice: ServingChoice,
  load: ServingLoad,
  calibration: Calibration,
): ServingOutcome | undefined {
  const memory = estimateServing(input);
  const capacity = input.cluster?.memoryBytes ?? Infinity;
  if (memory.classes.length === 0 || memory.peak.bytes > capacity || (memory.kvCache?.tokens ?? 0) <= 0)
    return undefined;
  const cost = servingCost(input, { ...load, ends: true }, calibration);
  if (hasNoCost(cost)) return undefined;
  const first = cost.batches[0];
  const last = cost.batches.at(-1);
  if (first === undefined || last === undefined) return undefined;
  return {
    choice,
    ttft: cost.ttft,
    tpotOne: first.tpot,
    tpot: last.tpot,
    rate: last.mixedRate,
    sequences: last.sequences,
    cachePerGpu: ((memory.kvCache?.tokens ?? 0) * choice.attentionData) / choice.gpus,
    bytes: memory.peak.bytes,
    cost,
  };
}

function beats(a: ServingOutcome, b: ServingOutcome): boolean {
  const noWorse =
    a.tpotOne <= b.tpotOne && a.rate >= b.rate && a.cachePerGpu >= b.cachePerGpu && a.choice.gpus <= b.choice.gpus;
  return (
    noWorse &&
    (a.tpotOne < b.tpotOne || a.rate > b.rate || a.cachePerGpu > b.cachePerGpu || a.choice.gpus < b.choice.gpus)
  );
}

function excess({ ttft, tpot }: ServingOutcome, target: ServingTarget): number {
  const over = (value: number, limit: number | undefined): number =>
    limit === undefined ? 0 : Math.max(0, value / limit - 1);
  return over(ttft, target.ttft) + over(tpot, target.tpot);
}

/** The plan's own split. */
export function ownServingChoice({ layout }: ServingInput): ServingChoice {
  const { tensor, attentionData, expert, pipeline, worldSize } = layout;
  return { tensor, attentionData, expert, pipeline, gpus: worldSize };
}

/** Tries every legal split of a server: tensor against data-parallel attention, experts spread or cut. The same input gives the same answer. */
export function* searchServing(
  input: ServingInput,
  load: ServingLoad,
  freedom: ServingFreedom = {},
  target: ServingTarget = {},
  calibration: Calibration = {},
): Generator<{ readonly done: number; readonly of: number }, ServingResult> {
  const choices = choicesOf(input, freedom);
  const own = outcomeOf(input, ownServingChoice(input), load, calibration);
  const all: ServingOutcome[] = own === undefined ? [] : [own];
  for (const [done, choice] of choices.entries()) {
    yield { done, of: choices.length };
    const same =
      own !== undefined &&
      (['tensor', 'attentionData', 'expert', 'gpus'] as const).every((key) => own.choice[key] === choice[key]);
    const outcome = same ? undefined : outcomeOf(servingInputUnder(input, choice), choice, load, calibration);
    if (outcome !== undefined) all.push(outcome);
  }
  const fitting = all.filter((outcome) => excess(outcome, target) === 0).sort((a, b) => b.rate - a.rate);
  const [nearest] = [...all].sort((a, b) => excess(a, target) - excess(b, target));
  return {
    ...(own === undefined ? {} : { own }),
    ownFits: own !== undefined && excess(own, target) === 0,
    front: fitting.filter((outcome) => !fitting.some((other) => beats(other, outcome))),
    fitting,
    ...(fitting.length > 0 || nearest === undefined ? {} : { nearest }),
    legal: choices.length,
  };
}
