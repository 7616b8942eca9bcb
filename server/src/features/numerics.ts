import type { AccumulationBias, OperandFormat } from '../engine/numerics/recipe';
import { OPERAND_FIGURES, sumBias, sumBiases, type OperandFigures } from '../engine/numerics/recipe-table';
import type { ResolvedPlan } from '../plan/plan';
import { count, percent } from './format';

/** One way to store operands, with what it does to numbers without and with outlier channels. */
export interface FormatError extends OperandFigures {
  readonly format: OperandFormat;
  readonly label: string;
  /** The plan asks for this one. */
  readonly own: boolean;
}

/** What the number formats of a plan do to its numbers. */
export interface Numerics {
  readonly recipe: string;
  readonly formats: readonly FormatError[];
  /** Sums on Hopper's FP8 tensor cores up to the model's own inner dimension; absent on GPUs that add in full precision. */
  readonly sums?: readonly AccumulationBias[];
  /** What the recipe does about them. */
  readonly promotion?: string;
}

const LABELS: Readonly<Record<OperandFormat, string>> = {
  bf16: 'BF16',
  'fp8-tensor': 'E4M3, one scale a tensor',
  'fp8-row': 'E4M3, one scale a row',
  'fp8-1x128': 'E4M3, 1 × 128',
  'fp8-1x128-ue8m0': 'E4M3, 1 × 128, powers of two',
  'fp8-128x128': 'E4M3, 128 × 128',
  mxfp8: 'MXFP8',
  mxfp4: 'MXFP4',
  nvfp4: 'NVFP4',
};

const TRAINING: Readonly<Record<string, OperandFormat>> = {
  delayed: 'fp8-tensor',
  tensorwise: 'fp8-tensor',
  rowwise: 'fp8-row',
  blockwise: 'fp8-1x128',
  mxfp8: 'mxfp8',
  nvfp4: 'nvfp4',
};
const SERVING: Readonly<Record<string, OperandFormat>> = {
  'fp8-block': 'fp8-1x128',
  'fp8-tensor': 'fp8-tensor',
  'fp8-channel': 'fp8-row',
  mxfp8: 'mxfp8',
  mxfp4: 'mxfp4',
  nvfp4: 'nvfp4',
};
/** The format of the plan's own matrix products; undefined where they are not quantized, or in a way without a model here. */
export function ownFormat({ plan, precision, quantization }: ResolvedPlan): OperandFormat | undefined {
  return plan.task === 'training' ? TRAINING[precision.fp8Recipe] : SERVING[quantization.method];
}

function promotionOf({ plan, precision }: ResolvedPlan): string {
  if (plan.task === 'training' && precision.fp8Recipe !== 'blockwise')
    return 'Transformer Engine adds the forward pass without promotion and the backward pass with it';
  return 'block-scaled kernels move the sum to FP32 every 128 products';
}

/** Sums over the model's own inner dimension happen in reduced precision: FP8 products on Hopper. */
function hopperSum({ cluster, model }: ResolvedPlan, own: OperandFormat): number {
  return cluster?.computeCapability === 90 && own.startsWith('fp8') ? (model?.hiddenSize ?? 0) : 0;
}

/** Number formats of a plan's matrix products with what they cost in precision; undefined where nothing is quantized. */
export function numericsOf(resolved: ResolvedPlan): Numerics | undefined {
  const own = ownFormat(resolved);
  if (own === undefined) return undefined;
  const beside = [own, 'bf16', 'fp8-tensor', 'fp8-1x128', 'mxfp8', 'nvfp4'] as const;
  const sums = sumBiases(hopperSum(resolved, own));
  return {
    recipe: LABELS[own],
    formats: [...new Set(beside)].map((format) => ({
      format,
      label: LABELS[format],
      own: format === own,
      ...OPERAND_FIGURES[format],
    })),
    ...(sums.length > 1 ? { sums, promotion: promotionOf(resolved) } : {}),
  };
}

/** The same in two lines for a hover. */
export function numericsAnswer(resolved: ResolvedPlan): string[] {
  const own = ownFormat(resolved);
  if (own === undefined) return [];
  const { relative, flushed } = OPERAND_FIGURES[own];
  const tensor = OPERAND_FIGURES['fp8-tensor'].flushed;
  const beside = own === 'fp8-tensor' ? '' : ` (one scale a tensor: ${percent(tensor, 3)})`;
  const lines = [
    `${LABELS[own]}: error ${percent(relative, 2)} of a normal tensor; with outlier channels ${percent(flushed, 3)} of its numbers become zero${beside}`,
  ];
  const bias = sumBias(hopperSum(resolved, own));
  if (bias !== undefined)
    lines.push(
      `Sums of ${count(bias.length)} positive products on Hopper come out ${percent(bias.unpromoted, 1)} low without promotion, ${percent(bias.promoted, 2)} with promotion every 128; ${promotionOf(resolved)}`,
    );
  return lines;
}
