import { describe, expect, it } from 'vitest';
import { dimsOf } from '../../../server/src/engine/memory/dims';
import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import { droppedModules, megatronLayerSaved } from '../../../server/src/engine/memory/megatron-saved';
import { keptInput, savedWidths } from '../../../server/src/engine/memory/saved-widths';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import type { PrecisionSpec } from '../../../server/src/engine/spec/training';
import { denseModel, layoutOf, megatronInput } from '../../reference/support/memory-input';
import { deepseekPlan } from '../../reference/support/deepseek';

type Recipe = PrecisionSpec['fp8Recipe'];

const batch = { microBatch: 1, microbatches: 1, sequenceLength: 4096 };
const MOE = { experts: 8, expertsPerToken: 2, expertIntermediateSize: 1024, sharedExpertIntermediateSize: 1024 };

function job(fp8Recipe: Recipe, details: TrainingDetails = {}, moe = false, tensor = 1): TrainingInput {
  const model = denseModel({ layers: 4, ...(moe ? { ...MOE, moeLayers: [true, true, true, true] } : {}) });
  const layout = layoutOf({ worldSize: 8, tensor, sequenceParallel: tensor > 1, expert: moe ? 8 / tensor : 1 });
  const base = megatronInput(model, layout, batch, details);
  return {
    ...base,
    precision: { ...base.precision, fp8Recipe, ...(fp8Recipe === 'none' ? {} : { compute: 'F8_E4M3' as const }) },
  };
}

/** Bytes an element of each group of one layer, by the elements that the BF16 job keeps at 2 bytes. */
function widths(input: TrainingInput, moe = false): Map<string, number> {
  const wide = { ...input, precision: { ...input.precision, fp8Recipe: 'none' as const, compute: 'BF16' as const } };
  const plain = { ...wide, details: { ...input.details, activationInFp8: false } };
  const before = new Map(megatronLayerSaved(dimsOf(plain), plain, moe).map(({ group, bytes }) => [group, bytes]));
  return new Map(
    megatronLayerSaved(dimsOf(input), input, moe).map(({ group, bytes }) => [
      group,
      (2 * bytes) / (before.get(group) ?? 1),
    ]),
  );
}

describe('what Transformer Engine keeps of an FP8 layer', () => {
  it('is one byte of each input of a product, and two of what anything else reads', () => {
    const kept = widths(job('tensorwise'));
    expect(kept.get('attention norm output')).toBe(1);
    expect(kept.get('feed-forward norm output')).toBe(1);
    expect(kept.get('activated feed-forward')).toBe(1);
    for (const group of ['layer input', 'query, key and value', 'attention output', 'gate and up projections'])
      expect(kept.get(group), group).toBe(2);
  });
  it('is a second copy of the attention output under delayed scaling alone', () => {
    expect(widths(job('delayed')).get('attention output')).toBe(3);
    for (const recipe of ['blockwise', 'mxfp8', 'nvfp4'] as const)
      expect(widths(job(recipe)).get('attention output')).toBe(2);
  });
  it('has the scales of each recipe with their padding', () => {
    const of = (recipe: Recipe, rows: number, columns: number, groups = 1): number =>
      keptInput(savedWidths(job(recipe)), rows, columns, groups).bytes;
    expect(of('blockwise', 4096, 4096)).toBe(4096 * 4096 + 32 * 4096 * 4);
    expect(of('mxfp8', 4096, 4096)).toBe(4096 * 4096 + 128 * 4096);
    expect(of('nvfp4', 4096, 4096)).toBe((4096 * 4096) / 2 + 256 * 4096);
    // 200 rows: two blocks of 128, eight of 32, sixteen of 16; 100 columns: 100, 128 and 128.
    expect(of('blockwise', 200, 100)).toBe(20_000 + 2 * 100 * 4);
    expect(of('mxfp8', 200, 100)).toBe(20_000 + 8 * 128);
    expect(of('nvfp4', 200, 100)).toBe(10_000 + 16 * 128);
    // Every expert has scales of its own: 50 rows each are one block of 128.
    expect(of('blockwise', 200, 100, 4)).toBe(20_000 + 4 * 100 * 4);
  });
  it('keeps rows and columns of NVFP4 where sequence parallelism gathers the input again', () => {
    expect(widths(job('nvfp4', {}, false, 2)).get('attention norm output')).toBe(2 * (0.5 + 1 / 16));
    expect(widths(job('nvfp4')).get('attention norm output')).toBe(0.5 + 1 / 16);
  });
  it('leaves the norm of a mixture in BF16, which its router reads', () => {
    const kept = widths(job('mxfp8', {}, true), true);
    expect(kept.get('feed-forward norm output')).toBe(2);
    expect(kept.get('dispatched tokens')).toBe(1 + 1 / 32);
    expect(kept.get('expert projections')).toBe(2);
    expect(widths(job('delayed', {}, true), true).get('feed-forward norm output')).toBe(3);
  });
  it('can store what the activation reads, and query, key and value, in FP8', () => {
    const kept = widths(job('tensorwise', { activationInFp8: true, attentionInFp8: true }));
    expect(kept.get('gate and up projections')).toBe(1);
    expect(kept.get('query, key and value')).toBe(1);
    expect(widths(job('mxfp8', { attentionInFp8: true })).get('query, key and value')).toBe(2 * (1 + 1 / 32));
    // Attention has no kernel for these formats.
    expect(widths(job('nvfp4', { attentionInFp8: true })).get('query, key and value')).toBe(2);
  });
  it('is nothing new under plain modules', () => {
    const kept = widths(job('tensorwise', { transformerImpl: 'local' }));
    for (const [group, width] of kept) expect(width, group).toBe(2);
  });
});

