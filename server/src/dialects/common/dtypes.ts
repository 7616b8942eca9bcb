import type { DType } from '../../engine/spec/numbers';

const NAMES: Readonly<Record<string, DType>> = {
  fp64: 'F64',
  float64: 'F64',
  double: 'F64',
  fp32: 'F32',
  float32: 'F32',
  float: 'F32',
  f32: 'F32',
  bf16: 'BF16',
  bfloat16: 'BF16',
  fp16: 'F16',
  float16: 'F16',
  half: 'F16',
  f16: 'F16',
  fp8: 'F8_E4M3',
  fp8_e4m3: 'F8_E4M3',
  fp8_e4m3fn: 'F8_E4M3',
  e4m3: 'F8_E4M3',
  f8_e4m3: 'F8_E4M3',
  float8_e4m3fn: 'F8_E4M3',
  mxfp8: 'F8_E4M3',
  fp8_e5m2: 'F8_E5M2',
  e5m2: 'F8_E5M2',
  f8_e5m2: 'F8_E5M2',
  float8_e5m2: 'F8_E5M2',
  e8m0: 'E8M0',
  ue8m0: 'E8M0',
  e5m6: 'E5M6',
  fp4: 'F4_E2M1',
  fp4_e2m1: 'F4_E2M1',
  e2m1: 'F4_E2M1',
  nvfp4: 'F4_E2M1',
  mxfp4: 'F4_E2M1',
  fp4_mx_block16: 'F4_E2M1',
  f4_e2m1: 'F4_E2M1',
  int8: 'I8',
  i8: 'I8',
  uint8: 'U8',
  u8: 'U8',
  int4: 'I4',
  i4: 'I4',
  int32: 'I32',
  int64: 'I64',
  nf4: 'NF4',
};

/** The number format that frameworks call `name`, in any of their spellings; `torch.` in front is ignored. */
export function dtypeOf(name: string): DType | undefined {
  return NAMES[
    name
      .trim()
      .toLowerCase()
      .replace(/^torch\./, '')
  ];
}

/** Every spelling that `dtypeOf` knows. */
export const DTYPE_NAMES: readonly string[] = Object.keys(NAMES);
