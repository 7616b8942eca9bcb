import type { ResolvedPlan } from '../../plan/plan';
import { largestDivisor } from '../../plan/rules/rule-context';

/** The fields that the one word for a job's number format carries, `--bf16` and its like. */
export const FORMAT = [
  'precision.weights',
  'precision.compute',
  'precision.gradients',
  'precision.masterWeights',
  'precision.firstMoment',
  'precision.secondMoment',
];

/** What a job multiplies in: frameworks name it by the copy they compute with, whether the weights are kept wide (FSDP) or narrow beside a master copy. */
export function halfFormat({ precision }: ResolvedPlan): 'BF16' | 'F16' | undefined {
  const { weights, compute, fp8Recipe } = precision;
  if (weights === 'BF16' || weights === 'F16') return weights;
  if (compute === 'BF16' || compute === 'F16') return compute;
  return fp8Recipe === 'none' ? undefined : 'BF16';
}

/** Nothing of the weights is kept in FP32, so that steps are lost to rounding. */
export function withoutMaster({ precision }: ResolvedPlan): boolean {
  return precision.weights !== 'F32' && precision.masterWeights === 'none';
}

export interface SharedBatch {
  readonly micro: number;
  readonly accumulation: number;
  readonly global: number;
}

/**
 * The same global batch over another number of data ranks: the microbatch is kept where it divides a rank's share,
 * else it is the largest smaller one that does; where the ranks do not divide the batch, the batch is cut to what they do.
 */
export function sharedBatch(global: number, micro: number, ranks: number): SharedBatch {
  const share = Math.floor(global / ranks);
  if (share < 1) return { micro: 1, accumulation: 1, global: ranks };
  const fits = largestDivisor(share, micro);
  return { micro: fits, accumulation: share / fits, global: share * ranks };
}
