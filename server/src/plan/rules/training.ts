import type { LayoutSpec } from '../../engine/spec/layout';
import { isSize } from '../fill';
import type { Plan } from '../plan';
import {
  TRAINING_EVALUATION,
  TRAINING_EXPERT_SEQUENCE,
  TRAINING_INSTANCES,
  TRAINING_SEQUENCE,
  TRAINING_STAGES,
} from './enforcement';
import {
  advice,
  divisors,
  finding,
  named,
  nearest,
  nearestMultiples,
  placed,
  setFixes,
  stated,
  type PlanRule,
} from './rule-context';
import { certainWorld } from './world';

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}

interface Share {
  readonly step: number;
  readonly says: string;
}

/**
 * What a sequence must be a multiple of. Context ranks take two chunks each, one from either end, so that causal work is even;
 * sequence-parallel ranks share what a context rank holds. Source: Megatron-LM, megatron/core/utils.py, `get_batch_on_this_cp_rank`;
 * megatron/core/tensor_parallel/mappings.py, `_split_along_first_dim`; torchtitan, `parallelize_llama`.
 */
function shareOf(plan: Plan, layout: LayoutSpec): Share | undefined {
  const { tensor, context } = layout;
  if (!stated(plan.layout.context) && context > 1) return undefined;
  if (plan.dialect === 'torchtitan')
    return stated(plan.layout.tensor) || tensor === 1
      ? { step: tensor * 2 * context, says: `TP ${tensor} × 2 × CP ${context} = ${tensor * 2 * context}` }
      : undefined;
  const chunks = context > 1 ? 2 * context : 1;
  const shared =
    plan.dialect !== 'nanotron' &&
    stated(plan.layout.tensor) &&
    stated(plan.layout.sequenceParallel) &&
    plan.layout.sequenceParallel.value &&
    tensor > 1;
  if (!shared) return context > 1 ? { step: chunks, says: `2 × CP ${context} = ${chunks}` } : undefined;
  const step = leastCommonMultiple(chunks, context * tensor);
  return context > 1
    ? { step, says: `${step}, which 2 × CP ${context} and CP × TP ${tensor} under sequence parallelism ask for` }
    : { step, says: `TP ${tensor}, whose ranks share it under sequence parallelism` };
}

export const sequenceNotDivisible: PlanRule = {
  id: 'sequence-not-divisible',
  title: 'The sequence length does not divide over context-parallel and sequence-parallel ranks.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = TRAINING_SEQUENCE[plan.dialect];
    const length = plan.batch.sequenceLength;
    if (enforcement === undefined || layout === undefined || length === undefined || length.origin === 'assumed')
      return [];
    // ms-swift pads what it packs, so its longest sample is no sequence length.
    // torchtitan since it counts tokens shares out a whole pass, and says itself what does not fit.
    if (
      length.label === 'max_length' ||
      length.label === 'max_context_length' ||
      !Number.isInteger(length.value) ||
      length.value <= 0
    )
      return [];
    const share = shareOf(plan, layout);
    if (share === undefined || !Number.isSafeInteger(share.step) || share.step < 1) return [];
    if (length.value % share.step === 0) return [];
    const near = nearestMultiples(length.value, share.step);
    const message = `${named('sequence length', length, '')} is not a multiple of ${share.says}${advice(near)}.`;
    return [
      finding(sequenceNotDivisible, enforcement, message, {
        ...placed([
          { value: length, says: 'the sequence length' },
          { value: plan.layout.context, says: 'context parallelism' },
          { value: plan.layout.tensor, says: 'tensor parallelism' },
        ]),
        ...setFixes(length, 'sequence length', near),
      }),
    ];
  },
};

export const expertsNeedSequenceParallel: PlanRule = {
  id: 'experts-need-sequence-parallel',
  title: 'Expert layers train with tensor parallelism only under sequence parallelism.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = TRAINING_EXPERT_SEQUENCE[plan.dialect];
    const split = plan.layout.sequenceParallel;
    if (enforcement === undefined || layout === undefined || !stated(plan.layout.tensor) || !stated(split)) return [];
    if (split.value || layout.tensor <= 1 || !stated(plan.model.experts) || !isSize(plan.model.experts.value))
      return [];
    const message = `A model with experts stops at its first training step: TP ${layout.tensor} needs sequence parallelism, which is off.`;
    return [
      finding(
        expertsNeedSequenceParallel,
        enforcement,
        message,
        placed([
          { value: split, says: 'sequence parallelism' },
          { value: plan.layout.tensor, says: 'tensor parallelism' },
          { value: plan.model.experts, says: 'experts' },
        ]),
      ),
    ];
  },
};

