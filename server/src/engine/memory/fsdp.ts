import { expertData } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import type { Dims } from './dims';
import { dimsOf } from './dims';
import type { GatherWidths } from './fsdp-gather';
import { layerElements, putGathered, unsharded } from './fsdp-gather';
import type { TrainingInput } from './input';
import type { Ledger, RankMemory } from './ledger';
import { MIB, newLedger, num, put } from './ledger';
import type { StateBytes } from './optimizer-state';
import { stateBytes } from './optimizer-state';
import type { SavedItem } from './saved';
import { saved, sumSaved } from './saved';
import { putStates } from './static-state';
import { titanHeldGradients, titanLayerSaved, titanOpSaved, titanTransient } from './titan-saved';
import type { LiveMicrobatches, StageCost } from './torch-pipeline';
import { torchOrder, torchPeak } from './torch-pipeline';
import type { StageModule, WeightTable } from './weights';
import { stageWeights, weightTable } from './weights';

interface LayerKind {
  readonly kept: readonly SavedItem[];
  readonly keptBytes: number;
  /** All saved tensors of the layer, as they exist again while it is recomputed. */
  readonly fullBytes: number;
  /** Of these, what a pass over a recomputed layer leaves behind: everything but norms, the residual and one product. */
  readonly leftBytes: number;
  readonly transient: number;
  readonly held: number;
}

/** Per-plan figures of a torchtitan job. */
export interface FsdpPlan extends GatherWidths {
  readonly input: TrainingInput;
  readonly d: Dims;
  readonly table: WeightTable;
  readonly bytes: StateBytes;
  readonly dense: LayerKind;
  readonly moe: LayerKind;
  readonly shard: number;
  readonly expertShard: number;
  /** The order of the pipeline's passes, where there are stages: one for all ranks. */
  readonly order?: ReturnType<typeof torchOrder>;
}

function layerKind(d: Dims, input: TrainingInput, moe: boolean): LayerKind {
  const all = titanLayerSaved(d, input, moe);
  const { recompute, details } = input;
  let kept = all;
  if (recompute.granularity === 'full') {
    kept = [
      saved('layer_input', 'recompute inputs', [d.T, d.h / d.sp, 2], ['recompute.granularity', 'batch.microBatch']),
    ];
  } else if (recompute.granularity === 'selective' && (details?.selective ?? 'op') === 'op')
    kept = titanOpSaved(d, moe, details?.compile === true);
  const keptBytes = sumSaved(kept);
  return {
    kept,
    keptBytes,
    fullBytes: sumSaved(all),
    leftBytes:
      sumSaved(all.filter(({ module }) => module !== 'layer_input' && module !== 'layernorm')) -
      (moe ? 0 : 2 * d.T * d.f),
    transient: titanTransient(d, moe),
    held: titanHeldGradients(d, moe),
  };
}

/** Works out everything that does not depend on the rank. */
export function planFsdp(input: TrainingInput): FsdpPlan {
  const sequence = { ...input, layout: { ...input.layout, sequenceParallel: input.layout.tensor > 1 } };
  const d = dimsOf(sequence);
  const { layout } = input;
  return {
    input: sequence,
    d,
    table: weightTable(input.model, layout, d.V),
    bytes: stateBytes(input),
    dense: layerKind(d, sequence, false),
    moe: layerKind(d, sequence, true),
    shard: layout.dataShard === undefined ? layout.data * layout.context : layout.dataShard,
    expertShard: Math.max(1, expertData(layout) / (layout.dataReplicate ?? 1)),
    ...(layout.pipeline > 1 && { order: torchOrder(input) }),
    gathered: input.details?.lowPrecisionBytes ?? 2,
    gatheredLow: input.details?.gatherInFp8 === true ? 1 : (input.details?.lowPrecisionBytes ?? 2),
  };
}

/** Layers of a stage by what they keep: recomputing every n-th layer leaves the others whole. */
function putStage(ledger: Ledger, plan: FsdpPlan, stage: StageContent, count: number): number {
  const { input } = plan;
  const every =
    input.recompute.granularity === 'selective' && typeof input.details?.selective === 'number'
      ? input.details.selective
      : 0;
  let bytes = 0;
  const add = (kind: string, layers: number, items: readonly SavedItem[]): void => {
    for (const item of items) {
      const own = count * layers * item.bytes;
      put(
        ledger,
        'activations',
        `stage ${num(stage.stage)} ${kind}: ${item.group}`,
        own,
        `${num(count)} in flight × ${num(layers)} layers × ${item.formula}`,
        item.fields,
      );
      bytes += own;
    }
  };
  for (const [kind, layers, profile] of [
    ['dense', stage.denseLayers, plan.dense],
    ['MoE', stage.moeLayers, plan.moe],
  ] as const) {
    if (layers === 0) continue;
    const again = every > 0 ? Math.floor(layers / every) : 0;
    add(kind, layers - again, profile.kept);
    if (again > 0) add(kind, again, profile.kept.slice(0, 1));
  }
  return bytes;
}

