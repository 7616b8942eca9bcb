import type { ModelSpec } from './spec';

/** What a tensor is for, which decides the format it is stored in. Only `linear` weights are ever quantized by default. */
export type StorageClass =
  | 'linear'
  | 'embedding'
  | 'head'
  | 'norm'
  | 'bias'
  | 'router'
  | 'routerCorrectionBias'
  /** Small projections that quantizers leave alone: the shared-expert gate, the indexer's head weights. */
  | 'gate'
  | 'convolution'
  /** Decay, step and skip vectors of recurrent blocks. */
  | 'state'
  /** Buffers that old checkpoints hold beside the weights, always FP32. */
  | 'buffer';

/**
 * How a tensor is cut. `column` cuts rows (outputs) and `row` cuts columns (inputs) by tensor parallelism, as Megatron names
 * them; `kv-column` cuts rows by at most the KV heads, because a rank never holds less than one head; expert rules cut by
 * expert-tensor parallelism and spread the copies over expert parallelism.
 */
export type ShardRule =
  'column' | 'row' | 'vocab' | 'kv-column' | 'replicated' | 'expert-column' | 'expert-row' | 'expert-replicated';

/** The part of a layer (or of the model) that a tensor belongs to. */
export type ModelPart =
  'embedding' | 'attention' | 'dense' | 'router' | 'experts' | 'shared' | 'norms' | 'mtp' | 'finalNorm' | 'head';

/** Equal tensors of one kind in one layer. `rows` are outputs, `columns` inputs, as a Linear stores them; vectors have one column. */
export interface TensorShape {
  /** Short name such as `q_a_proj`; experts' matrices carry the names of a dense feed-forward. */
  readonly role: string;
  /** Module path below the layer, such as `self_attn.q_a_proj`; of expert 0 for all experts. Exclusion patterns see this name. */
  readonly path: string;
  readonly part: ModelPart;
  readonly rows: number;
  readonly columns: number;
  /** Tensors of this shape in one layer: 1, the number of experts, or the number of norms. */
  readonly copies: number;
  readonly storage: StorageClass;
  readonly sharding: ShardRule;
  /** Matrices that a runtime joins into one carry the same word. */
  readonly fused?: 'qkv' | 'gate_up';
}

/** Elements of all copies of a tensor. */
export function elementsOf({ rows, columns, copies }: TensorShape): number {
  return rows * columns * copies;
}

/** Sizes beyond this are no model; products of a few of them still are exact-enough finite numbers. */
const LARGEST = 2 ** 32;

/** A size that arithmetic can rely on: a non-negative whole number. Anything else counts as absent, so that no NaN can leave. */
export function size(value: number | undefined): number {
  return value !== undefined && Number.isFinite(value) && value > 0 ? Math.min(Math.floor(value), LARGEST) : 0;
}

type More = Partial<Pick<TensorShape, 'copies' | 'storage' | 'fused'>>;

/** A weight matrix of a Linear. */
export function matrix(
  part: ModelPart,
  path: string,
  rows: number,
  columns: number,
  sharding: ShardRule,
  more: More = {},
): TensorShape {
  return { role: lastName(path), path, part, rows, columns, copies: 1, storage: 'linear', sharding, ...more };
}

/** A vector: a norm, a bias or a state. */
export function vector(
  part: ModelPart,
  path: string,
  rows: number,
  storage: StorageClass,
  sharding: ShardRule = 'replicated',
  copies = 1,
): TensorShape {
  return { role: lastName(path), path, part, rows, columns: 1, copies, storage, sharding };
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

/** Elements of one norm module of `width`: twice that with a bias. */
export function normRows(model: ModelSpec, width: number): number {
  return width * (model.normBias ? 2 : 1);
}
