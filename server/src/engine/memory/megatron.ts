import type { InFlight } from '../layout/in-flight';
import { inFlightSets } from '../layout/in-flight';
import { expertData } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import { chunksPerRank } from '../layout/stages';
import { outsideGraphs, putStaticTensors } from './cuda-graphs';
import type { Dims } from './dims';
import { dimsOf } from './dims';
import { pipeTensors, putPipeTensors, putReduceBucket, withNarrowGradients } from './deepspeed-pipe';
import type { TrainingInput } from './input';
import { newLedger, num, put } from './ledger';
import type { Ledger } from './ledger';
import { putLasting, putWorkspace, strayRecompute } from './megatron-lasting';
import { droppedModules, megatronLayerSaved, onDevice } from './megatron-saved';
import type { StateBytes } from './optimizer-state';
import { stateBytes } from './optimizer-state';
import type { RankMemory } from './ledger';
import type { StateShards } from './static-state';
import type { SavedItem } from './saved';
import type { SavedWidths } from './saved-widths';
import { keptInput, savedWidths } from './saved-widths';
import { putStates } from './static-state';
import { stepCopies } from './step-copies';
import type { WeightTable } from './weights';
import { dummyGradients, stageWeights, weightTable } from './weights';

/** Saved tensors of one layer kind, with what recompute leaves of them and what running it backward needs for a moment. */
interface LayerProfile {
  readonly kept: readonly SavedItem[];
  readonly keptBytes: number;
  /** Saved tensors inside CUDA graphs, in their private pools. */
  readonly pooledBytes: number;
  /** Saved tensors that recompute brings back while the layer runs backward. */
  readonly restoredBytes: number;
  /** Gradients alive inside the layer's backward pass. */
  readonly transient: number;
  readonly transientFormula: string;
}

/** Per-plan figures that every rank shares. */
export interface MegatronPlan {
  readonly input: TrainingInput;
  readonly d: Dims;
  readonly table: WeightTable;
  readonly bytes: StateBytes;
  readonly dense: LayerProfile;
  readonly moe: LayerProfile;
  readonly tail: readonly SavedItem[];
  readonly tailBytes: number;
  readonly headTransient: number;
  readonly headFormula: string;
}

interface Term {
  readonly bytes: number;
  readonly formula: string;
}

/** A number of bytes with the product that makes it. */
function term(...factors: readonly number[]): Term {
  return { bytes: factors.reduce((product, factor) => product * factor, 1), formula: factors.map(num).join(' × ') };
}

function plus(...terms: readonly Term[]): Term {
  return {
    bytes: terms.reduce((sum, { bytes }) => sum + bytes, 0),
    formula: terms.map(({ formula }) => formula).join(' + '),
  };
}

function largest(first: Term, ...others: readonly Term[]): Term {
  return others.reduce((best, other) => (other.bytes > best.bytes ? other : best), first);
}

/** Gradients inside one layer's backward pass: SwiGLU's, or the gathered output gradient; for MoE the permuted token copies. */
function backwardTransient(d: Dims, input: TrainingInput, moe: boolean): Term {
  const hidden = (copies: number): Term => term(2 * copies, d.T, d.h / d.sp);
  const fused = fusedTransient(d, hidden, moe, savedWidths(input));
  // Unfused norm and residual steps hold two more hidden-wide gradients at once.
  return input.details?.transformerImpl === 'local' ? plus(hidden(2), fused) : fused;
}

/**
 * Gradients of the activation and of its input, less the activation that is freed meanwhile: as large as the first of them in BF16,
 * smaller where it was kept in FP8.
 */
function fusedTransient(d: Dims, hidden: (copies: number) => Term, moe: boolean, w: SavedWidths): Term {
  const attention = hidden(2);
  if (moe) return plus(attention, term(8, d.Te, d.h));
  const smaller = w.keeping === 'wide' ? 0 : 2 - keptInput(w, d.T, d.f).bytes / (d.T * d.f);
  const wide = plus(hidden(1), term((d.gated ? 4 : 2) + smaller, d.T, d.f));
  return largest(attention, wide, plus(hidden(1), term(2, d.T, d.h), term(2, d.T, d.f)));
}