describe('recomputed norms', () => {
  const dropped = (moe: boolean, details: TrainingDetails = {}): string[] => {
    const input: TrainingInput = {
      ...job('none', details, moe),
      recompute: { granularity: 'selective', modules: ['layernorm'] },
    };
    const modules = droppedModules(input, moe);
    return megatronLayerSaved(dimsOf(input), input, moe)
      .filter(({ module }) => modules.has(module))
      .map(({ group }) => group);
  };
  it('are those that stand alone: Transformer Engine fuses the others with the product behind them', () => {
    expect(dropped(false)).toEqual([]);
    expect(dropped(true)).toEqual(['feed-forward norm output']);
    expect(dropped(false, { transformerImpl: 'local' })).toEqual(['attention norm output', 'feed-forward norm output']);
  });
});

describe('the activation caches of the DeepSeek-V3 recipe', () => {
  const input = deepseekPlan();
  const tile = 1 + 4 / 128;
  const of = (group: string): number => {
    const d = dimsOf(input);
    const item = megatronLayerSaved(d, input, true).find((entry) => entry.group === group);
    return item?.bytes ?? 0;
  };
  const T = 4096;
  it('are FP8 with a scale every 128 elements, and E5M6 behind attention', () => {
    expect(of('dispatched tokens')).toBe(T * 8 * 7168 * tile);
    expect(of('expert projections')).toBe(T * 8 * 2 * 2048 * tile);
    expect(of('attention output')).toBe(T * 128 * 128 * (1.5 + 4 / 128));
    expect(of('expanded value')).toBe(T * 128 * 128 * 2);
  });
});

describe('the step as the fullest moment', () => {
  const stepOf = (changes: Partial<PrecisionSpec>, details: TrainingDetails = {}): readonly string[] => {
    const base = megatronInput(
      denseModel({ layers: 32 }),
      layoutOf({ worldSize: 8, tensor: 8, sequenceParallel: true }),
      { ...batch, sequenceLength: 512 },
      details,
    );
    const [entry] = estimateTraining({ ...base, precision: { ...base.precision, ...changes } }).classes;
    return entry?.items.map(({ group }) => group) ?? [];
  };
  it('copies 16-bit gradients to FP32, unless the optimizer reads them as they are', () => {
    expect(stepOf({ gradients: 'BF16' })).toContain('FP32 copies at the step');
    expect(stepOf({ gradients: 'BF16' }, { decoupledGradients: true })).not.toContain('FP32 copies at the step');
    expect(stepOf({ gradients: 'F32' })).not.toContain('FP32 copies at the step');
  });
});

