import type { QuantizationSpec } from '../spec/numbers';
import { formatTable } from './formats';
import { layerKinds, modelTensors, modulePath, type LayerKind } from './inventory';
import type { ModelSpec } from './spec';
import { bytesOf, storedParts, type MatrixFormat } from './stored-parts';
import { size, type ModelPart, type TensorShape } from './tensors';

/** Degrees by which one rank's weights are cut. Attention and dense parts may be cut differently (DP attention). */
export interface ShardDegrees {
  /** Tensor parallelism of attention. */
  readonly tensor: number;
  /** Of dense feed-forward and shared experts; `tensor` where absent. */
  readonly dense?: number;
  /** Of embedding and head; `tensor` where absent. */
  readonly vocabulary?: number;
  readonly expert: number;
  readonly expertTensor: number;
  /** Expert slots over all ranks beyond one a logical expert. */
  readonly redundantExperts?: number;
}

/** What one rank holds of a tensor group. */
export interface Shard {
  readonly rows: number;
  readonly columns: number;
  /** May be a fraction where the experts do not divide: the mean over the ranks. */
  readonly copies: number;
}

/** The whole model on one rank. */
export const UNSHARDED: ShardDegrees = { tensor: 1, expert: 1, expertTensor: 1 };

function degree(value: number | undefined): number {
  return Math.max(1, size(value ?? 1));
}

function tensorDegree({ part }: TensorShape, degrees: ShardDegrees): number {
  if (part === 'dense' || part === 'shared') return degree(degrees.dense ?? degrees.tensor);
  if (part === 'embedding' || part === 'head') return degree(degrees.vocabulary ?? degrees.tensor);
  return degree(degrees.tensor);
}

/**
 * The piece of a tensor on one rank. Cuts round up, as padding does; KV heads are never cut below one head, because engines
 * replicate them then (vLLM model_executor/layers/linear.py, QKVParallelLinear).
 */
export function shardOf(tensor: TensorShape, degrees: ShardDegrees, kvHeads: number): Shard {
  const { rows, columns, copies, sharding } = tensor;
  if (sharding === 'replicated') return { rows, columns, copies };
  if (sharding.startsWith('expert')) {
    const t = degree(degrees.expertTensor);
    const slots = (copies + size(degrees.redundantExperts)) / degree(degrees.expert);
    return {
      rows: sharding === 'expert-column' ? Math.ceil(rows / t) : rows,
      columns: sharding === 'expert-row' ? Math.ceil(columns / t) : columns,
      copies: slots,
    };
  }
  const t = tensorDegree(tensor, degrees);
  const cut = sharding === 'kv-column' ? Math.min(t, Math.max(1, kvHeads)) : t;
  return sharding === 'row'
    ? { rows, columns: Math.ceil(columns / cut), copies }
    : { rows: Math.ceil(rows / cut), columns, copies };
}

/** Bytes of one matrix of a shard in a stored format: FP8 blocks at a cut edge cost a whole scale. */
export function weightBytes({ rows, columns, copies }: Shard, format: MatrixFormat): number {
  return copies * bytesOf(storedParts(rows, columns, format));
}

/** Elements and bytes on one rank, by part of the model. */
export interface PartWeights {
  readonly elements: number;
  readonly bytes: number;
  /** Elements that the quantization stores in its own format. */
  readonly quantized: number;
}

export type PartTotals = Readonly<Partial<Record<ModelPart, PartWeights>>>;

/** Weights of one rank for any run of layers, each answered by two look-ups a part. */
export interface ShardedLayers {
  /** Sum over decoder layers `first` to `first + count - 1`. */
  readonly layers: (first: number, count: number) => PartTotals;
  /** One decoder layer of a kind, `dense` or `moe`; empty where the model has none. */
  readonly oneLayer: (kind: 'dense' | 'moe') => PartTotals;
  /** All MTP layers, without the tables they share with the model. */
  readonly mtp: PartTotals;
  /** Embedding, final norm and head. */
  readonly model: PartTotals;
}

const NOTHING: PartWeights = { elements: 0, bytes: 0, quantized: 0 };

function plus(a: PartWeights, b: PartWeights, sign = 1): PartWeights {
  return {
    elements: a.elements + sign * b.elements,
    bytes: a.bytes + sign * b.bytes,
    quantized: a.quantized + sign * b.quantized,
  };
}

type Weigh = (tensor: TensorShape, name: string) => PartWeights;

