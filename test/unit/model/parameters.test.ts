import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';
import { layerKinds, tensorGroups } from '../../../server/src/engine/model/inventory';
import { parameterCounts } from '../../../server/src/engine/model/parameters';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import { elementsOf } from '../../../server/src/engine/model/tensors';
import { PLAIN, preset } from './models';

describe('parameters', () => {
  it('counts DeepSeek-V3 as published: 671.0 B, 37.55 B active, 11.6 B in the MTP layer', () => {
    const counts = parameterCounts(preset('DeepSeek-V3').model);
    expect(counts.total).toBe(671_026_419_200);
    expect(counts.mtp).toBe(11_610_068_224);
    expect(counts.active / 1e9).toBeCloseTo(37.55, 2);
    // The report leaves the embedding out and prints 36.7 B in its table of active parameters.
    expect((counts.active - counts.embedding) / 1e9).toBeCloseTo(36.63, 1);
  });

  it('splits the total into its parts without a rest', () => {
    for (const name of ['DeepSeek-V3', 'Qwen3-0.6B', 'gpt-oss-120b', 'Mixtral-8x7B', 'Llama-3.1-405B', 'GLM-4.5-Air']) {
      const c = parameterCounts(preset(name).model);
      const parts =
        c.embedding + c.head + c.attention + c.dense + c.router + c.routedExperts + c.sharedExperts + c.norms;
      expect(parts, name).toBe(c.total);
    }
  });

  it('counts a tied head once and stores it only where a checkpoint does', () => {
    const { model } = preset('Qwen3-0.6B');
    expect(parameterCounts(model).head).toBe(0);
    const table = model.vocabSize * model.hiddenSize;
    expect(checkpoint(model, PLAIN).elements - parameterCounts(model).total).toBe(table);
    expect(checkpoint({ ...model, storesTiedHead: false }, PLAIN).elements).toBe(parameterCounts(model).total);
  });

  it('has the same tensors in groups as in the count', () => {
    const { model } = preset('DeepSeek-V3');
    const all = tensorGroups(model).reduce(
      (sum, group) => sum + elementsOf(group) * (group.kind === undefined ? 1 : group.layers.length),
      0,
    );
    const { total, mtp } = parameterCounts(model);
    expect(all).toBe(total + mtp);
  });

  it('knows three kinds of layers in DeepSeek-V3, and where they are', () => {
    const kinds = layerKinds(preset('DeepSeek-V3').model);
    expect(kinds.map(({ id, layers }) => [id, layers.length, layers[0]])).toEqual([
      ['attention+dense', 3, 0],
      ['attention+moe', 58, 3],
      ['mtp:attention+moe', 1, 61],
    ]);
  });
});

describe('sizes that make no sense', () => {
  const base = preset('DeepSeek-V3').model;
  const strange = fc.oneof(
    fc.constantFrom(Number.NaN, Infinity, -Infinity, -1, 0, 0.5, 1e308, -1e308, 2 ** 53),
    fc.double(),
    fc.integer(),
  );
  const keys = [
    'layers',
    'hiddenSize',
    'intermediateSize',
    'vocabSize',
    'heads',
    'kvHeads',
    'headDim',
    'qLoraRank',
    'kvLoraRank',
    'qkNopeHeadDim',
    'vHeadDim',
    'experts',
    'expertsPerToken',
    'expertIntermediateSize',
    'sharedExperts',
    'mtpLayers',
    'normsPerLayer',
    'indexHeads',
  ] as const satisfies readonly (keyof ModelSpec)[];

  it('never leave as NaN or infinity', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), strange, { maxKeys: 4 }), (changes) => {
        const model = { ...base, ...changes };
        const report = checkpoint(model, preset('DeepSeek-V3').quantization);
        const numbers = [
          report.elements,
          report.bytes,
          ...Object.values(report.elementsByDtype),
          ...Object.values(parameterCounts(model)),
        ];
        return numbers.every((value) => Number.isFinite(value) && value >= 0);
      }),
      { numRuns: 150 },
    );
  });
});
