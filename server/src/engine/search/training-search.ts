import type { Machine } from '../cost/rates';
import { trainingStep } from '../cost/training-step';
import { chunksPerRank, stageLayers, stagesOfRank } from '../layout/stages';
import type { TrainingInput } from '../memory/input';
import { estimateTraining, rankTotal } from '../memory/training';
import { isRefusal } from '../schedule/refusal';
import type { ScheduleKind } from '../spec/training';
import type { Choice, Degrees, LayerChoice } from './candidates';
import { acceptsSchedule, dataDegree, degreesOf, inputOf, stageCount, virtualChoices } from './candidates';
import type { Outcome } from './front';
import { paretoFront } from './front';
import type { ElementBytes, ElementSums } from './memory-floor';
import { elementBytes, elementSums, memoryFloor } from './memory-floor';
import type { LayerSums, StagePasses } from './quick-time';
import { balancedBy, layerSums, quickSeconds, stagePasses } from './quick-time';
import type { SearchSpace } from './space';

/** What the answer has to keep to. Absent: the device's memory, and no limit of time. */
export interface SearchTarget {
  /** Bytes that the fullest rank may hold. */
  readonly bytes?: number;
  /** Seconds that one step may take. */
  readonly seconds?: number;
}

export interface SearchCounts {
  /** Layouts whose degrees, batch and schedule are legal. */
  readonly legal: number;
  /** Of these, layouts whose states alone leave room. */
  readonly bounded: number;
  /** Layouts whose memory was estimated rank by rank. */
  readonly estimated: number;
  /** Layouts whose step was simulated. */
  readonly simulated: number;
}

export interface SearchResult {
  /** The plan itself, where its own layout can be computed. */
  readonly own?: Outcome;
  /** True when the plan itself keeps to the target. */
  readonly ownFits: boolean;
  /** No layout is at once as fast, as small and on as few GPUs as any of these. */
  readonly front: readonly Outcome[];
  /** Everything simulated that keeps to the target, fastest first. */
  readonly fitting: readonly Outcome[];
  /** Where nothing keeps to the target: the layout that comes nearest. */
  readonly nearest?: Outcome;
  readonly counts: SearchCounts;
}

/** Work done so far, given after every few milliseconds so that a caller can show it, pause or stop. */
export interface SearchProgress {
  readonly done: number;
  readonly of: number;
}

interface Candidate {
  readonly choice: Choice;
  readonly quick: number;
  readonly floor: number;
}

interface Field {
  readonly base: TrainingInput;
  readonly machine: Machine;
  readonly space: SearchSpace;
  readonly limit: number;
  readonly elements: ElementSums;
  readonly bytes: ElementBytes;
  /** Balanced splits by what they hang on. */
  readonly splits: Map<string, readonly number[] | undefined>;
  /** Stages of the ranks of each pipeline. */
  readonly held: Map<string, readonly (readonly number[])[]>;
  /** Layouts whose states alone are too much, the smallest of them: what comes nearest where nothing fits. */
  readonly spare: Candidate[];
  legal: number;
}

/** Layouts that are slower than this many times the fastest are of no use to anybody who has a faster one. */
const SLOWEST = 2.5;
/** Most layouts of one world that are simulated; the order of work puts the promising ones first. */
const MOST_SIMULATED = 700;
/** Most layouts of one world whose memory is estimated. */
const MOST_ESTIMATED = 6000;
/** Layouts with the smallest states that are looked at where nothing fits. */
const SPARE = 64;
/** Points of a front closer than this in memory are one to a reader. */
const RESOLUTION = 0.005;
/** The closed forms are at most this much above the simulation. */
const QUICK_MARGIN = 1.02;

/** Decoder layers a stage: even where that divides, balanced where stages may differ, else no legal split. */
function splitOf(field: Field, choice: LayerChoice, sums: LayerSums, stages: number): readonly number[] | undefined {
  const { model } = field.base;
  if (stages > model.layers) return undefined;
  if (!field.space.unevenStages) return model.layers % stages === 0 ? stageLayers(model.layers, stages, 1) : undefined;
  const key = `${choice.tensor}/${choice.expert}/${choice.context}/${stages}`;
  if (!field.splits.has(key)) field.splits.set(key, stages === 1 ? [model.layers] : balancedBy(sums, stages));
  return field.splits.get(key);
}