function profile(d: Dims, input: TrainingInput, moe: boolean): LayerProfile {
  const all = megatronLayerSaved(d, input, moe);
  const dropped = droppedModules(input, moe);
  const left = dropped.size === 0 ? all : all.filter(({ module }) => !dropped.has(module));
  const { kept, pooled } = outsideGraphs(input, moe, onDevice(input, left));
  let total = 0;
  let keptBytes = 0;
  for (const item of all) total += item.bytes;
  for (const item of kept) keptBytes += item.bytes;
  const { bytes, formula } = backwardTransient(d, input, moe);
  const restoredBytes = total - keptBytes - pooled;
  return { kept, keptBytes, pooledBytes: pooled, restoredBytes, transient: bytes, transientFormula: formula };
}

/** Final norm, head and loss of one microbatch. Transformer Engine's loss works in place; Megatron's keeps FP32 probabilities. */
function tailOf(d: Dims, input: TrainingInput): { saved: SavedItem[]; transient: Term } {
  const fields = [
    'batch.microBatch',
    'batch.sequenceLength',
    'model.vocabSize',
    'layout.tensor',
    'details.crossEntropy',
  ];
  const kind = input.details?.crossEntropy ?? 'native';
  const one = (group: string, bytes: number, formula: string): SavedItem => ({
    module: 'head',
    group,
    bytes,
    formula,
    fields,
  });
  const hidden = (2 * d.T * d.h) / d.sp;
  const saved = [one('final norm', 2 * hidden + (4 * d.T) / d.sp, `2 × 2 × ${num(d.T)} × ${num(d.h / d.sp)} B`)];
  if (kind === 'te-fused') saved.push(one('logits', 2 * d.T * d.V, `${num(d.T)} × ${num(d.V)} × 2 B`));
  else saved.push(one('FP32 logits', 4 * d.T * d.V, `${num(d.T)} × ${num(d.V)} × 4 B`));
  // The jitted loss makes the exponentials beside the FP32 logits; the plain one overwrites them.
  const passing = kind === 'fused' ? 6 : 2;
  // The head's input gradient is whole on every rank before sequence parallelism scatters it.
  const whole = term(2, d.T, d.h);
  const inPlace = d.sp > 1 ? plus(whole, term(2, d.T, d.h / d.sp)) : whole;
  const transient = kind === 'te-fused' ? inPlace : term(passing, d.T, d.V);
  return { saved, transient };
}

/** Works out everything that does not depend on the rank. */
export function planMegatron(input: TrainingInput): MegatronPlan {
  const d = dimsOf(input);
  const table = weightTable(input.model, input.layout, d.V, input.details?.transformerImpl === 'local');
  const tail = tailOf(d, input);
  return {
    input,
    d,
    table,
    bytes: withNarrowGradients(input, stateBytes(input)),
    dense: profile(d, input, false),
    moe: profile(d, input, true),
    tail: tail.saved,
    tailBytes: tail.saved.reduce((sum, { bytes }) => sum + bytes, 0),
    headTransient: tail.transient.bytes,
    headFormula: `${tail.transient.formula} B`,
  };
}

/** How many layers of a chunk run again in backward under full recompute, and what one chunk keeps of them. */
interface ChunkKept {
  readonly dense: number;
  readonly moe: number;
  /** Layers kept only by their input. */
  readonly inputsOnly: number;
}

