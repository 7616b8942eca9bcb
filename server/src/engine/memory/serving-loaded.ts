import type { Shard } from '../model/shard';
import type { MatrixFormat } from '../model/stored-parts';
import type { TensorShape } from '../model/tensors';
import type { ServingInput } from './input';

function up(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/**
 * The matrix that an engine keeps for a shard: kernels of some formats want round sizes, so loading pads.
 *
 * MXFP4 experts on Hopper: inner width to 128 and model width to 256 (vLLM layers/quantization/mxfp4.py, create_weights, Marlin path).
 * NVFP4 scales are swizzled in tiles of 128 rows × 4 blocks; only the scales grow, less than 1 % of a matrix, so they are not padded here.
 */
export function loadedMatrix(shard: Shard, tensor: TensorShape, format: MatrixFormat, input: ServingInput): Shard {
  if (format.method !== 'mxfp4' || tensor.part !== 'experts' || input.serving.stack !== 'vllm') return shard;
  if (tensor.sharding === 'expert-column')
    return { ...shard, rows: up(shard.rows, 128), columns: up(shard.columns, 256) };
  if (tensor.sharding === 'expert-row') return { ...shard, rows: up(shard.rows, 256), columns: up(shard.columns, 128) };
  return shard;
}
