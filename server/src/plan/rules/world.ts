import { smallestWorld, statedWorld } from '../resolve-layout';
import { TRAINING_BATCH, TRAINING_EXPERT_WORLD, TRAINING_PRODUCT, TRAINING_WORLD } from './enforcement';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { Plan, Sourced } from '../plan';
import {
  advice,
  finding,
  megatron,
  named,
  nearestMultiples,
  placed,
  setFixes,
  type Enforcement,
  type PlanRule,
} from './rule-context';

/** Who refuses a world that the degrees do not divide. A plan of our own cannot be laid out either. */
const WORLD: Readonly<Record<string, Enforcement>> = {
  ...TRAINING_WORLD,
  megatron: { severity: 'error', source: megatron('megatron/training/arguments.py', 'validate_args') },
  shardlens: { severity: 'error' },
};

const EXPERT_WORLD: Readonly<Record<string, Enforcement>> = {
  ...TRAINING_EXPERT_WORLD,
  megatron: { severity: 'error', source: megatron('megatron/core/parallel_state.py', 'initialize_model_parallel') },
  shardlens: { severity: 'error' },
};

const BATCH: Readonly<Record<string, Enforcement>> = {
  ...TRAINING_BATCH,
  megatron: {
    severity: 'error',
    source: megatron('megatron/core/num_microbatches_calculator.py', 'ConstantNumMicroBatchesCalculator'),
  },
  shardlens: { severity: 'error' },
};

/** The GPU count as it was stated, wherever that was. */
function worldSource(plan: Plan): Sourced<unknown> | undefined {
  return plan.layout.worldSize ?? plan.cluster.gpus ?? plan.cluster.nodes;
}

/** The GPU count as far as someone stated it: nodes × GPUs a node says nothing while the GPUs a node are our assumption. */
export function certainWorld(plan: Plan): number | undefined {
  const direct = plan.layout.worldSize ?? plan.cluster.gpus;
  return direct === undefined && plan.cluster.gpusPerNode?.origin === 'assumed' ? undefined : statedWorld(plan);
}

/** Ranks of one replica, of the degrees that are certain: one that we assumed proves nothing about the file. */
function certainProduct(plan: Plan, layout: LayoutSpec): number {
  const certain = (key: 'tensor' | 'pipeline' | 'context'): number =>
    plan.layout[key]?.origin === 'assumed' ? 1 : layout[key];
  return certain('tensor') * certain('pipeline') * certain('context');
}

/** True where a degree that the rule multiplies is no more than our assumption. */
function assumes(plan: Plan, keys: readonly (keyof LayoutSpec)[]): boolean {
  return keys.some((key) => plan.layout[key]?.origin === 'assumed');
}

export const worldNotDivisible: PlanRule = {
  id: 'world-not-divisible',
  title: 'The GPU count is not a multiple of tensor × pipeline × context parallelism.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = WORLD[plan.dialect];
    const world = certainWorld(plan);
    if (enforcement === undefined || world === undefined || layout === undefined || plan.task !== 'training') return [];
    const model = certainProduct(plan, layout);
    if (world % model === 0) return [];
    const near = nearestMultiples(world, model);
    const message = `${world} GPUs do not divide into replicas of TP ${layout.tensor} × PP ${layout.pipeline} × CP ${layout.context} = ${model} GPUs${advice(near)} GPUs.`;
    const { tensor, pipeline, context } = plan.layout;
    return [
      finding(
        worldNotDivisible,
        enforcement,
        message,
        placed([
          { value: tensor, says: 'tensor parallelism' },
          { value: pipeline, says: 'pipeline parallelism' },
          { value: context, says: 'context parallelism' },
          { value: worldSource(plan), says: 'the GPU count' },
        ]),
      ),
    ];
  },
};

export const expertWorldNotDivisible: PlanRule = {
  id: 'expert-world-not-divisible',
  title: 'The GPU count is not a multiple of expert-tensor × expert × pipeline parallelism.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = EXPERT_WORLD[plan.dialect];
    const world = certainWorld(plan);
    if (
      enforcement === undefined ||
      world === undefined ||
      layout === undefined ||
      layout.expert <= 1 ||
      plan.task !== 'training'
    )
      return [];
    if (assumes(plan, ['pipeline', 'expert', 'expertTensor'])) return [];
    const group = layout.expertTensor * layout.expert * layout.pipeline;
    // A world that the dense degrees do not divide is one cause; saying it twice would hide it.
    if (world % group === 0 || world % (layout.tensor * layout.pipeline * layout.context) !== 0) return [];
    const smallest = smallestWorld(layout);
    const hint =
      plan.layout.expertTensor?.origin === 'default' && layout.expertTensor > 1
        ? `, where expert tensor parallelism is TP (${layout.expertTensor}) unless it is set`
        : '';
    const message =
      `EP ${layout.expert} needs groups of ETP ${layout.expertTensor} × EP ${layout.expert} × PP ${layout.pipeline} = ${group} GPUs${hint}, ` +
      `which do not divide ${world} GPUs; the smallest legal world is ${smallest} GPUs.`;
    return [
      finding(
        expertWorldNotDivisible,
        enforcement,
        message,
        placed([
          { value: plan.layout.expert, says: 'expert parallelism' },
          { value: plan.layout.expertTensor, says: 'expert tensor parallelism' },
          { value: worldSource(plan), says: 'the GPU count' },
        ]),
      ),
    ];
  },
};

