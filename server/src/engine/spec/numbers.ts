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

/** How some modules are stored in a mixed-precision checkpoint. */
export interface QuantizationOverride {
  /** Module name patterns, as the file lists them. */
  readonly modules: readonly string[];
  readonly method: QuantizationSpec['method'];
  readonly groupSize?: number;
  readonly scaleDType?: DType;
}

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
  /** When present, only modules that match are stored by `method`; the rest is in `baseDType` unless an override covers it. */
  readonly included?: readonly string[];
  /** Modules stored in another way (mixed precision); the first that covers a module decides. */
  readonly overrides?: readonly QuantizationOverride[];
  /** Bits of one packed integer weight where a group scheme is not the usual 4 (GPTQ with 2, 3 or 8). */
  readonly weightBits?: number;
  /** Group schemes: zero points are stored (always in GPTQ and AWQ files; asymmetric ones in compressed-tensors). */
  readonly zeroPoints?: boolean;
  /** GPTQ `desc_act` or compressed-tensors `actorder: group`: one I32 group index an input channel is stored. */
  readonly activationOrder?: boolean;
  /** Scales of activations are stored with the weights (static activation quantization). */
  readonly staticActivations?: boolean;
  /** Format of everything that is not quantized. */
  readonly baseDType: DType;
  /** The framework's own word, such as `compressed-tensors` or `modelopt`. */
  readonly source?: string;
}
