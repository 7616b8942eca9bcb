/** Element formats that occur in checkpoints, gradients, optimizer states and caches. */
export type DType =
  | 'F64'
  | 'F32'
  | 'BF16'
  | 'F16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'E8M0'
  | 'E5M6'
  | 'F4_E2M1'
  | 'I8'
  | 'U8'
  | 'I4'
  | 'I32'
  | 'I64'
  | 'NF4';

/** Bits of one element of `dtype`, without scales. */
export const DTYPE_BITS: Readonly<Record<DType, number>> = {
  F64: 64,
  F32: 32,
  BF16: 16,
  F16: 16,
  F8_E4M3: 8,
  F8_E5M2: 8,
  E8M0: 8,
  E5M6: 12,
  F4_E2M1: 4,
  I8: 8,
  U8: 8,
  I4: 4,
  I32: 32,
  I64: 64,
  NF4: 4,
};

/**
 * How weights are stored in a checkpoint or while serving.
 * `block` is rows x columns that share one scale; absent for per-tensor and per-channel schemes.
 */
export interface QuantizationSpec {
  readonly method:
    | 'none'
    | 'fp8-block'
    | 'fp8-tensor'
    | 'fp8-channel'
    | 'mxfp8'
    | 'mxfp4'
    | 'nvfp4'
    | 'int8'
    | 'int4-group'
    | 'bnb-4bit'
    | 'bnb-8bit';
  readonly blockRows?: number;
  readonly blockColumns?: number;
  /** Elements that share one scale in group schemes (GPTQ, AWQ, MX, NVFP4). */
  readonly groupSize?: number;
  readonly scaleDType?: DType;
  /** Module name patterns kept in `baseDType`, as the file lists them. */
  readonly excluded?: readonly string[];
  /** Format of everything that is not quantized. */
  readonly baseDType: DType;
  /** The framework's own word, such as `compressed-tensors` or `modelopt`. */
  readonly source?: string;
}