export const batchNotDivisible: PlanRule = {
  id: 'global-batch-not-divisible',
  title: 'The global batch is not a multiple of microbatch × data parallelism.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const enforcement = BATCH[plan.dialect];
    const { globalBatch, microBatch } = plan.batch;
    // Without a stated GPU count the data-parallel size is ours, not the user's, and proves nothing.
    if (enforcement === undefined || layout === undefined || globalBatch === undefined || microBatch === undefined)
      return [];
    if (certainWorld(plan) === undefined && plan.layout.data === undefined) return [];
    if (assumes(plan, ['tensor', 'pipeline', 'context']) || globalBatch.origin === 'assumed') return [];
    if (microBatch.origin === 'assumed') return [];
    if (layout.worldSize % (layout.tensor * layout.pipeline * layout.context) !== 0) return [];
    // Both ask for whole local batches, which a pipeline cuts into several microbatches.
    const cuts = plan.dialect === 'torchtitan' || plan.dialect === 'nemo-automodel';
    const local = cuts ? (plan.batch.microbatches?.value ?? 1) : 1;
    const step = microBatch.value * local * layout.data;
    if (!Number.isSafeInteger(step) || step <= 0 || globalBatch.value % step === 0) return [];
    const near = nearestMultiples(globalBatch.value, step);
    const message = `${named('global batch', globalBatch, '')} is not a multiple of ${named('microbatch', microBatch, '')}${local > 1 ? ` × ${local} microbatches` : ''} × data parallelism ${layout.data} = ${step}${advice(near)}.`;
    return [
      finding(batchNotDivisible, enforcement, message, {
        ...placed([
          { value: globalBatch, says: 'global batch' },
          { value: microBatch, says: 'microbatch' },
        ]),
        ...setFixes(globalBatch, 'global batch', near),
      }),
    ];
  },
};

/** Degrees that a file can state, with the word for each. */
const DEGREES = [
  ['tensor', 'tensor parallelism'],
  ['pipeline', 'pipeline parallelism'],
  ['virtualPipeline', 'virtual pipeline stages'],
  ['context', 'context parallelism'],
  ['expert', 'expert parallelism'],
  ['expertTensor', 'expert tensor parallelism'],
  ['attentionData', 'attention data parallelism'],
  ['data', 'data parallelism'],
  ['worldSize', 'the number of GPUs'],
] as const;

/** No launcher lays out a fraction of a rank, none at all, or more ranks than there are GPUs in the world. */
const MOST_RANKS = 2 ** 24;

export const degreeNotPositive: PlanRule = {
  id: 'degree-not-positive',
  title: 'A parallel degree is not a positive whole number.',
  severity: 'error',
  check: ({ plan }) =>
    DEGREES.flatMap(([key, name]) => {
      const value = plan.layout[key];
      if (value?.origin !== 'file') return [];
      if (Number.isInteger(value.value) && value.value > 0 && value.value <= MOST_RANKS) return [];
      const nearest = value.value > MOST_RANKS ? MOST_RANKS : 1;
      const message = `${named(name, value, '')} is no parallel degree: it must be a positive whole number; the nearest legal value is ${nearest}.`;
      return [
        finding(degreeNotPositive, { severity: 'error' }, message, {
          ...placed([{ value, says: name }]),
          ...setFixes(value, name, [nearest]),
        }),
      ];
    }),
};

export const worldProductMismatch: PlanRule = {
  id: 'world-product-mismatch',
  title: 'The stated degrees do not multiply to the stated number of GPUs.',
  severity: 'error',
  check: ({ plan, resolved: { layout } }) => {
    const data = plan.layout.data;
    const world = certainWorld(plan);
    const enforcement = TRAINING_PRODUCT[plan.dialect];
    if (enforcement === undefined || plan.task !== 'training' || layout === undefined) return [];
    if (data?.at === undefined || world === undefined || !Number.isInteger(data.value) || data.value <= 0) return [];
    const { tensor, pipeline, context } = layout;
    const product = tensor * pipeline * context * data.value;
    const legal = world / (tensor * pipeline * context);
    // A world that the other degrees do not divide is a cause of its own, where a rule says so.
    if (product === world || (legal % 1 !== 0 && WORLD[plan.dialect] !== undefined)) return [];
    // A degree that is made of several keys has no single value to set.
    const single = data.origin === 'file';
    const advised = legal % 1 === 0 ? `; the nearest legal data parallelism is ${legal}` : '';
    const name = single ? named('data parallelism', data, '') : `data parallelism ${data.value}`;
    const message = `TP ${tensor} × PP ${pipeline} × CP ${context} × ${name} = ${product} ranks, not the ${world} GPUs that are stated${advised}.`;
    return [
      finding(worldProductMismatch, enforcement, message, {
        ...placed([
          { value: data, says: 'data parallelism' },
          { value: worldSource(plan), says: 'the GPU count' },
        ]),
        ...(legal % 1 === 0 ? setFixes(data, 'data parallelism', [legal]) : {}),
      }),
    ];
  },
};