/** Keeps the candidates of the smallest floors; cut down now and then, not at every one. */
function keepSpare(spare: Candidate[], candidate: Candidate): void {
  spare.push(candidate);
  if (spare.length < 8 * SPARE) return;
  spare.sort((a, b) => a.floor - b.floor || a.quick - b.quick);
  spare.length = SPARE;
}

function isEven(counts: readonly number[]): boolean {
  return counts.every((count) => count === counts[0]);
}

/** Stages of every pipeline rank; the same for thousands of layouts. */
function heldBy(
  { held }: Field,
  kind: ScheduleKind,
  pipeline: number,
  virtual: number,
): readonly (readonly number[])[] {
  const key = `${kind}/${pipeline}/${virtual}`;
  let found = held.get(key);
  if (found === undefined) {
    const layout = { pipeline, virtualPipeline: virtual };
    found = Array.from({ length: pipeline }, (_, rank) => stagesOfRank(kind, layout, rank));
    held.set(key, found);
  }
  return found;
}

/** Adds the layouts of one layer choice and pipeline degree, schedule by schedule. */
function addSchedules(
  field: Field,
  out: Candidate[],
  choice: LayerChoice,
  pipeline: number,
  microbatches: number,
  sums: LayerSums,
): void {
  const passes = new Map<number, StagePasses>();
  for (const kind of pipeline === 1 ? (['1f1b'] as const) : field.space.kinds) {
    if (!acceptsSchedule(kind, pipeline, microbatches)) continue;
    for (const virtual of pipeline === 1 ? [1] : virtualChoices(kind, field.space)) {
      const stages = stageCount(kind, pipeline, virtual);
      const counts = splitOf(field, choice, sums, stages);
      if (counts === undefined) continue;
      let own = passes.get(stages);
      if (own === undefined) {
        own = stagePasses(sums, counts);
        passes.set(stages, own);
      }
      const ranks = heldBy(field, kind, pipeline, virtual);
      const quick = quickSeconds(kind, pipeline, microbatches, own, ranks);
      for (const zero of zeroStages(field, choice, pipeline)) {
        field.legal += 1;
        const whole: Choice = {
          ...choice,
          pipeline,
          virtual,
          kind: pipeline === 1 ? singleKind(field.base) : kind,
          zero,
          microbatches,
          stageLayers: isEven(counts) ? undefined : counts,
        };
        const floor = memoryFloor(field.base, { ...whole, kind }, field.elements, field.bytes, counts, ranks);
        if (floor <= field.limit) out.push({ choice: whole, quick, floor });
        else keepSpare(field.spare, { choice: whole, quick, floor });
      }
    }
  }
}

/** With nobody to share states with, a ZeRO stage changes nothing: the plan's own stays. */
function zeroStages({ base, space }: Field, { gpus, tensor }: LayerChoice, pipeline: number): SearchSpace['zero'] {
  return gpus === tensor * pipeline ? [base.optimizer.zeroStage] : space.zero;
}

/** A schedule means nothing without a pipeline; the plan's own word stays where it can. */
function singleKind({ pipeline, layout }: TrainingInput): ScheduleKind {
  return layout.pipeline === 1 && chunksPerRank(pipeline.kind, 1) === 1 ? pipeline.kind : '1f1b';
}

/** All legal layouts of one set of degrees that their states leave room for. */
function addDegrees(field: Field, out: Candidate[], degrees: Degrees): void {
  const { base, space } = field;
  for (const microBatch of space.microBatch) {
    for (const recompute of space.recompute) {
      for (const precision of space.precision) {
        const choice: LayerChoice = { ...degrees, microBatch, recompute, precision };
        let sums: LayerSums | undefined;
        for (const pipeline of space.pipeline) {
          const data = dataDegree(degrees, pipeline);
          if (data === undefined) continue;
          const microbatches = base.batch.globalBatch / (data * microBatch);
          if (!Number.isInteger(microbatches) || microbatches < 1) continue;
          const probe: Choice = {
            ...choice,
            pipeline,
            virtual: 1,
            kind: '1f1b',
            zero: 0,
            microbatches,
            stageLayers: undefined,
          };
          sums ??= layerSums(inputOf(base, probe), field.machine);
          addSchedules(field, out, choice, pipeline, microbatches, sums);
        }
      }
    }
  }
}

