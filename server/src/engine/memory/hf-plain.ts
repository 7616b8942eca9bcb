import { DTYPE_BITS } from '../spec/numbers';
import type { HfMoment, HfPlan } from './hf-plan';
import type { HfStrategy } from './hf-strategy';
import { largestParameter, modelElements } from './hf-strategy';
import type { Ledger } from './ledger';
import { num, put } from './ledger';
import { lowWeightBytesOfBase } from './hf-adapters';
import type { StageModule } from './weights';

/** Bytes that torch's optimizers take for a moment beside their states: a list of temporaries, those of the largest tensor, or none. */
export function stepScratch(plan: HfPlan, elements: number, bytes: number): number {
  switch (plan.input.details?.optimizerStep ?? 'foreach') {
    case 'fused':
      return 0;
    case 'foreach':
      return elements * bytes;
    case 'for-loop':
      return 2 * Math.min(elements, largestParameter(plan)) * bytes;
  }
}

/** Elements that train and the bytes of one of them. */
export function trainable(plan: HfPlan): { elements: number; bytes: number } {
  const { lora } = plan.context;
  if (lora !== undefined) return { elements: plan.adapterElements, bytes: lora.bytes };
  return { elements: modelElements(plan), bytes: DTYPE_BITS[plan.input.precision.weights] / 8 };
}

/**
 * One process, or DistributedDataParallel: every rank holds all states. torch's optimizers keep moments in the parameter's own
 * format, made in the first step. DDP's buckets hold one more copy of all gradients unless gradients are views of them
 * (torch nn/parallel/distributed.py, gradient_as_bucket_view), and outlive zero_grad.
 */
export function plainStrategy(plan: HfPlan): HfStrategy {
  const { input } = plan;
  const train = trainable(plan);
  const replicas = Math.max(1, input.layout.data * input.layout.context);
  const buckets = replicas > 1 ? train.elements * train.bytes : 0;
  const inBuckets = replicas > 1 && input.details?.gradientBucketView === true;
  // With several microbatches gradients of the earlier ones stand while the last one runs.
  const standing = (inBuckets || input.batch.microbatches === 1 ? 0 : 1) * train.elements * train.bytes;
  const extraBytes = ({ gradients, runningGradients }: HfMoment): number => {
    if (inBuckets) return runningGradients;
    return standing > 0 ? standing + runningGradients : gradients + runningGradients;
  };
  return {
    resting: (ledger, modules) => {
      putPlainStates(ledger, plan, modules);
      put(ledger, 'buffers', 'DDP gradient buckets', buckets, `${num(train.elements)} × ${num(train.bytes)} B`, [
        'layout.data',
        'details.gradientBucketView',
      ]);
    },
    extraBytes,
    put: (ledger, moment) => {
      const bytes = extraBytes(moment);
      put(ledger, 'gradients', 'gradients made so far', bytes, `${num(bytes)} B`, ['precision.weights']);
    },
    step: (ledger) => {
      const gradients = inBuckets ? 0 : train.elements * train.bytes;
      put(ledger, 'gradients', 'gradients', gradients, `${num(train.elements)} × ${num(train.bytes)} B`, [
        'precision.weights',
      ]);
      const scratch = stepScratch(plan, train.elements, train.bytes);
      put(ledger, 'workspace', 'optimizer temporaries', scratch, `${num(scratch)} B`, ['details.optimizerStep']);
    },
  };
}

function putPlainStates(ledger: Ledger, plan: HfPlan, modules: readonly StageModule[]): void {
  const { bytes, input, context } = plan;
  const states = bytes.moments + bytes.master;
  for (const module of modules) {
    const each = context.lora === undefined ? bytes.weight : lowWeightBytesOfBase(plan, module);
    const count = `${num(module.layers)} × ${num(module.perLayer)}`;
    put(ledger, 'weights', module.module, module.elements * each, `${count} × ${num(each)} B`, [
      'precision.weights',
      ...module.fields,
    ]);
    if (context.lora === undefined && !input.optimizer.offloadOptimizer)
      put(ledger, 'optimizer', module.module, module.elements * states, `${count} × ${num(states)} B`, [
        'optimizer.kind',
        'precision.firstMoment',
        ...module.fields,
      ]);
  }
  if (context.lora === undefined) return;
  const n = plan.adapterElements;
  const moments = (bytes.moments / 4) * context.lora.bytes;
  put(ledger, 'weights', 'adapters', n * context.lora.bytes, `${num(n)} × ${num(context.lora.bytes)} B`, [
    'details.lora',
  ]);
  put(ledger, 'optimizer', 'adapters', n * moments, `${num(n)} × ${num(moments)} B`, [
    'details.lora',
    'optimizer.kind',
  ]);
}