function chunkKept(input: TrainingInput, stage: StageContent): ChunkKept {
  const moe = stage.moeLayers + (stage.mtpLayers > 0 && stage.moeLayers > 0 ? stage.mtpLayers : 0);
  const dense = stage.denseLayers + stage.mtpLayers - (moe - stage.moeLayers);
  if (input.recompute.granularity !== 'full') return { dense, moe, inputsOnly: 0 };
  const total = dense + moe;
  if (input.recompute.method === 'block') {
    // Block: the first n layers of a chunk run again, the others keep everything.
    const again = Math.min(total, input.recompute.layers ?? total);
    const keptMoe = Math.min(moe, total - again);
    return { dense: total - again - keptMoe, moe: keptMoe, inputsOnly: again };
  }
  const group = Math.max(1, input.recompute.layers ?? 1);
  return { dense: 0, moe: 0, inputsOnly: Math.ceil(total / group) };
}

function putChunk(ledger: Ledger, plan: MegatronPlan, stage: StageContent, count: number, withTail: boolean): void {
  const { d, input } = plan;
  const kept = chunkKept(input, stage);
  const name = `stage ${num(stage.stage)}`;
  const add = (layers: number, item: SavedItem, kind: string): void => {
    put(
      ledger,
      'activations',
      `${name} ${kind}: ${item.group}`,
      layers * count * item.bytes,
      `${num(count)} in flight × ${num(layers)} layers × ${item.formula}`,
      [...item.fields, 'pipeline.kind', 'batch.microbatches'],
    );
  };
  if (kept.dense > 0) for (const item of plan.dense.kept) add(kept.dense, item, 'dense');
  if (kept.moe > 0) for (const item of plan.moe.kept) add(kept.moe, item, 'MoE');
  if (kept.inputsOnly > 0) {
    const bytes = (savedWidths(input).wide * d.T * d.h) / d.sp;
    put(
      ledger,
      'activations',
      `${name}: recompute inputs`,
      count * kept.inputsOnly * bytes,
      `${num(count)} in flight × ${num(kept.inputsOnly)} layers × ${num(d.T)} × ${num(d.h / d.sp)} × ${num(savedWidths(input).wide)} B`,
      ['recompute.granularity', 'recompute.layers', 'batch.microBatch'],
    );
  }
  putPipeTensors(ledger, input, d, stage, count);
  if (stage.head && withTail)
    for (const item of plan.tail)
      put(
        ledger,
        'activations',
        item.group,
        count * item.bytes,
        `${num(count)} in flight × ${item.formula}`,
        item.fields,
      );
}

/** Items of one pipeline rank at its fullest moment, and what stays between steps. */
export function megatronRank(plan: MegatronPlan, rank: number, stages: readonly StageContent[]): RankMemory {
  const { input, bytes, d } = plan;
  const { layout, optimizer } = input;
  const ledger = newLedger();
  const dp = layout.data * layout.context;
  const shards = (replicas: number): StateShards => ({
    weights: optimizer.zeroStage >= 3 ? replicas : 1,
    gradients: optimizer.zeroStage >= 2 ? replicas : 1,
    optimizer: optimizer.zeroStage >= 1 ? Math.max(1, replicas / (input.details?.optimizerInstances ?? 1)) : 1,
  });
  const modules = stageWeights(input, plan.table, stages);
  putStates(
    ledger,
    modules,
    bytes,
    shards(dp),
    shards(expertData(layout)),
    optimizer.offloadOptimizer ? share(input) : 0,
  );
  if (optimizer.gradientAccumulationFusion && input.details?.transformerImpl !== 'local') {
    const dummy = dummyGradients(input, plan.table, stages, bytes.weight);
    const shapes = `${num(dummy / bytes.weight)} × ${num(bytes.weight)} B, one tensor a distinct Linear shape`;
    put(ledger, 'workspace', 'dummy weight gradients', dummy, shapes, ['optimizer.gradientAccumulationFusion']);
  }
  putWorkspace(ledger, plan, stages);
  putLasting(ledger, plan, stages);
  putReduceBucket(ledger, input, bytes);
  // Between steps the received inputs still hold their gradients.
  const received = stages.filter(({ embedding }) => !embedding).length;
  const resting = ledger.items.reduce((sum, item) => sum + item.bytes, 0) + (received * 2 * d.T * d.h) / d.sp;
  const copies = stepCopies(input, modules, shards(dp), shards(expertData(layout)));
  const peak = putPeak(ledger, plan, rank, stages, copies);
  const graphs = putStaticTensors(ledger, input, d, stages, peak.live);
  // DeepSpeed's copies are flat: too large for the room that activations leave behind, and that room is kept beside them.
  const flat = optimizer.stack === 'deepspeed' ? peak.lesser : 0;
  const apart = flat + pooledBytes(plan, stages, peak.live);
  // Megatron's copies last until the next step begins; DeepSpeed frees its own when the step is over.
  const lasting = strayRecompute(plan, stages) + (optimizer.stack === 'megatron' ? copies.bytes : 0) + graphs;
  const fullest = ledger.items.reduce((sum, item) => sum + item.bytes, 0);
  return { items: ledger.items, resting: Math.min(resting + lasting, fullest), ...(apart > 0 ? { apart } : {}) };
}

