import type { RankRange } from '../layout/rank-grid';
import { countRanks, formatRanks, rankCoordinates } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import { chunksPerRank, stageContents, stageLayers, stagesOfRank } from '../layout/stages';
import { dualPipeRank, planDualPipe } from './dualpipe-runtime';
import { fsdpRank, planFsdp } from './fsdp';
import { hfRank, hfRankClasses, prepareHf, usesTransformers } from './hf';
import type { TrainingInput } from './input';
import { refuseTraining } from './input';
import type { RankMemory } from './ledger';
import { partsOf, sumParts } from './ledger';
import { megatronRank, planMegatron } from './megatron';
import { dispatchBuffers, outsideAllocator, reservedFactor, reservedMost } from './outside';
import type { MemoryReport, RankClass } from './report';

/** Memory of one pipeline rank that holds these stages. */
type RankModel = (rank: number, stages: readonly StageContent[]) => RankMemory;

function modelOf(input: TrainingInput): RankModel {
  const { kind } = input.pipeline;
  if (input.details?.modelCode === 'dualpipe' && (kind === 'dualpipe' || kind === 'dualpipev')) {
    const plan = planDualPipe(input);
    return (rank, stages) => dualPipeRank(plan, rank, stages);
  }
  if (input.optimizer.stack === 'fsdp2') {
    const plan = planFsdp(input);
    return (rank, stages) => fsdpRank(plan, rank, stages);
  }
  const plan = planMegatron(input);
  return (rank, stages) => megatronRank(plan, rank, stages);
}

/** A report that holds refusals only. */
function refused(refusals: NonNullable<MemoryReport['refusals']>): MemoryReport {
  return { classes: [], peak: { rank: 0, bytes: 0, classIndex: -1 }, refusals };
}

/** Bytes of a rank that its framework's allocator knows nothing of. */
function outsideOf(input: TrainingInput): number {
  return outsideAllocator(input.layout, input.details?.communicators) + dispatchBuffers(input);
}

/** Stages of the whole job, in stage order. */
export function stagesOf(input: TrainingInput): readonly StageContent[] {
  const { layout, model, pipeline } = input;
  const chunks = pipeline.kind === 'dualpipe' ? 1 : chunksPerRank(pipeline.kind, layout.virtualPipeline);
  const split = input.optimizer.stack === 'fsdp2' ? 'torchtitan' : 'even';
  return stageContents(model, stageLayers(model.layers, layout.pipeline, chunks, layout.stageLayers, split));
}

/**
 * Device memory of every rank class of a training job, in bytes.
 * Ranks of one pipeline stage are equal, so one class a pipeline rank is computed; classes that hold the same stages
 * (both ends of DualPipe) are joined. Impossible sizes come back as `refusals` with no classes.
 */
export function estimateTraining(input: TrainingInput): MemoryReport {
  const refusals = refuseTraining(input);
  if (refusals.length > 0) return refused(refusals);
  const stages = stagesOf(input);
  if (usesTransformers(input)) return estimateTransformers(input, stages);
  const model = modelOf(input);
  const perStage = Math.max(1, Math.floor(input.layout.worldSize / input.layout.pipeline));
  const groups = new Map<string, { ranges: RankRange[]; held: readonly StageContent[]; pp: number }>();
  for (let pp = 0; pp < input.layout.pipeline; pp += 1) {
    const held = stagesOfRank(input.pipeline.kind, input.layout, pp)
      .map((stage) => stages[stage])
      .filter((stage) => stage !== undefined);
    const key = held
      .map(({ stage }) => stage)
      .sort((a, b) => a - b)
      .join();
    const range: RankRange = [pp * perStage, (pp + 1) * perStage - 1];
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ranges: [range], held, pp });
    else group.ranges.push(range);
  }
  const outside = outsideOf(input);
  const slack = reservedFactor(input);
  const classes = [...groups.values()].map(({ ranges, held, pp }) =>
    rankClass(input, ranges, held, model(pp, held), slack, outside),
  );
  return withPeak(classes);
}

/**
 * Bytes of one pipeline rank alone, as `estimateTraining` counts them: a bound from below for the fullest rank at a fraction of its cost.
 * 0 where ranks are not told apart by their pipeline rank, or sizes are refused.
 */
export function rankTotal(input: TrainingInput, pp: number): number {
  if (refuseTraining(input).length > 0 || usesTransformers(input)) return 0;
  const stages = stagesOf(input);
  const held = stagesOfRank(input.pipeline.kind, input.layout, pp)
    .map((stage) => stages[stage])
    .filter((stage) => stage !== undefined);
  const { items, apart = 0 } = modelOf(input)(pp, held);
  const reserved = sumParts(partsOf(items)) * reservedFactor(input) + apart;
  return reserved + outsideOf(input);
}

/** Jobs without tensor or pipeline parallelism over transformers' model code: ranks differ only where experts cannot be cut evenly. */
function estimateTransformers(input: TrainingInput, stages: readonly StageContent[]): MemoryReport {
  const job = prepareHf(input);
  const outside = outsideOf(input);
  const slack = reservedFactor(input);
  return withPeak(
    hfRankClasses(job).map(({ position, ranges }) =>
      rankClass(input, ranges, stages, hfRank(job, stages, position), slack, outside),
    ),
  );
}

function rankClass(
  input: TrainingInput,
  ranges: readonly RankRange[],
  held: readonly StageContent[],
  memory: RankMemory,
  slack: number,
  outside: number,
): RankClass {
  const parts = partsOf(memory.items);
  const allocated = sumParts(parts);
  const apart = memory.apart ?? 0;
  const reserved = allocated * slack + apart;
  const total = reserved + outside;
  const example = ranges[0]?.[0] ?? 0;
  const capacity = input.cluster?.memoryBytes;
  return {
    ranks: formatRanks(ranges),
    count: countRanks(ranges),
    example,
    coordinates: rankCoordinates(input.layout, example),
    stages: held.map(({ stage }) => stage),
    parts,
    items: memory.items,
    allocated,
    resting: memory.resting,
    reserved,
    ...(apart > 0 ? { apart } : {}),
    reservedMost: allocated * reservedMost(input.optimizer.stack) + apart,
    total,
    ...(capacity === undefined ? {} : { capacity, fits: total <= capacity }),
  };
}

/** Names the fullest class. */
export function withPeak(classes: readonly RankClass[]): MemoryReport {
  let classIndex = 0;
  classes.forEach((entry, index) => {
    if (entry.total > (classes[classIndex]?.total ?? 0)) classIndex = index;
  });
  const top = classes[classIndex];
  return {
    classes,
    peak: { rank: top?.example ?? 0, bytes: top?.total ?? 0, classIndex: top === undefined ? -1 : classIndex },
  };
}
