import { inFlightSets } from '../layout/in-flight';
import type { StageContent } from '../layout/stages';
import { apply, newTape, runBackward, value } from './autograd';
import type { HfLayerMemory, HfPlan } from './hf-plan';
import { planHf } from './hf-plan';
import { linear } from './hf-ops';
import type { TrainingInput } from './input';
import type { Ledger, RankMemory } from './ledger';
import { MIB, newLedger, num, put } from './ledger';
import { elementsOf } from './hf-strategy';

/** A job that runs plain PyTorch modules under DeepSeek's DualPipe or DualPipeV runtime. */
export interface DualPipePlan {
  readonly hf: HfPlan;
  readonly layers: readonly HfLayerMemory[];
  /** Bytes of the hidden state of one microbatch: what stages hand on. */
  readonly message: number;
  /** Embedding and head are stages' own, or stand outside as in DualPipe's example. */
  readonly tables: boolean;
}

/** A layer that only feeds forward, without norm and residual: two or three Linear modules. */
function plainBlock(plan: HfPlan): HfLayerMemory {
  const tape = newTape();
  const c = { ...plan.context, tape };
  const { hiddenSize: h, intermediateSize: f } = plan.input.model;
  const x = value(c.wide * c.T * h, 'layer input');
  const up = linear(c, 'up_proj', x, f, h);
  const active = apply(tape, 'activation', c.wide * c.T * f, [up], { saved: [up] });
  const memory = runBackward(tape, linear(c, 'down_proj', active, h, f));
  return { memory, moe: false, kept: memory.saved, keptBytes: memory.savedBytes };
}

export function planDualPipe(input: TrainingInput): DualPipePlan {
  const hf = planHf(input);
  const { model, details } = input;
  const block = plainBlock(hf);
  return {
    hf,
    layers: hf.layers.map((layer, index) => (model.mixers?.[index] === 'none' ? block : layer)),
    message: hf.context.wide * hf.context.T * model.hiddenSize,
    tables: details?.pipelinedTables !== false,
  };
}

/** Elements of one layer; a layer without a mixer has its feed-forward alone. */
function elementsOfLayer(plan: DualPipePlan, layer: number): number {
  const { model } = plan.hf.input;
  if (model.mixers?.[layer] === 'none') return (model.gatedMlp ? 3 : 2) * model.hiddenSize * model.intermediateSize;
  return elementsOf(plan.layers[layer]?.moe === true ? plan.hf.table.moe : plan.hf.table.dense);
}

function layersOfStage(stage: StageContent): number[] {
  return Array.from({ length: stage.layers }, (_, index) => stage.firstLayer + index);
}

/** What one chunk keeps from forward to backward, and the most that its backward pass adds while all of it is still kept. */
function chunkBytes(plan: DualPipePlan, stage: StageContent): { kept: number; running: number } {
  let kept = 0;
  let running = 0;
  for (const index of layersOfStage(stage)) {
    const layer = plan.layers[index];
    if (layer === undefined) continue;
    kept += layer.keptBytes;
    const most = layer.memory.backward.reduce((top, { live }) => Math.max(top, live), 0);
    running = Math.max(running, most - layer.keptBytes);
  }
  // Inputs that the caller passes in stay with the caller.
  if (stage.embedding && !plan.tables) kept = Math.max(0, kept - plan.message);
  if (stage.head && plan.tables) {
    kept += plan.hf.head.savedBytes;
    const most = plan.hf.head.backward.reduce((top, { live }) => Math.max(top, live), 0);
    running = Math.max(running, most - plan.hf.head.savedBytes);
  }
  return { kept, running };
}

function putStates(ledger: Ledger, plan: DualPipePlan, stages: readonly StageContent[]): void {
  const { bytes, table } = plan.hf;
  let elements = 0;
  for (const stage of stages) {
    for (const layer of layersOfStage(stage)) elements += elementsOfLayer(plan, layer);
    if (plan.tables && stage.embedding) elements += table.embedding;
    if (plan.tables && stage.head) elements += table.head + table.finalNorm;
  }
  const states = bytes.master + bytes.moments;
  const count = num(elements);
  put(ledger, 'weights', 'weights of both chunks', elements * bytes.weight, `${count} × ${num(bytes.weight)} B`, [
    'precision.weights',
    'layout.pipeline',
  ]);
  put(ledger, 'gradients', 'gradients', elements * bytes.gradient, `${count} × ${num(bytes.gradient)} B`, [
    'precision.gradients',
  ]);
  put(ledger, 'optimizer', 'optimizer states', elements * states, `${count} × ${num(states)} B`, ['optimizer.kind']);
}

/**
 * Memory of one rank under deepseek-ai/DualPipe (3da1bbe, dualpipe/dualpipe.py and dualpipev.py): two chunks with weights and
 * gradients, the microbatches that the schedule keeps in flight (PP + 1, or 2 PP + 1 half chunks), and in the fullest moment, a forward
 * overlapped with a backward, the fresh output beside what the backward pass adds.
 */
export function dualPipeRank(plan: DualPipePlan, rank: number, stages: readonly StageContent[]): RankMemory {
  const { input } = plan.hf;
  const { layout, batch, pipeline } = input;
  const ledger = newLedger();
  putStates(ledger, plan, stages);
  put(ledger, 'workspace', 'cuBLAS workspaces', 64 * MIB, `2 threads × ${num(32 * MIB)} B`, ['cluster.gpu']);
  const { message } = plan;
  put(ledger, 'buffers', 'message kept from the last step', message, `${num(message)} B`, ['model.hiddenSize']);
  const ends = stages.filter(({ embedding, head }) => embedding || head).length;
  if (!plan.tables && ends > 0) {
    // Inputs and labels of a direction; DualPipe sends half of the microbatches each way.
    const each = pipeline.kind === 'dualpipe' ? batch.microbatches / 2 : batch.microbatches;
    put(ledger, 'buffers', 'inputs and labels', ends * each * message, `${num(ends * each)} × ${num(message)} B`, [
      'batch.microbatches',
    ]);
  }
  const resting = ledger.items.reduce((total, { bytes }) => total + bytes, 0);
  const chunks = stages.map((stage) => chunkBytes(plan, stage));
  const sets = inFlightSets(
    pipeline,
    { pipeline: layout.pipeline, virtualPipeline: 1, microbatches: batch.microbatches },
    rank,
  );
  const keptIn = (counts: readonly number[]): number =>
    chunks.reduce((total, { kept }, index) => total + kept * (counts[index] ?? 0), 0);
  const [first = []] = sets;
  const fullest = sets.reduce((best, counts) => (keptIn(counts) > keptIn(best) ? counts : best), first);
  chunks.forEach(({ kept }, index) => {
    const count = fullest[index] ?? 0;
    put(
      ledger,
      'activations',
      `stage ${num(stages[index]?.stage ?? 0)}`,
      count * kept,
      `${num(count)} in flight × ${num(kept)} B`,
      ['pipeline.kind', 'batch.microBatch', 'batch.sequenceLength'],
    );
  });
  const running = chunks.reduce((most, chunk) => Math.max(most, chunk.running), 0);
  put(ledger, 'activations', 'running backward', running, `${num(running)} B`, ['model.intermediateSize']);
  put(ledger, 'activations', 'output of the overlapped forward', message, `${num(message)} B`, ['model.hiddenSize']);
  return { items: ledger.items, resting };
}