/**
 * Bytes of the loss: FP32 log-probabilities and two gradients of logits; loss parallelism makes a third. Compiled, it reads the BF16
 * logits where they are and writes one BF16 gradient. `output`: logits that a pipeline keeps beside what the loss saves.
 */
function lossBytes(plan: FsdpPlan): { saved: number; peak: number; output: number; formula: string } {
  const { d, input } = plan;
  const parallel = d.t > 1 && input.details?.lossParallel !== false;
  const V = d.t > 1 && !parallel ? d.V * d.t : d.V;
  const hidden = (2 * d.T * d.h) / d.sp;
  const formula = (bytes: number): string => `${num(d.T)} × ${num(V)} × ${num(bytes)} B`;
  if (!parallel && (input.details?.compileLoss ?? input.details?.compile) === true)
    return { saved: 2 * d.T * V + hidden, peak: 4 * d.T * V + hidden, output: 0, formula: formula(4) };
  const wide = parallel ? 16 : 12;
  const output = 2 * d.T * d.V;
  return { saved: 4 * d.T * V + hidden, peak: wide * d.T * V + hidden, output, formula: formula(wide) };
}

/** Memory of one pipeline rank under FSDP2 as torchtitan applies it. */
export function fsdpRank(plan: FsdpPlan, rank: number, stages: readonly StageContent[]): RankMemory {
  const { input, bytes } = plan;
  const ledger = newLedger();
  const modules = stageWeights(input, plan.table, stages);
  const cut = (n: number): { weights: number; gradients: number; optimizer: number } => ({
    weights: n,
    gradients: n,
    optimizer: n,
  });
  // Gradients are born in backward and dropped by zero_grad, so that they are counted with the moment and not with the states.
  // FSDP2's CPU offload keeps shards of weights and gradients in host memory; only what is gathered comes to the device.
  putStates(
    ledger,
    input.optimizer.offloadParameters ? [] : modules,
    { ...bytes, gradient: 0 },
    cut(plan.shard),
    cut(plan.expertShard),
    input.optimizer.offloadOptimizer ? 1 : 0,
  );
  const { model, batch } = input;
  const tables = batch.sequenceLength * (plan.d.mla ? plan.d.rope : model.headDim) * (model.qkNorm === 'head' ? 8 : 4);
  put(
    ledger,
    'buffers',
    'rotary tables',
    tables,
    `${num(batch.sequenceLength)} positions × ${num(tables / batch.sequenceLength)} B`,
    ['batch.sequenceLength'],
  );
  put(ledger, 'workspace', 'cuBLAS workspaces', 64 * MIB, `2 threads × ${num(32 * MIB)} B`, ['cluster.gpu']);
  putReceived(ledger, plan, stages);
  const resting = ledger.items.reduce((sum, item) => sum + item.bytes, 0);
  if (plan.order !== undefined) putPipelinePeak(ledger, plan, plan.order, rank, stages, modules);
  else putPlainPeak(ledger, plan, stages, modules);
  return { items: ledger.items, resting };
}

/**
 * torch.distributed.pipelining keeps one receive buffer a microbatch, direction and local stage for life (stage.py), and
 * zero-bubble schedules also the input gradients of every stage but the first.
 */
function putReceived(ledger: Ledger, plan: FsdpPlan, stages: readonly StageContent[]): void {
  const { d, input } = plan;
  if (input.layout.pipeline === 1) return;
  const m = input.batch.microbatches;
  const kind = input.pipeline.kind;
  let buffers = 0;
  for (const stage of stages) buffers += (stage.embedding ? 0 : 1) + (stage.head ? 0 : 1);
  if (kind === 'zbv-torch' || kind === 'interleaved-zb-torch')
    buffers += stages.filter(({ embedding }) => !embedding).length;
  const each = (2 * d.T * d.h) / d.sp;
  put(
    ledger,
    'buffers',
    'pipeline receive buffers',
    buffers * m * each,
    `${num(buffers)} × ${num(m)} microbatches × ${num(each)} B`,
    ['batch.microbatches', 'layout.pipeline', 'pipeline.kind'],
  );
}

/** One moment: a list of what it adds, put into the ledger when it is the fullest. */
type Moment = (ledger: Ledger) => void;

