import type { ModelSpec } from '../model/spec';
import type { StageContent } from '../layout/stages';
import type { TrainingInput } from './input';
import type { TensorGroup } from './tensors';
import { elementsOnRank, feedForwardTensors, attentionTensors, mtpExtraTensors } from './tensors';

/** Weights of one module on one rank, a layer. */
export interface ModuleWeights {
  readonly module: string;
  readonly expert: boolean;
  /** Elements of one layer on one rank. */
  readonly elements: number;
  /** Of these, elements of Linear weights that an FP8 recipe stores in low precision. */
  readonly low: number;
  readonly tensors: readonly TensorGroup[];
}

/** Per-layer weights of every layer kind of a model on one rank; computed once a plan, not once a rank. */
export interface WeightTable {
  readonly dense: readonly ModuleWeights[];
  readonly moe: readonly ModuleWeights[];
  readonly mtp: readonly ModuleWeights[];
  readonly embedding: number;
  readonly positions: number;
  readonly head: number;
  readonly finalNorm: number;
}

export interface Degrees {
  readonly tensor: number;
  readonly expert: number;
  readonly expertTensor: number;
}

function moduleOf(model: ModelSpec, degrees: Degrees, module: string, tensors: readonly TensorGroup[]): ModuleWeights {
  let elements = 0;
  let low = 0;
  for (const tensor of tensors) {
    const own = elementsOnRank(tensor, model, degrees);
    elements += own;
    if (tensor.lowPrecision) low += own;
  }
  return { module, expert: tensors.some((tensor) => tensor.expert), elements, low, tensors };
}

/** Splits the weights of the model by module and layer kind. `vocabRows` are the padded rows one rank holds; `cutLatents`
 * says that the MLA down-projections are cut too, as Megatron's plain modules do (Transformer Engine copies them). */
export function weightTable(model: ModelSpec, degrees: Degrees, vocabRows: number, cutLatents = false): WeightTable {
  const attention = moduleOf(model, degrees, 'attention and norms', attentionTensors(model, cutLatents));
  const dense = [attention, moduleOf(model, degrees, 'feed-forward', feedForwardTensors(model, false))];
  const moe = [attention];
  if ((model.experts ?? 0) > 0) {
    const all = feedForwardTensors(model, true);
    moe.push(
      moduleOf(
        model,
        degrees,
        'routed experts',
        all.filter(({ expert }) => expert),
      ),
    );
    moe.push(
      moduleOf(
        model,
        degrees,
        'router',
        all.filter(({ group }) => group.startsWith('router')),
      ),
    );
    const shared = all.filter(({ group }) => group.startsWith('shared'));
    if (shared.length > 0) moe.push(moduleOf(model, degrees, 'shared experts', shared));
  }
  const mtpMoe = model.moeLayers?.[model.layers - 1] ?? false;
  const mtp = [...(mtpMoe ? moe : dense), moduleOf(model, degrees, 'MTP joining', mtpExtraTensors(model))];
  return {
    dense,
    moe,
    mtp,
    embedding: vocabRows * model.hiddenSize,
    positions: (model.learnedPositions ?? 0) * model.hiddenSize,
    head: vocabRows * model.hiddenSize,
    finalNorm: model.hiddenSize * (model.normBias ? 2 : 1),
  };
}

/** Weights of one module over the layers of a stage. */
export interface StageModule {
  readonly module: string;
  readonly layers: number;
  readonly perLayer: number;
  readonly elements: number;
  readonly low: number;
  readonly expert: boolean;
  readonly fields: readonly string[];
}

const LAYER_FIELDS = ['layout.pipeline', 'layout.tensor', 'model.layers'] as const;
const EXPERT_FIELDS = ['layout.expert', 'layout.expertTensor', 'model.experts', 'layout.pipeline'] as const;
const VOCAB_FIELDS = ['model.vocabSize', 'layout.tensor'] as const;