/** Share of the optimizer's states in host memory, where they are offloaded. */
function share({ details }: TrainingInput): number {
  return Math.max(0, Math.min(1, details?.offloadFraction ?? 1));
}

/** Saved tensors of live microbatches inside the private pools of CUDA graphs. */
function pooledBytes(plan: MegatronPlan, stages: readonly StageContent[], live: InFlight): number {
  return stages.reduce((sum, stage, index) => {
    const { dense, moe } = chunkKept(plan.input, stage);
    return sum + (live[index] ?? 0) * (dense * plan.dense.pooledBytes + moe * plan.moe.pooledBytes);
  }, 0);
}

/**
 * Adds activations of the heaviest set of live microbatches, at the heaviest moment of a backward pass; or what the step copies, where
 * that is more. Answers with the bytes of the lesser of the two, and with what was live.
 */
function putPeak(
  ledger: Ledger,
  plan: MegatronPlan,
  rank: number,
  stages: readonly StageContent[],
  copies: Term,
): { readonly lesser: number; readonly live: InFlight } {
  const { input } = plan;
  const shape = {
    pipeline: input.layout.pipeline,
    virtualPipeline: chunksPerRank(input.pipeline.kind, input.layout.virtualPipeline),
    microbatches: input.batch.microbatches,
  };
  const moments = stages.some(({ head }) => head) ? (['head', 'layer'] as const) : (['layer'] as const);
  const chunks = stages.map((stage) => chunkBytes(plan, stage));
  const passing = {
    head: deferredBytes(plan) + plan.headTransient,
    layer: heaviestLayer(plan, stages).bytes,
  };
  let best: { readonly live: InFlight; readonly moment: (typeof moments)[number] } | undefined;
  let bestBytes = -1;
  // Only the heaviest set is listed with its formulas: a rank of hundreds of chunks has thousands of sets.
  for (const live of inFlightSets(input.pipeline, shape, rank)) {
    for (const moment of moments) {
      const bytes = liveBytes(plan, stages, chunks, live, moment) + passing[moment];
      if (bytes > bestBytes) {
        best = { live, moment };
        bestBytes = bytes;
      }
    }
  }
  if (copies.bytes > bestBytes)
    put(ledger, 'gradients', 'FP32 copies at the step', copies.bytes, copies.formula, [
      'precision.gradients',
      'optimizer.zeroStage',
    ]);
  else if (best !== undefined) putMoment(ledger, plan, stages, best.live, best.moment);
  return { lesser: Math.max(0, Math.min(copies.bytes, bestBytes)), live: best?.live ?? [] };
}

/** What one microbatch keeps of a chunk, beside the head. */
function chunkBytes(plan: MegatronPlan, stage: StageContent): number {
  const { d, input } = plan;
  const { dense, moe, inputsOnly } = chunkKept(input, stage);
  const inputBytes = (savedWidths(input).wide * d.T * d.h) / d.sp;
  const layers = dense * plan.dense.keptBytes + moe * plan.moe.keptBytes + inputsOnly * inputBytes;
  return layers + (pipeTensors(input, stage) * 2 * d.T * d.h) / d.sp;
}