function heaviest(ledger: Ledger, moments: readonly Moment[]): void {
  let best: Ledger | undefined;
  let most = -1;
  for (const moment of moments) {
    const candidate = newLedger();
    moment(candidate);
    const bytes = candidate.items.reduce((sum, item) => sum + item.bytes, 0);
    if (bytes > most) {
      best = candidate;
      most = bytes;
    }
  }
  if (best !== undefined) ledger.items.push(...best.items);
}

/** Tensor parallelism forms the embedding's gradient over the whole vocabulary before it is cut. */
function putEmbeddingGradient(ledger: Ledger, { d, table, gathered }: FsdpPlan): void {
  const hidden = (2 * d.T * d.h) / d.sp;
  const copies = d.t > 1 ? d.t + 1 : 1;
  const product = `${num(copies)} × ${num(table.embedding)} × ${num(gathered)} B`;
  const bytes = table.embedding * copies * gathered;
  put(ledger, 'gradients', 'embedding gradient', bytes, product, ['model.vocabSize', 'layout.tensor']);
  const whole = d.t > 1 ? 2 * d.T * d.h : 0;
  put(
    ledger,
    'activations',
    'gathered gradient',
    whole + (d.t > 1 ? 2 : 1) * hidden,
    `${whole > 0 ? `${num(whole)} + 2 × ` : ''}${num(hidden)} B`,
    ['layout.tensor'],
  );
}

/** Without pipeline stages: the loss with all layers kept, or the backward pass of a layer, or of the embedding. */
function putPlainPeak(
  ledger: Ledger,
  plan: FsdpPlan,
  stages: readonly StageContent[],
  modules: readonly StageModule[],
): void {
  const { d, input, bytes, gathered, table } = plan;
  const [stage] = stages;
  if (stage === undefined) return;
  const policy = input.details?.reshard ?? (input.optimizer.reshardAfterForward ? 'default' : 'never');
  const root = policy === 'always' ? 0 : table.head + table.finalNorm;
  const all = unsharded(modules);
  const loss = lossBytes(plan);
  const hidden = (2 * d.T * d.h) / d.sp;
  const kept = (into: Ledger): void => {
    put(into, 'activations', 'embedding and final norm', 2 * hidden, `2 × 2 × ${num(d.T)} × ${num(d.h / d.sp)} B`, [
      'batch.microBatch',
      'model.hiddenSize',
    ]);
    putStage(into, plan, stage, 1);
  };
  const largest = layerElements(table, stages);
  const layer = largest.all;
  const profile = stage.moeLayers > 0 ? plan.moe : plan.dense;
  const restored = profile.fullBytes - profile.keptBytes + profile.transient;
  const running = `${num(profile.fullBytes)} − ${num(profile.keptBytes)} kept + ${num(profile.transient)} B`;
  const never = policy === 'never';
  const stays = never ? all : { all: root, low: 0 };
  const onDevice = input.optimizer.offloadParameters ? 0 : bytes.gradient;
  const gradients = modules.reduce(
    (sum, { elements, expert }) => sum + (elements * onDevice) / (expert ? plan.expertShard : plan.shard),
    0,
  );
  const head = (table.head + table.finalNorm) * (onDevice / plan.shard);
  const reduce = layer * (bytes.gradient + gathered);
  heaviest(ledger, [
    (into) => {
      kept(into);
      put(into, 'activations', 'loss', loss.peak - hidden, loss.formula, [
        'model.vocabSize',
        'batch.microBatch',
        'details.lossParallel',
      ]);
      putGathered(into, never ? 'gathered weights' : 'gathered output head', stays, plan);
    },
    (into) => {
      kept(into);
      put(
        into,
        'gradients',
        'gradients of the output head',
        head,
        `${num(table.head)} × ${num(bytes.gradient)} B / ${num(plan.shard)}`,
        ['layout.dataShard'],
      );
      put(into, 'activations', 'last layer running backward', restored, running, ['recompute.granularity']);
      if (never) putGathered(into, 'gathered layers and output head', all, plan);
      else putGathered(into, 'gathered layers and output head', largest, plan, 2, root);
      put(
        into,
        'gradients',
        'layer gradients before the reduce-scatter',
        reduce,
        `${num(layer)} × (${num(bytes.gradient)} + ${num(gathered)}) B`,
        ['optimizer.stack'],
      );
    },
    (into) => {
      put(
        into,
        'gradients',
        'sharded gradients',
        gradients,
        `${num(all.all)} × ${num(bytes.gradient)} B over the shards`,
        ['layout.dataShard', 'layout.data'],
      );
      put(
        into,
        'gradients',
        'first layer before the reduce-scatter',
        layer * bytes.gradient,
        `${num(layer)} × ${num(bytes.gradient)} B`,
        ['optimizer.stack'],
      );
      putEmbeddingGradient(into, plan);
      putGathered(into, 'gathered output head', stays, plan);
    },
  ]);
}