function pushModules(out: StageModule[], modules: readonly ModuleWeights[], layers: number): void {
  if (layers === 0) return;
  for (const { module, expert, elements, low } of modules) {
    const previous = out.find((entry) => entry.module === module && entry.perLayer === elements);
    if (previous !== undefined) {
      out.splice(out.indexOf(previous), 1, {
        ...previous,
        layers: previous.layers + layers,
        elements: previous.elements + layers * elements,
        low: previous.low + layers * low,
      });
    } else
      out.push({
        module,
        expert,
        layers,
        perLayer: elements,
        elements: layers * elements,
        low: layers * low,
        fields: expert ? EXPERT_FIELDS : LAYER_FIELDS,
      });
  }
}

/**
 * Weights one rank holds for its stages. Tied embeddings put a second copy on the last stage when the head is on another
 * rank; MTP shares embedding and head, and needs its own copy of the embedding when that sits on another rank.
 */
export function stageWeights(
  input: TrainingInput,
  table: WeightTable,
  stages: readonly StageContent[],
): readonly StageModule[] {
  const out: StageModule[] = [];
  let dense = 0;
  let moe = 0;
  let mtp = 0;
  for (const stage of stages) {
    dense += stage.denseLayers;
    moe += stage.moeLayers;
    mtp += stage.mtpLayers;
  }
  pushModules(out, table.dense, dense);
  pushModules(out, table.moe, moe);
  pushModules(out, table.mtp, mtp);
  const single = (module: string, elements: number): void => {
    if (elements > 0)
      out.push({ module, expert: false, layers: 1, perLayer: elements, elements, low: 0, fields: VOCAB_FIELDS });
  };
  const first = stages.some(({ embedding }) => embedding);
  const last = stages.some(({ head }) => head);
  if (first || (last && mtp > 0)) single('embedding', table.embedding);
  if (first) single('position table', table.positions);
  if (last) {
    if (!input.model.tiedEmbeddings) single('output head', table.head);
    else if (!first && mtp === 0) single('tied output head', table.head);
    single('final norm', table.finalNorm);
  }
  return out;
}

/**
 * One BF16 tensor a distinct Linear shape, which Transformer Engine hands to autograd in place of a weight gradient that was
 * already added to the main gradient (TransformerEngine pytorch/module/base.py, get_dummy_wgrad). Experts count one expert's shape.
 */
export function dummyGradients(
  input: TrainingInput,
  table: WeightTable,
  stages: readonly StageContent[],
  bytes: number,
): number {
  const shapes = new Map<string, number>();
  const { model, layout } = input;
  const add = (rows: number, columns: number): void =>
    void shapes.set(`${String(rows)}x${String(columns)}`, rows * columns);
  const kinds: (readonly ModuleWeights[])[] = [];
  if (stages.some(({ denseLayers }) => denseLayers > 0)) kinds.push(table.dense);
  if (stages.some(({ moeLayers }) => moeLayers > 0)) kinds.push(table.moe);
  if (stages.some(({ mtpLayers }) => mtpLayers > 0)) kinds.push(table.mtp);
  for (const modules of kinds) {
    for (const { tensors } of modules) {
      const fused = new Map<string, { rows: number; columns: number }>();
      for (const tensor of tensors) {
        if (!tensor.lowPrecision) continue;
        const t = tensor.expert ? layout.expertTensor : layout.tensor;
        const cut = tensor.cut === 'kv' ? Math.min(t, model.kvHeads) : t;
        const rows = tensor.cut === 'column' || tensor.cut === 'kv' ? tensor.rows / cut : tensor.rows;
        const columns = tensor.cut === 'row' ? tensor.columns / cut : tensor.columns;
        if (tensor.fused === undefined) add(rows, columns);
        else fused.set(tensor.fused, { rows: (fused.get(tensor.fused)?.rows ?? 0) + rows, columns });
      }
      for (const { rows, columns } of fused.values()) add(rows, columns);
    }
  }
  if (stages.some(({ head }) => head)) add(table.head / model.hiddenSize, model.hiddenSize);
  let sum = 0;
  for (const elements of shapes.values()) sum += elements;
  return sum * bytes;
}