/** The plan's own layout as a choice. */
export function ownChoice({ layout, batch, recompute, precision, optimizer, pipeline }: TrainingInput): Choice {
  return {
    gpus: layout.worldSize,
    tensor: layout.tensor,
    context: layout.context,
    expert: layout.expert,
    expertTensor: layout.expertTensor,
    microBatch: batch.microBatch,
    recompute,
    precision,
    pipeline: layout.pipeline,
    virtual: layout.virtualPipeline,
    kind: pipeline.kind,
    zero: optimizer.zeroStage,
    microbatches: batch.microbatches,
    stageLayers: layout.stageLayers,
  };
}

/** Memory and time of one layout; undefined where the engine refuses it. */
export function outcomeOf(input: TrainingInput, choice: Choice, machine: Machine): Outcome | undefined {
  const memory = estimateTraining(input);
  if (memory.classes.length === 0) return undefined;
  const step = trainingStep(input, machine);
  if (isRefusal(step) || !(step.stepSeconds > 0) || !Number.isFinite(step.stepSeconds)) return undefined;
  return { choice, seconds: step.stepSeconds, bytes: memory.peak.bytes, step };
}

interface Walk {
  readonly fitting: Outcome[];
  nearest: Outcome | undefined;
  estimated: number;
  simulated: number;
}

/** How far an outcome is from the target, as a share; 0 when it keeps to it. */
function excess({ bytes, seconds }: Pick<Outcome, 'bytes' | 'seconds'>, limit: number, target: SearchTarget): number {
  const room = Math.max(0, bytes / limit - 1);
  return room + (target.seconds === undefined ? 0 : Math.max(0, seconds / target.seconds - 1));
}

/** True when something known is as fast as the candidate can be and holds no more than it does. */
function isBeaten(walk: Walk, { gpus }: Choice, quick: number, bytes: number): boolean {
  return walk.fitting.some(
    (other) =>
      other.choice.gpus <= gpus && other.seconds <= quick / QUICK_MARGIN && other.bytes <= bytes * (1 + RESOLUTION),
  );
}

/** Estimates and simulates one candidate, unless what is known already beats it. */
function tryCandidate(field: Field, walk: Walk, { choice, quick }: Candidate, target: SearchTarget): void {
  const input = inputOf(field.base, choice);
  walk.estimated += 1;
  const { nearest } = walk;
  const hopeless = (bytes: number): boolean =>
    isBeaten(walk, choice, quick, bytes) || (bytes > field.limit && nearest !== undefined && bytes >= nearest.bytes);
  // The first rank is often the fullest, and by itself quickly counted.
  if (hopeless(rankTotal(input, 0))) return;
  const memory = estimateTraining(input);
  if (memory.classes.length === 0) return;
  const { bytes } = memory.peak;
  if (hopeless(bytes)) return;
  walk.simulated += 1;
  const step = trainingStep(input, field.machine);
  if (isRefusal(step) || !(step.stepSeconds > 0) || !Number.isFinite(step.stepSeconds)) return;
  const outcome: Outcome = { choice, seconds: step.stepSeconds, bytes, step };
  const over = excess(outcome, field.limit, target);
  if (over === 0) walk.fitting.push(outcome);
  else if (nearest === undefined || over < excess(nearest, field.limit, target)) walk.nearest = outcome;
}

/** Least floor among candidates from each position on: what is still to gain in memory. */
function leastFloors(candidates: readonly Candidate[]): Float64Array {
  const out = new Float64Array(candidates.length + 1).fill(Infinity);
  for (let at = candidates.length - 1; at >= 0; at -= 1)
    out[at] = Math.min(out[at + 1] ?? Infinity, candidates[at]?.floor ?? Infinity);
  return out;
}

const STEPS_A_PAUSE = 12;

