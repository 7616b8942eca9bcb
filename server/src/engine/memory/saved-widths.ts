import type { TrainingInput } from './input';
import { num } from './ledger';

/**
 * How inputs of matrix products are kept for the weight gradient: as they are, scaled by tensor, in 1x128 blocks, in MXFP8 or NVFP4 by
 * Transformer Engine, or as DeepSeek's own kernels keep them.
 */
export type Keeping = 'wide' | 'tensor' | 'block' | 'mxfp8' | 'nvfp4' | 'deepseek';

/** Bytes with the sum that makes them. */
export interface Kept {
  readonly bytes: number;
  readonly formula: string;
}

/** Byte widths of what is kept, an element. */
export interface SavedWidths {
  readonly keeping: Keeping;
  /** What no matrix product quantizes: norm inputs, attention, router. */
  readonly wide: number;
  /** Input of the activation function; DeepSeek keeps it in FP8, Megatron on request without scales. */
  readonly activation: number;
  /** Query, key and value where the attention kernel keeps them in FP8. */
  readonly attention: number;
}

const KEEPING: Readonly<Record<TrainingInput['precision']['fp8Recipe'], Keeping>> = {
  none: 'wide',
  delayed: 'tensor',
  tensorwise: 'tensor',
  rowwise: 'tensor',
  blockwise: 'block',
  mxfp8: 'mxfp8',
  nvfp4: 'nvfp4',
};

/** Whether the layers are Transformer Engine's, which fuse a norm with the product that reads it. */
export function transformerEngine({ optimizer, details }: TrainingInput): boolean {
  return optimizer.stack === 'megatron' && details?.transformerImpl !== 'local';
}

/** How this job keeps inputs of matrix products. Transformer Engine quantizes them whatever else is asked for; plain modules never do. */
export function keepingOf(input: TrainingInput): Keeping {
  if (transformerEngine(input)) return KEEPING[input.precision.fp8Recipe];
  return input.precision.fp8Activations && input.details?.transformerImpl !== 'local' ? 'deepseek' : 'wide';
}

/** FP8 tiles of DeepSeek's recipe carry one FP32 scale for 128 elements (arXiv 2412.19437, section 3.3). */
const TILE = 1 + 4 / 128;

/** Bytes an element of what is kept (arXiv 2412.19437, section 3.3; Megatron-LM `activation_func_fp8_input_store`; Transformer Engine FusedAttnFunc). */
export function savedWidths(input: TrainingInput): SavedWidths {
  const wide = input.precision.compute === 'F32' ? 4 : 2;
  const keeping = keepingOf(input);
  const stored = input.details?.activationInFp8 === true ? 1 : wide;
  // Blocks along both directions are two different quantizations, and the backward pass of attention reads both.
  const inFp8 = keeping === 'tensor' ? 1 : keeping === 'mxfp8' ? 2 * (1 + 1 / 32) : wide;
  const attention = input.details?.attentionInFp8 === true ? inFp8 : wide;
  return { keeping, wide, activation: keeping === 'deepseek' ? TILE : stored, attention };
}

const up = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/**
 * One input of `rows` tokens and `columns` features, kept for the weight gradient by its columns alone (Transformer Engine
 * pytorch/module/linear.py, layernorm_linear.py, grouped_linear.py: `update_usage(rowwise_usage=False)`). Scales with their padding:
 * float8_blockwise_tensor.py, mxfp8_tensor.py, nvfp4_tensor.py, `get_scale_shape`. `groups` cut the rows, one an expert.
 * `gathered`: sequence parallelism gathers the input again in the backward pass, for which NVFP4 keeps its rows too.
 */
export function keptInput(w: SavedWidths, rows: number, columns: number, groups = 1, gathered = false): Kept {
  const element = `${num(rows)} × ${num(columns)}`;
  const plain = (width: number): Kept => ({ bytes: rows * columns * width, formula: `${element} × ${num(width)} B` });
  const each = rows / Math.max(1, groups);
  const scaled = (data: number, scaleRows: number, scaleColumns: number, width: number): Kept => ({
    bytes: rows * columns * data + groups * scaleRows * scaleColumns * width,
    formula: `(${element} × ${num(data)} + ${groups === 1 ? '' : `${num(groups)} × `}${num(scaleRows)} × ${num(scaleColumns)} × ${num(width)}) B`,
  });
  switch (w.keeping) {
    case 'wide':
      return plain(w.wide);
    case 'deepseek':
      return plain(TILE);
    case 'tensor':
      return plain(1);
    case 'block':
      return scaled(1, Math.ceil(each / 128), up(columns, 4), 4);
    case 'mxfp8':
      return scaled(1, up(Math.ceil(each / 32), 4), up(columns, 128), 1);
    case 'nvfp4': {
      const one = scaled(0.5, up(Math.ceil(each / 16), 4), up(columns, 128), 1);
      return gathered ? { bytes: 2 * one.bytes, formula: `2 × ${one.formula}` } : one;
    }
  }
}

/**
 * Bytes an element of the attention output: its backward pass reads it, and so does the projection after it. Transformer Engine keeps one
 * tensor in BF16 for both, except under delayed scaling, where the projection has its own in FP8 (Megatron-LM core/transformer/attention.py,
 * `set_save_original_input`); DeepSeek keeps one in E5M6 (arXiv 2412.19437, section 3.3.2).
 */
export function attentionOutputWidth(input: TrainingInput, w: SavedWidths): number {
  if (w.keeping === 'deepseek') return 1.5 + 4 / 128;
  const delayed = w.keeping === 'tensor' && input.precision.fp8Recipe === 'delayed';
  if (!delayed) return w.wide;
  return (input.details?.attentionInFp8 === true ? 1 : w.wide) + 1;
}
