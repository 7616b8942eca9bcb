import { DTYPE_BITS } from '../spec/numbers';
import type { TrainingInput } from './input';

/** Bytes a parameter, before sharding. */
export interface StateBytes {
  /** Weights that stay in wide precision. */
  readonly weight: number;
  /** Linear weights that the recipe keeps in low precision, scales included. */
  readonly lowWeight: number;
  readonly gradient: number;
  readonly master: number;
  readonly moments: number;
  /** Moments of embeddings and the head, which Muon leaves to Adam. */
  readonly tableMoments: number;
  /** Gradients copied to the master weights' format at the step (FP16 training). */
  readonly mainGradient: number;
}

function bytesOf(dtype: keyof typeof DTYPE_BITS): number {
  return DTYPE_BITS[dtype] / 8;
}

/** Bytes of a low-precision weight with its scales: FP32 a 128x128 block, E8M0 a 32-element row piece, E4M3 a 16-element one. */
export function lowWeightBytes(recipe: string): number {
  switch (recipe) {
    case 'blockwise':
      return 1 + 4 / (128 * 128);
    case 'mxfp8':
      return 1 + 1 / 32;
    case 'nvfp4':
      return 0.5 + 1 / 16;
    default:
      return 1;
  }
}

/**
 * Optimizer state a parameter. Adam keeps two moments, Muon and SGD with momentum and Lion one, 8-bit Adam two bytes with
 * block scales (one FP32 for 256 elements), Adafactor next to nothing (row and column sums).
 */
export function stateBytes(input: TrainingInput): StateBytes {
  const { precision, optimizer } = input;
  const wide = precision.fp8Weights && bytesOf(precision.weights) < 2 ? 2 : bytesOf(precision.weights);
  const { fp8Recipe } = precision;
  // DeepSeek's own kernels read a 128x128-scaled weight in both directions.
  const primary =
    optimizer.stack === 'megatron' ? copies(input) * lowWeightBytes(fp8Recipe) : lowWeightBytes(fp8Recipe);
  const low = precision.fp8Weights ? primary : cachedCopies(input, wide);
  const m = bytesOf(precision.firstMoment);
  const v = bytesOf(precision.secondMoment);
  const moments = { adam: m + v, muon: m, sgd: m, lion: m, adam8bit: 2 * (1 + 4 / 256), adafactor: 0 }[optimizer.kind];
  return {
    weight: wide,
    lowWeight: low,
    gradient: bytesOf(precision.gradients),
    master: precision.masterWeights === 'none' ? 0 : bytesOf(precision.masterWeights),
    moments,
    tableMoments: optimizer.kind === 'muon' ? m + v : moments,
    mainGradient: precision.weights === 'F16' && optimizer.stack === 'megatron' ? 4 : 0,
  };
}

/**
 * Copies that Transformer Engine keeps of a quantized weight: one for the forward pass, and one for the backward pass, transposed for
 * tensor-scaled FP8 where the GPU needs one layout (before Blackwell), quantized along the other direction for block formats.
 */
function copies({ cluster, precision: { fp8Recipe } }: TrainingInput): number {
  const oneLayout = (cluster?.computeCapability ?? 90) < 100;
  const tensorScaled = fp8Recipe === 'delayed' || fp8Recipe === 'tensorwise';
  return oneLayout || !tensorScaled ? 2 : 1;
}

/** BF16 primary weights with FP8 products add cached FP8 copies. */
function cachedCopies(input: TrainingInput, wide: number): number {
  const { fp8Recipe } = input.precision;
  // FSDP2 jobs cast each gathered weight on the fly and keep no copy (torchao float8 and MX linears).
  if (fp8Recipe === 'none' || input.optimizer.stack === 'fsdp2') return wide;
  return wide + copies(input) * lowWeightBytes(fp8Recipe);
}