/** Walks the candidates of one world from the quickest on, as long as something can still be gained. */
function* walkWorld(
  field: Field,
  walk: Walk,
  candidates: readonly Candidate[],
  target: SearchTarget,
): Generator<SearchProgress, void> {
  const floors = leastFloors(candidates);
  const budget = walk.simulated + MOST_SIMULATED;
  const estimates = walk.estimated + MOST_ESTIMATED;
  let best = Infinity;
  let smallest = Infinity;
  for (const [at, candidate] of candidates.entries()) {
    if (candidate.quick > SLOWEST * best || walk.simulated >= budget || walk.estimated >= estimates) break;
    if ((floors[at] ?? 0) > smallest * (1 - RESOLUTION) && candidate.quick > best * QUICK_MARGIN) break;
    if (isBeaten(walk, candidate.choice, candidate.quick, candidate.floor)) continue;
    const before = walk.fitting.length;
    tryCandidate(field, walk, candidate, target);
    const found = walk.fitting[before];
    if (found !== undefined) {
      best = Math.min(best, found.seconds);
      smallest = Math.min(smallest, found.bytes);
    }
    if (walk.estimated % STEPS_A_PAUSE === 0) yield { done: at, of: candidates.length };
  }
}

/** Where nothing fits, the layouts with the smallest states are tried whatever their time. */
function* walkSmallest(
  field: Field,
  walk: Walk,
  candidates: readonly Candidate[],
  target: SearchTarget,
): Generator<SearchProgress, void> {
  const smallest = [...candidates, ...field.spare].sort((a, b) => a.floor - b.floor || a.quick - b.quick);
  for (const candidate of smallest.slice(0, SPARE)) tryCandidate(field, walk, candidate, target);
  yield { done: candidates.length, of: candidates.length };
}

/**
 * Searches all legal layouts around a plan: degrees by divisibility, then a bound on memory from the states alone, then closed forms of
 * the schedules to order what is left, then the estimate of every rank and the simulation of the step for whatever could still be on the
 * front. A generator, so that it can be paused, shown and stopped; the same input gives the same answer.
 */
export function* searchTraining(
  base: TrainingInput,
  machine: Machine,
  space: SearchSpace,
  target: SearchTarget = {},
): Generator<SearchProgress, SearchResult> {
  const limit = Math.min(target.bytes ?? Infinity, machine.cluster.memoryBytes);
  const shared = { base, machine, space, limit, elements: elementSums(base.model), bytes: elementBytes(base) };
  const walk: Walk = { fitting: [], nearest: undefined, estimated: 0, simulated: 0 };
  const own = outcomeOf(base, ownChoice(base), machine);
  const ownFits = own !== undefined && excess(own, limit, target) === 0;
  if (own !== undefined && ownFits) walk.fitting.push(own);
  else walk.nearest = own;
  let legal = 0;
  let bounded = 0;
  for (const gpus of [...space.gpus].sort((a, b) => a - b)) {
    const field: Field = { ...shared, splits: new Map(), held: new Map(), spare: [], legal: 0 };
    const candidates: Candidate[] = [];
    for (const degrees of degreesOf(base, space, gpus)) {
      addDegrees(field, candidates, degrees);
      yield { done: 0, of: candidates.length };
    }
    candidates.sort((a, b) => a.quick - b.quick || a.floor - b.floor);
    legal += field.legal;
    bounded += candidates.length;
    yield* walkWorld(field, walk, candidates, target);
    if (walk.fitting.length === 0) yield* walkSmallest(field, walk, candidates, target);
  }
  const fitting = [...walk.fitting].sort((a, b) => a.seconds - b.seconds || a.bytes - b.bytes);
  return {
    ...(own === undefined ? {} : { own }),
    ownFits,
    front: paretoFront(fitting),
    fitting,
    ...(fitting.length > 0 || walk.nearest === undefined ? {} : { nearest: walk.nearest }),
    counts: { legal, bounded, estimated: walk.estimated, simulated: walk.simulated },
  };
}

/** Runs a search to its end. */
export function finish<T>(search: Generator<unknown, T>): T {
  for (;;) {
    const step = search.next();
    if (step.done === true) return step.value;
  }
}