export const unevenStages: PlanRule = {
  id: 'uneven-stages',
  title: 'What an uneven split of layers really builds.',
  severity: 'information',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = TRAINING_STAGES[plan.dialect];
    const split = plan.layout.stageLayers;
    if (enforcement === undefined || layout === undefined || split?.origin !== 'derived' || split.at === undefined)
      return [];
    const counts = split.value;
    if (new Set(counts).size < 2) return [];
    const shown =
      counts.length > 16 ? `${counts.slice(0, 4).join('|')}|…|${counts.slice(-3).join('|')}` : counts.join('|');
    const total = counts.reduce((sum, count) => sum + count, 0);
    const over =
      layout.virtualPipeline > 1
        ? `${counts.length} virtual stages (${layout.virtualPipeline} a rank)`
        : `${counts.length} stages`;
    // The place is that of a derived value, so it is given as it is.
    return [finding(unevenStages, enforcement, `${total} layers over ${over} become ${shown}.`, { at: split.at })];
  },
};

export const instancesNotDivisible: PlanRule = {
  id: 'optimizer-instances-not-divisible',
  title: 'The data-parallel ranks do not divide into the copies of the sharded optimizer.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = TRAINING_INSTANCES[plan.dialect];
    const copies = plan.layout.dataReplicate;
    const world = certainWorld(plan);
    if (enforcement === undefined || layout === undefined || world === undefined || copies?.origin !== 'file')
      return [];
    if (!Number.isInteger(copies.value) || copies.value < 1) return [];
    const ranks = world / (layout.tensor * layout.pipeline);
    if (!Number.isInteger(ranks) || ranks % copies.value === 0) return [];
    const near = nearest(copies.value, divisors(ranks));
    const message = `${ranks} data-parallel ranks (context included) do not divide into ${named('optimizer instances', copies, '')}${advice(near)}.`;
    return [
      finding(instancesNotDivisible, enforcement, message, {
        ...placed([{ value: copies, says: 'optimizer instances' }]),
        ...setFixes(copies, 'optimizer instances', near),
      }),
    ];
  },
};

export const evaluationNotDivisible: PlanRule = {
  id: 'evaluation-batch-not-divisible',
  title: 'The evaluation batch is not a multiple of its microbatch × data parallelism.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = TRAINING_EVALUATION[plan.dialect];
    const { evalGlobalBatch, evalMicroBatch, globalBatch, microBatch } = plan.batch;
    const whole = evalGlobalBatch ?? globalBatch;
    const part = evalMicroBatch ?? microBatch;
    if (enforcement === undefined || layout === undefined || whole === undefined || part === undefined) return [];
    if ((evalGlobalBatch ?? evalMicroBatch) === undefined || !stated(whole) || !stated(part)) return [];
    const known = certainWorld(plan) !== undefined;
    const model = layout.tensor * layout.pipeline * layout.context;
    if (known && layout.worldSize % model !== 0) return [];
    // Whatever the data-parallel size, whole microbatches must come out.
    const data = known ? layout.data : 1;
    const step = part.value * data;
    if (!Number.isSafeInteger(step) || step < 1 || whole.value % step === 0) return [];
    const near = nearestMultiples(whole.value, step);
    const message = `${named('evaluation batch', whole, '')} is not a multiple of ${named('evaluation microbatch', part, '')}${known ? ` × data parallelism ${data} = ${step}` : ''}${advice(near)}.`;
    return [
      finding(evaluationNotDivisible, enforcement, message, {
        ...placed([
          { value: whole, says: 'the evaluation batch' },
          { value: part, says: 'the evaluation microbatch' },
        ]),
        ...setFixes(whole, 'evaluation batch', near),
      }),
    ];
  },
};