describe('parts of a layer in CUDA graphs', () => {
  const of = (graphedModules: readonly string[], recompute: TrainingInput['recompute'] = { granularity: 'none' }) => {
    const base = megatronInput(
      denseModel({ layers: 8 }),
      layoutOf({ worldSize: 8, pipeline: 2 }),
      { ...batch, microbatches: 8 },
      { graphedModules },
    );
    return estimateTraining({ ...base, recompute }).classes[0];
  };
  it('save into private pools, which are reserved and not in use, and own their inputs and outputs', () => {
    const [plain, graphed] = [of([]), of(['mlp'])];
    const layers = 2 * 4;
    // Norm input and output, both projections and the activation of 4,096 tokens.
    const inside = layers * 2 * 4096 * (2 * 4096 + 3 * 14_336);
    const owned = layers * 2 * 2 * 4096 * 4096;
    expect(graphed?.apart).toBe(inside);
    expect(graphed?.allocated).toBe((plain?.allocated ?? 0) - inside + owned);
    expect(graphed?.resting).toBe((plain?.resting ?? 0) + owned);
  });
  it('are whole layers where both halves are captured, and none under full recompute', () => {
    const groups = of(['attn', 'mlp'])?.items.map(({ group }) => group) ?? [];
    expect(groups.filter((group) => group.startsWith('stage 0 dense'))).toEqual(['stage 0 dense: norm statistics']);
    expect(of(['mlp'], { granularity: 'full' })?.apart).toBeUndefined();
  });
});

describe("DeepSpeed's pipeline engine", () => {
  const of = (stack: 'megatron' | 'deepspeed') => {
    const base = megatronInput(denseModel({ layers: 8 }), layoutOf({ worldSize: 8, pipeline: 4 }), {
      ...batch,
      microbatches: 8,
    });
    const precision = { ...base.precision, weights: 'F16' as const, gradients: 'F16' as const };
    return estimateTraining({ ...base, precision, optimizer: { ...base.optimizer, stack } }).classes;
  };
  it('keeps inputs and outputs of every microbatch in flight', () => {
    const hidden = 2 * 4096 * 4096;
    const own = of('deepspeed').map(({ items }) =>
      items.filter(({ group }) => group.includes('pipeline engine')).reduce((sum, { bytes }) => sum + bytes, 0),
    );
    expect(own).toEqual([4 * hidden, 3 * 2 * hidden, 2 * 2 * hidden, hidden]);
  });
  it('reserves its flat gradients beside the activations', () => {
    const [first] = of('deepspeed');
    const elements = first?.items
      .filter(({ part }) => part === 'weights')
      .reduce((sum, { bytes }) => sum + bytes / 2, 0);
    expect(first?.apart).toBe(((elements ?? 0) * 6) / 2);
    expect(of('megatron')[0]?.apart).toBeUndefined();
  });
});

describe("DeepEP's buffers", () => {
  const of = (expert: number, dispatcher: NonNullable<TrainingDetails['dispatcher']>): number => {
    const model = denseModel({
      layers: 4,
      hiddenSize: 7168,
      ...MOE,
      experts: 256,
      moeLayers: [true, true, true, true],
    });
    const layout = layoutOf({ worldSize: 64, expert });
    const [entry] = estimateTraining(megatronInput(model, layout, batch, { dispatcher })).classes;
    return (entry?.total ?? 0) - (entry?.reserved ?? 0);
  };
  it('lie outside of the allocator, with a part for the network beyond one host', () => {
    const token = 2 * 7168 + 8 + 128 * 16;
    expect(of(8, 'deepep') - of(8, 'alltoall')).toBe(10 * 8 * 256 * token);
    expect(of(64, 'deepep') - of(64, 'alltoall')).toBe(10 * 8 * 288 * token + 10 * 8 * 128 * 2 * (token + 16));
  });
});