/** Bytes of the live microbatches that `putMoment` lists. `chunks` are those of `chunkBytes`. */
function liveBytes(
  plan: MegatronPlan,
  stages: readonly StageContent[],
  chunks: readonly number[],
  live: InFlight,
  moment: 'head' | 'layer',
): number {
  let bytes = 0;
  stages.forEach((stage, index) => {
    const count = live[index] ?? 0;
    if (moment === 'head' || !stage.head) bytes += count * ((chunks[index] ?? 0) + (stage.head ? plan.tailBytes : 0));
    else bytes += Math.max(1, count) * (chunks[index] ?? 0) + Math.max(0, count - 1) * plan.tailBytes;
  });
  return bytes;
}

/** Inputs and gradients of the head's weight gradient that wait for the pipeline to drain. */
function deferredBytes({ d, input }: MegatronPlan): number {
  return (input.details?.deferredHeadGradients ?? 0) * 2 * (d.T * d.V + (d.T * d.h) / d.sp);
}

/** What running the heavier layer kind of these stages backward needs for a moment. */
function heaviestLayer(plan: MegatronPlan, stages: readonly StageContent[]): Term {
  const dense = stages.some(
    ({ denseLayers, mtpLayers, moeLayers }) => denseLayers > 0 || (mtpLayers > 0 && moeLayers === 0),
  );
  const moe = stages.some(({ moeLayers }) => moeLayers > 0);
  const running = (kind: LayerProfile): number => kind.transient + restored(plan, kind);
  const kinds = [...(dense ? [plan.dense] : []), ...(moe ? [plan.moe] : [])];
  const heaviest = kinds.reduce<LayerProfile | undefined>(
    (best, kind) => (best === undefined || running(kind) > running(best) ? kind : best),
    undefined,
  );
  const again = heaviest === undefined ? 0 : restored(plan, heaviest);
  const formula = `${heaviest?.transientFormula ?? ''}${again > 0 ? ` + ${num(again)} recomputed` : ''} B`;
  return { bytes: heaviest === undefined ? 0 : running(heaviest), formula };
}

/** `head`: the loss of the last microbatch is computed; `layer`: the last layer of a live chunk runs backward. */
function putMoment(
  ledger: Ledger,
  plan: MegatronPlan,
  stages: readonly StageContent[],
  live: InFlight,
  moment: 'head' | 'layer',
): void {
  const { d, input } = plan;
  stages.forEach((stage, index) => {
    const count = live[index] ?? 0;
    if (moment === 'layer' && stage.head) {
      putChunk(ledger, plan, stage, 1, false);
      if (count > 1) putChunk(ledger, plan, stage, count - 1, true);
    } else putChunk(ledger, plan, stage, count, true);
  });
  if (moment === 'head') {
    const limit = input.details?.deferredHeadGradients ?? 0;
    const each = `2 × ${num(d.T)} × (${num(d.V)} + ${num(d.h / d.sp)}) B`;
    put(ledger, 'activations', 'deferred head gradients', deferredBytes(plan), `${num(limit)} microbatches × ${each}`, [
      'details.deferredHeadGradients',
      'model.vocabSize',
    ]);
    put(ledger, 'activations', 'loss gradient', plan.headTransient, plan.headFormula, [
      'model.vocabSize',
      'batch.microBatch',
    ]);
    return;
  }
  const { bytes, formula } = heaviestLayer(plan, stages);
  put(ledger, 'activations', 'gradients inside one layer', bytes, formula, [
    'model.intermediateSize',
    'batch.microBatch',
  ]);
}

/** Saved tensors that exist again while one recomputed layer runs backward. */
function restored(plan: MegatronPlan, layer: LayerProfile): number {
  return plan.input.recompute.granularity === 'full' ? layer.keptBytes + layer.restoredBytes : layer.restoredBytes;
}