/** With pipeline stages: gathered weights and unsharded FP32 gradients live through the whole schedule. */
function putPipelinePeak(
  ledger: Ledger,
  plan: FsdpPlan,
  order: ReturnType<typeof torchOrder>,
  rank: number,
  stages: readonly StageContent[],
  modules: readonly StageModule[],
): void {
  const { input, bytes } = plan;
  const policy = input.details?.reshard ?? 'default';
  const loss = lossBytes(plan);
  const what = 'gathered weights of the stages';
  if (policy === 'always') putGathered(ledger, what, layerElements(plan.table, stages), plan, 2);
  else putGathered(ledger, what, unsharded(modules), plan);
  const costs = stages.map((stage) => stageCost(plan, stage, loss, bytes.gradient));
  const live: LiveMicrobatches = torchPeak(
    input,
    order,
    rank,
    stages.map(({ stage }) => stage),
    costs,
  );
  stages.forEach((stage, index) => {
    const cost = costs[index];
    if (cost === undefined) return;
    const name = `stage ${num(stage.stage)}`;
    const count = live.kept[index] ?? 0;
    putStage(ledger, plan, stage, count);
    const tail = cost.kept - cost.layers;
    put(
      ledger,
      'activations',
      stage.head ? 'logits and loss' : `${name}: embedding output`,
      count * tail,
      `${num(count)} in flight × ${num(tail)} B`,
      ['model.vocabSize', 'batch.microBatch'],
    );
    const waiting = live.waiting[index] ?? 0;
    put(
      ledger,
      'activations',
      `${name}: waiting for weight gradients`,
      waiting * cost.waiting,
      `${num(waiting)} × ${num(cost.waiting)} B`,
      ['pipeline.kind', 'recompute.granularity'],
    );
    if (live.accumulating[index] === true) {
      put(
        ledger,
        'gradients',
        `${name}: unsharded gradients`,
        cost.accumulated,
        `${num(cost.accumulated / bytes.gradient)} × ${num(bytes.gradient)} B`,
        ['layout.pipeline', 'precision.gradients'],
      );
    }
  });
  put(ledger, 'activations', 'running stage', live.running, `${num(live.running)} B`, [
    'recompute.granularity',
    'model.vocabSize',
  ]);
}

/** Parameters of one layer: torch's weight half of a split backward handles each on its own. */
function parametersOf(plan: FsdpPlan, moe: boolean): number {
  const { model } = plan.input;
  const attention = model.attention === 'mla' ? 7 : 4 + (model.qkNorm === 'none' ? 0 : 2);
  return 2 + attention + (moe ? 4 + (plan.d.fs > 0 ? 3 : 0) : 3);
}

/**
 * What one local stage costs. Under full recompute the weight half of a split backward recomputes once a parameter, and
 * most of what each pass makes stays until the microbatch is done (measured on zero-bubble schedules and DualPipeV).
 */
function stageCost(
  plan: FsdpPlan,
  stage: StageContent,
  loss: ReturnType<typeof lossBytes>,
  gradient: number,
): StageCost & { layers: number } {
  const { d, input, table, gathered } = plan;
  const layers = putStage(newLedger(), plan, stage, 1);
  const hidden = (2 * d.T * d.h) / d.sp;
  const moe = stage.moeLayers > 0;
  const profile = moe ? plan.moe : plan.dense;
  const again = input.recompute.granularity === 'full';
  const n = stage.layers;
  const passes = parametersOf(plan, moe);
  const tail = (stage.head ? loss.saved + loss.output : 0) + (stage.embedding ? hidden : 0);
  const layerRun = profile.fullBytes - profile.keptBytes + profile.transient;
  // Tensor parallelism forms the embedding's gradient over the whole vocabulary before it is cut.
  const wide = d.t > 1 && stage.embedding ? table.embedding * d.t : 0;
  const embeddingRun = wide > 0 ? (wide + table.embedding) * gathered + 2 * d.T * d.h + 2 * hidden : 0;
  const elements = stageWeights(input, table, [stage]).reduce((sum, module) => sum + module.elements, 0);
  return {
    layers,
    kept: layers + tail,
    waiting: n * profile.held,
    running: Math.max(stage.head ? loss.peak - loss.saved : 0, layerRun),
    closing: Math.max(embeddingRun, layerRun),
    // Weight halves run outside of FSDP's hooks: the 16-bit gradients of the whole stage wait for the end of the pass.
    weightHalf: again
      ? passes * Math.max(0, n - 1) * profile.leftBytes + ((2 * passes) / 3) * profile.fullBytes
      : elements * gathered,
    accumulated: (elements + (wide > 0 ? wide - table.embedding : 0)) * gradient,
    first: stage.embedding,
  };
}
