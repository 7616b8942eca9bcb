import { describe, expect, it } from 'vitest';
import { resolvePlan } from '../../../server/src/plan/resolve';
import { smallestWorld } from '../../../server/src/plan/resolve-layout';
import { LLAMA_70B, MIXTRAL, planOf } from './plans';

const TRAINING = { dialect: 'megatron', task: 'training' } as const;

describe('resolving a training plan', () => {
  it('takes nodes × GPUs a node as the world and derives data parallelism', () => {
    const { layout, assumptions } = resolvePlan(
      planOf(TRAINING, {
        model: LLAMA_70B,
        cluster: { nodes: 16, gpusPerNode: 8 },
        layout: { tensor: 8, pipeline: 4 },
      }),
    );
    expect(layout).toMatchObject({ worldSize: 128, data: 4, tensor: 8, pipeline: 4, expert: 1 });
    expect(assumptions.map(({ field }) => field)).not.toContain('layout.worldSize');
  });

  it('assumes the smallest world that dense and expert grids fit in, and says so', () => {
    const plan = planOf(TRAINING, { model: MIXTRAL, layout: { tensor: 4, pipeline: 2, expert: 4, expertTensor: 4 } });
    expect(smallestWorld({ tensor: 4, pipeline: 2, context: 1, expert: 4, expertTensor: 4 })).toBe(32);
    const { layout, assumptions } = resolvePlan(plan);
    expect(layout?.worldSize).toBe(32);
    expect(assumptions).toContainEqual(
      expect.objectContaining({ field: 'layout.worldSize', value: 32, origin: 'assumed' }),
    );
  });

  it('counts microbatches a data-parallel rank from the global batch', () => {
    const plan = planOf(TRAINING, {
      model: LLAMA_70B,
      layout: { worldSize: 64, tensor: 8, pipeline: 2 },
      batch: { globalBatch: 256, microBatch: 2, sequenceLength: 8192 },
    });
    expect(resolvePlan(plan).batch).toEqual({
      globalBatch: 256,
      microBatch: 2,
      microbatches: 32,
      sequenceLength: 8192,
    });
  });

  it('leaves the layout unknown when a degree is an interpolation', () => {
    const plan = {
      ...planOf(TRAINING, { model: LLAMA_70B, layout: { pipeline: 4 } }),
      unresolved: [{ path: 'layout.tensor', at: { span: { start: 0, end: 1 } } }],
    };
    expect(resolvePlan(plan).layout).toBeUndefined();
  });

  it('names the sizes it lacks instead of inventing them', () => {
    const { model, missing } = resolvePlan(planOf(TRAINING, { model: { layers: 80, hiddenSize: 8192 } }));
    expect(model).toBeUndefined();
    expect(missing).toEqual(['model.vocabSize', 'model.heads', 'cluster.gpu']);
  });

  it.each([0, -8, 2.5, Number.NaN, Number.POSITIVE_INFINITY])('does not lay out a tensor degree of %s', (tensor) => {
    expect(resolvePlan(planOf(TRAINING, { model: LLAMA_70B, layout: { tensor } })).layout).toBeUndefined();
  });
});
