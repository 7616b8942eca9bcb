import { DTYPE_BITS, type DType, type QuantizationSpec } from '../spec/numbers';

/** One tensor (or several equal ones) as a file stores it. */
export interface StoredPart {
  readonly dtype: DType;
  readonly elements: number;
}

/** How one weight matrix is stored: a quantization without its lists of modules. */
export type MatrixFormat = Omit<QuantizationSpec, 'excluded' | 'included' | 'overrides'>;

const E8M0_BLOCK = 32;
const NVFP4_BLOCK = 16;
const BNB_BLOCK = 64;
const BNB_NESTED_BLOCK = 256;

/** Rows x columns, with one scale a `blockRows` x `blockColumns` tile; tiles at the edge are whole. */
function blockScales(rows: number, columns: number, blockRows: number, blockColumns: number): number {
  return Math.ceil(rows / Math.max(1, blockRows)) * Math.ceil(columns / Math.max(1, blockColumns));
}

/**
 * GPTQ, AWQ and compressed-tensors group formats: weights packed into I32, one scale a group of inputs and output, packed zero
 * points where the format has them, and GPTQ's group index. `groupSize` -1 or 0 is one group a column.
 * Source: AutoGPTQ qlinear_cuda.py, AutoAWQ linear/gemm.py, compressed-tensors compressors/quantized_compressors/pack_quantized.py.
 */
function packed(rows: number, columns: number, format: MatrixFormat): StoredPart[] {
  const bits = format.weightBits ?? 4;
  const group = (format.groupSize ?? 128) > 0 ? (format.groupSize ?? 128) : columns;
  const groups = Math.ceil(columns / Math.max(1, group));
  const gptq = format.source === 'gptq';
  const compressed = format.source === 'compressed-tensors';
  const parts: StoredPart[] = [
    // compressed-tensors packs inputs of one output; GPTQ packs inputs, AWQ outputs: the count differs only by padding.
    {
      dtype: 'I32',
      elements: compressed ? rows * Math.ceil((columns * bits) / 32) : Math.ceil((columns * bits) / 32) * rows,
    },
    { dtype: format.scaleDType ?? (compressed ? format.baseDType : 'F16'), elements: rows * groups },
  ];
  if (format.zeroPoints ?? !compressed) parts.push({ dtype: 'I32', elements: groups * Math.ceil((rows * bits) / 32) });
  if (gptq || format.activationOrder === true) parts.push({ dtype: 'I32', elements: columns });
  if (compressed) parts.push({ dtype: 'I64', elements: 2 });
  return parts;
}

/** bitsandbytes NF4 with double quantization: 4-bit codes, 8-bit block maxima, FP32 maxima of those, and two code tables. */
function nf4(rows: number, columns: number): StoredPart[] {
  const codes = rows * columns;
  const blocks = Math.ceil(codes / BNB_BLOCK);
  return [
    { dtype: 'U8', elements: Math.ceil(codes / 2) + blocks },
    { dtype: 'F32', elements: Math.ceil(blocks / BNB_NESTED_BLOCK) + 16 + 256 },
  ];
}

function nvfp4(rows: number, columns: number, format: MatrixFormat): StoredPart[] {
  return [
    { dtype: 'U8', elements: rows * Math.ceil(columns / 2) },
    { dtype: 'F8_E4M3', elements: rows * Math.ceil(columns / (format.groupSize ?? NVFP4_BLOCK)) },
    // The scale of the block scales, and with static activations the scale of the input.
    { dtype: 'F32', elements: format.staticActivations === true ? 2 : 1 },
  ];
}

/**
 * The tensors that one `rows` x `columns` weight becomes in a file, scales included.
 * Sources: deepseek-ai/DeepSeek-V3 inference/fp8_cast_bf16.py (128 x 128 `weight_scale_inv`), compressed-tensors, NVIDIA ModelOpt export,
 * gpt-oss weights (`_blocks` and `_scales`), OCP Microscaling formats v1.0.
 */
export function storedParts(rows: number, columns: number, format: MatrixFormat): readonly StoredPart[] {
  const count = rows * columns;
  const scale = format.scaleDType ?? 'F32';
  const input: StoredPart[] = format.staticActivations === true ? [{ dtype: 'F32', elements: 1 }] : [];
  switch (format.method) {
    case 'none':
      return [{ dtype: format.baseDType, elements: count }];
    case 'fp8-block':
      return [
        { dtype: 'F8_E4M3', elements: count },
        { dtype: scale, elements: blockScales(rows, columns, format.blockRows ?? 128, format.blockColumns ?? 128) },
      ];
    case 'fp8-tensor':
      return [{ dtype: 'F8_E4M3', elements: count }, { dtype: scale, elements: 1 }, ...input];
    case 'fp8-channel':
      return [{ dtype: 'F8_E4M3', elements: count }, { dtype: scale, elements: rows }, ...input];
    case 'mxfp8':
      return [
        { dtype: 'F8_E4M3', elements: count },
        { dtype: 'U8', elements: rows * Math.ceil(columns / E8M0_BLOCK) },
      ];
    case 'mxfp4':
      return [{ dtype: 'U8', elements: rows * (Math.ceil(columns / 2) + Math.ceil(columns / E8M0_BLOCK)) }];
    case 'nvfp4':
      return nvfp4(rows, columns, format);
    case 'int8':
      return format.groupSize === undefined || format.source === 'gptq'
        ? format.source === 'gptq'
          ? packed(rows, columns, { ...format, weightBits: format.weightBits ?? 8 })
          : [{ dtype: 'I8', elements: count }, { dtype: scale, elements: rows }, ...input]
        : packed(rows, columns, { ...format, weightBits: format.weightBits ?? 8 });
    case 'int4-group':
      return packed(rows, columns, format);
    case 'bnb-4bit':
      return nf4(rows, columns);
    case 'bnb-8bit':
      return [
        { dtype: 'I8', elements: count },
        { dtype: 'F32', elements: rows },
      ];
  }
}

/** Bytes of stored parts. */
export function bytesOf(parts: readonly StoredPart[]): number {
  let bytes = 0;
  for (const { dtype, elements } of parts) bytes += (elements * DTYPE_BITS[dtype]) / 8;
  return bytes;
}
