import { bytesOf, storedParts, type MatrixFormat } from '../model/stored-parts';
import type { Shard } from '../model/shard';
import type { TensorShape } from '../model/tensors';
import type { ServingInput } from './input';

function up(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** MXFP4 experts: vLLM rounds the inner width to 128 and the model width to 256 for its Hopper kernels (layers/quantization/mxfp4.py, create_weights). */
function paddedExpert(shard: Shard, { sharding }: TensorShape): Shard {
  const { rows, columns } = shard;
  if (sharding === 'expert-column') return { ...shard, rows: up(rows, 128), columns: up(columns, 256) };
  if (sharding === 'expert-row') return { ...shard, rows: up(rows, 256), columns: up(columns, 128) };
  return shard;
}

/** NVFP4 scales are swizzled in tiles of 128 rows × 4 blocks of 16 (vLLM layers/quantization/utils/nvfp4_utils.py, swizzle_blockscale). */
function swizzled({ rows, columns, copies }: Shard, format: MatrixFormat): number {
  const group = format.groupSize ?? 16;
  const scales = up(rows, 128) * up(Math.ceil(columns / group), 4);
  return copies * (rows * Math.ceil(columns / 2) + scales + (format.staticActivations === true ? 8 : 4));
}

/**
 * Bytes that a serving engine keeps for a shard, where kernels want other than what the file stores: padded MXFP4 experts, swizzled
 * NVFP4 scales, and symmetric GPTQ without zero points and, unless weights are ordered by activation, without group indices
 * (vLLM layers/quantization/gptq_marlin.py, process_weights_after_loading). Everything else is loaded as stored.
 */
export function loadedBytes(shard: Shard, tensor: TensorShape, format: MatrixFormat, input: ServingInput): number {
  const { stack } = input.serving;
  const plain = (own: Shard, as: MatrixFormat): number => own.copies * bytesOf(storedParts(own.rows, own.columns, as));
  if (stack === 'generic') return plain(shard, format);
  if (format.method === 'mxfp4' && tensor.part === 'experts' && stack === 'vllm')
    return plain(paddedExpert(shard, tensor), format);
  if (format.method === 'nvfp4') return swizzled(shard, format);
  if (format.source === 'gptq' && (format.method === 'int4-group' || format.method === 'int8')) {
    const ordered = format.activationOrder === true;
    // Two index tables where activations order the weights: the groups and the sort.
    const indices = ordered ? 4 * shard.columns * shard.copies : 0;
    const { source: _dropped, ...rest } = format;
    const weightBits = format.weightBits ?? (format.method === 'int8' ? 8 : 4);
    return plain(shard, { ...rest, method: 'int4-group', weightBits, zeroPoints: false }) + indices;
  }
  return plain(shard, format);
}