function totalsOf(
  tensors: readonly TensorShape[],
  nameOf: (tensor: TensorShape) => string,
  weigh: Weigh,
  times = 1,
): PartTotals {
  const out: Partial<Record<ModelPart, PartWeights>> = {};
  for (const tensor of tensors) {
    if (tensor.storage === 'buffer') continue;
    const own = weigh(tensor, nameOf(tensor));
    out[tensor.part] = plus(out[tensor.part] ?? NOTHING, {
      elements: own.elements * times,
      bytes: own.bytes * times,
      quantized: own.quantized * times,
    });
  }
  return out;
}

function weigher(
  model: ModelSpec,
  degrees: ShardDegrees,
  quantization: QuantizationSpec,
): { weigh: Weigh; uniform: boolean } {
  const formats = formatTable(quantization);
  const kvHeads = size(model.kvHeads);
  const weigh: Weigh = (tensor, name) => {
    const format = formats.formatOf(tensor, name);
    const shard = shardOf(tensor, degrees, kvHeads);
    const elements = shard.rows * shard.columns * shard.copies;
    return { elements, bytes: weightBytes(shard, format), quantized: format.method === 'none' ? 0 : elements };
  };
  return { weigh, uniform: formats.uniform };
}

function perLayer(model: ModelSpec, kinds: readonly LayerKind[], weigh: Weigh, uniform: boolean): PartTotals[] {
  const out: PartTotals[] = [];
  for (const { layers, tensors } of kinds) {
    let shared: PartTotals | undefined;
    for (const layer of layers) {
      shared =
        uniform && shared !== undefined
          ? shared
          : totalsOf(tensors, (tensor) => modulePath(model, tensor, layer), weigh);
      out[layer] = shared;
    }
  }
  return out;
}

const PARTS = ['attention', 'dense', 'router', 'experts', 'shared', 'norms'] as const satisfies readonly ModelPart[];

/** Running sums of each part over the layers, so that a stage costs no loop. */
function runningSums(each: readonly PartTotals[]): ReadonlyMap<ModelPart, readonly PartWeights[]> {
  const out = new Map<ModelPart, PartWeights[]>();
  for (const part of PARTS) {
    if (!each.some((totals) => totals[part] !== undefined)) continue;
    const sums = [NOTHING];
    for (const totals of each) sums.push(plus(sums.at(-1) ?? NOTHING, totals[part] ?? NOTHING));
    out.set(part, sums);
  }
  return out;
}

/**
 * Weights of every layer on one rank under a layout and a storage format: computed once a kind of layer (once a layer where the
 * quantization names single layers), then any pipeline stage is a difference of running sums.
 */
export function shardLayers(model: ModelSpec, degrees: ShardDegrees, quantization: QuantizationSpec): ShardedLayers {
  const kinds = layerKinds(model);
  const { weigh, uniform } = weigher(model, degrees, quantization);
  const decoder = kinds.filter(({ mtp }) => !mtp);
  const each = perLayer(model, decoder, weigh, uniform);
  const sums = runningSums(each);
  const extra = kinds.find(({ mtp }) => mtp);
  const first = (kind: 'dense' | 'moe'): number | undefined =>
    decoder.find(({ feedForward }) => feedForward === kind)?.layers[0];
  return {
    layers: (from, count) => {
      const start = Math.min(each.length, Math.max(0, Math.floor(from) || 0));
      const end = Math.min(each.length, Math.max(start, start + (Math.floor(count) || 0)));
      return Object.fromEntries(
        [...sums].map(([part, list]) => [part, plus(list[end] ?? NOTHING, list[start] ?? NOTHING, -1)]),
      );
    },
    oneLayer: (kind) => each[first(kind) ?? -1] ?? {},
    mtp:
      extra === undefined
        ? {}
        : totalsOf(extra.tensors, (tensor) => modulePath(model, tensor, extra.layers[0]), weigh, extra.layers.length),
    model: totalsOf(modelTensors(model), (tensor) => modulePath(model, tensor, undefined), weigh),
  };
}

/** Elements of one layer of a kind on one rank, by part: `shardLayers` without storage formats. */
export function layerParameters(model: ModelSpec, kind: 'dense' | 'moe', degrees: ShardDegrees): PartTotals {
  return shardLayers(model, degrees, { method: 'none', baseDType: 'BF16' }).oneLayer(kind);
}
