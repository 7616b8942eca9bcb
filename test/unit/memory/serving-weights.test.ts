import { describe, expect, it } from 'vitest';
import type { ServingInput } from '../../../server/src/engine/memory/input';
import { estimateServing } from '../../../server/src/engine/memory/serving';
import { servingDegrees, surplusLayers } from '../../../server/src/engine/memory/serving-weights';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { QuantizationSpec } from '../../../server/src/engine/spec/numbers';
import type { ServingSpec } from '../../../server/src/engine/spec/serving';
import { DEEPSEEK_V3 } from '../../reference/support/deepseek';
import { denseModel, layoutOf } from '../../reference/support/memory-input';

/** One layer of 256 × 512 with 4 heads of 64 and 2 KV heads, so that every size can be written out. */
const SMALL = denseModel({
  layers: 1,
  hiddenSize: 256,
  intermediateSize: 512,
  heads: 4,
  kvHeads: 2,
  headDim: 64,
  vocabSize: 1000,
});
/** q 256 × 256, k and v 128 × 256 each, o 256 × 256; gate and up 512 × 256 each, down 256 × 512. */
const LINEAR = 256 * 256 + 2 * 128 * 256 + 256 * 256 + 3 * 512 * 256;
/** Two norms and the final one; embedding and head of 1,024 padded rows. */
const NORMS = 3 * 256;
const TABLES = 2 * 1024 * 256;

function input(
  model: ModelSpec,
  quantization: QuantizationSpec | undefined,
  layout: Parameters<typeof layoutOf>[0] = {},
  serving: Partial<ServingSpec> = {},
): ServingInput {
  return {
    model,
    layout: layoutOf(layout),
    serving: { stack: 'vllm', kvDType: 'BF16', kvLayout: 'plain', pageSize: 16, ...serving },
    ...(quantization === undefined ? {} : { quantization }),
  };
}

function weights(own: ServingInput): number {
  return estimateServing(own).classes[0]?.parts.weights ?? -1;
}

function items(own: ServingInput): Record<string, number> {
  const found = estimateServing(own).classes[0]?.items ?? [];
  return Object.fromEntries(found.filter(({ part }) => part === 'weights').map(({ group, bytes }) => [group, bytes]));
}

describe('bytes of a served model by storage format', () => {
  const plain = 2 * (NORMS + TABLES);
  const each = (bytes: (rows: number, columns: number) => number): number =>
    bytes(256, 256) + 2 * bytes(128, 256) + bytes(256, 256) + 2 * bytes(512, 256) + bytes(256, 512);
  const cases: readonly [string, QuantizationSpec, number][] = [
    ['BF16', { method: 'none', baseDType: 'BF16' }, 2 * LINEAR],
    // One FP32 scale a 128 × 128 block: 4 + 2·2 + 4 for attention, 8 · 3 for the feed-forward.
    ['FP8 blocks', { method: 'fp8-block', baseDType: 'BF16' }, LINEAR + 4 * (4 + 2 * 2 + 4 + 3 * 8)],
    // One FP32 scale a matrix: seven of them.
    ['FP8 tensors', { method: 'fp8-tensor', baseDType: 'BF16' }, LINEAR + 4 * 7],
    ['FP8 channels', { method: 'fp8-channel', baseDType: 'BF16' }, LINEAR + 4 * (256 + 256 + 256 + 1024 + 256)],
    ['MXFP8', { method: 'mxfp8', baseDType: 'BF16' }, LINEAR * (1 + 1 / 32)],
    ['MXFP4', { method: 'mxfp4', baseDType: 'BF16' }, LINEAR * (1 / 2 + 1 / 32)],
    ['NVFP4', { method: 'nvfp4', baseDType: 'BF16' }, LINEAR * (1 / 2 + 1 / 16) + 4 * 7],
    [
      'AWQ, groups of 128 with zero points',
      { method: 'int4-group', groupSize: 128, source: 'awq', baseDType: 'F16', zeroPoints: true },
      each((rows, columns) => (rows * columns) / 2 + (rows * columns * 2) / 128 + ((columns / 128) * rows) / 2),
    ],
    // Symmetric and without order: only codes and scales stay after loading.
    [
      'GPTQ',
      { method: 'int4-group', groupSize: 128, source: 'gptq', baseDType: 'F16' },
      LINEAR / 2 + (LINEAR * 2) / 128,
    ],
    [
      'compressed-tensors INT4, groups of 32',
      { method: 'int4-group', groupSize: 32, source: 'compressed-tensors', baseDType: 'BF16', excluded: ['lm_head'] },
      LINEAR / 2 + (LINEAR * 2) / 32 + 7 * 16,
    ],
    [
      'bitsandbytes NF4',
      { method: 'bnb-4bit', baseDType: 'BF16' },
      each((rows, columns) => {
        const blocks = (rows * columns) / 64;
        return (rows * columns) / 2 + blocks + 4 * (Math.ceil(blocks / 256) + 16 + 256);
      }),
    ],
    ['bitsandbytes INT8', { method: 'bnb-8bit', baseDType: 'BF16' }, LINEAR + 4 * (256 + 256 + 256 + 1024 + 256)],
  ];
  for (const [name, quantization, linear] of cases) {
    it(`${name}: ${String(linear)} B of matrices`, () => {
      expect(weights(input(SMALL, quantization))).toBe(plain + linear);
    });
  }
  it('keeps excluded modules in the base format', () => {
    const quantization: QuantizationSpec = {
      method: 'fp8-tensor',
      baseDType: 'BF16',
      excluded: ['o_proj', 're:.*down.*'],
    };
    const kept = 256 * 256 + 256 * 512;
    expect(weights(input(SMALL, quantization))).toBe(plain + LINEAR + kept + 4 * 5);
  });
  it('rounds a block at a cut edge up to a whole scale, and NVFP4 scales to tiles of 128 × 4', () => {
    // Four ranks hold 64 rows of q and 128 of gate and up; o and down have 64 and 128 columns.
    const cut = { worldSize: 4, tensor: 4 };
    const own = items(input(SMALL, { method: 'nvfp4', baseDType: 'BF16' }, cut));
    const matrix = (rows: number, columns: number, scaleRows: number, scaleColumns: number): number =>
      (rows * columns) / 2 + scaleRows * scaleColumns + 4;
    // Two KV heads over four ranks: one head of 64 rows each.
    expect(own['attention']).toBe(3 * matrix(64, 256, 128, 16) + matrix(256, 64, 256, 4));
    expect(own['feed-forward']).toBe(2 * matrix(128, 256, 128, 16) + matrix(256, 128, 256, 8));
  });
  it('pads MXFP4 experts for the kernels of vLLM on Hopper', () => {
    const model = denseModel({
      ...SMALL,
      hiddenSize: 2880,
      intermediateSize: 2880,
      experts: 4,
      expertsPerToken: 2,
      expertIntermediateSize: 2880,
      moeLayers: [true],
    });
    const own = items(input(model, { method: 'mxfp4', source: 'mxfp4', baseDType: 'BF16' }));
    expect(own['routed experts']).toBe((4 * 3 * 2944 * 3072 * 17) / 32);
    const other = items(input(model, { method: 'mxfp4', source: 'mxfp4', baseDType: 'BF16' }, {}, { stack: 'sglang' }));
    expect(other['routed experts']).toBe((4 * 3 * 2880 * 2880 * 17) / 32);
  });
});

describe('what a rank holds', () => {
  const fp8: QuantizationSpec = { method: 'fp8-block', baseDType: 'BF16', scaleDType: 'F32' };
  it('replicates KV heads below one a rank, and pads the vocabulary to 64 rows a rank', () => {
    const own = items(input(SMALL, undefined, { worldSize: 4, tensor: 4 }));
    expect(own['attention']).toBe(2 * (64 * 256 + 2 * 64 * 256 + 256 * 64));
    expect(own['embedding']).toBe(2 * 256 * 256);
  });
  it('keeps the absorbed halves of kv_b_proj in BF16 beside it', () => {
    const own = items(input(DEEPSEEK_V3, fp8, { worldSize: 8, tensor: 8 }));
    expect(own['absorbed KV up-projection']).toBe(61 * 16 * (128 + 128) * 512 * 2);
  });
  it('spreads experts and their redundant slots', () => {
    const at = (redundant: number): number => {
      const own = input(DEEPSEEK_V3, fp8, { worldSize: 32, tensor: 32, expert: 32 }, { stack: 'sglang' });
      return items({ ...own, experts: { redundant, algorithm: 'eplb' } })['routed experts'] ?? 0;
    };
    const expert = 3 * (7168 * 2048 + (4 * 7168 * 2048) / 128 ** 2);
    expect(at(0)).toBe(58 * 8 * expert);
    expect(at(32)).toBe(58 * 9 * expert);
  });
  it('cuts experts by tensor parallelism where none spreads them', () => {
    const whole = items(input(DEEPSEEK_V3, undefined, { worldSize: 1 }))['routed experts'] ?? 0;
    const cut = items(input(DEEPSEEK_V3, undefined, { worldSize: 8, tensor: 8 }))['routed experts'] ?? 0;
    expect(cut).toBe(whole / 8);
  });
  it('copies attention under DP attention; SGLang cuts dense layers by all ranks unless told', () => {
    const layout = { worldSize: 8, tensor: 8, expert: 8, attentionData: 8 };
    const own = servingDegrees(input(DEEPSEEK_V3, fp8, layout, { stack: 'sglang', denseTensor: 1 }));
    expect(own).toMatchObject({ attention: 1, dense: 1, shared: 8, vocabulary: 1, head: 8 });
    expect(servingDegrees(input(DEEPSEEK_V3, fp8, layout, { stack: 'tensorrt-llm' }))).toMatchObject({
      attention: 1,
      dense: 1,
      head: 1,
    });
  });
  it('loads the draft layer only for speculation, and tables once', () => {
    const model = { ...DEEPSEEK_V3, mtpLayers: 1 };
    const without = weights(input(model, fp8, { worldSize: 8, tensor: 8, expert: 8 }));
    const own = input(model, fp8, { worldSize: 8, tensor: 8, expert: 8 }, { speculativeTokens: 1 });
    const more = weights(own) - without;
    // 32 experts of 44.0 MB, and 0.07 GiB for the shared one, attention, router and the joining projection.
    expect(more - 32 * 3 * (7168 * 2048 + (4 * 7168 * 2048) / 128 ** 2)).toBeGreaterThan(0.06 * 2 ** 30);
    expect(more / 2 ** 30).toBeLessThan(1.4);
  });
  it('weighs a tower unless only language is served', () => {
    const encoder = {
      layers: 1,
      hiddenSize: 8,
      intermediateSize: 16,
      patchValues: 12,
      positions: 4,
      mergedPatches: 4,
      outputSize: 256,
      gatedMlp: false,
    };
    const block = 4 * 64 + 32 + 2 * 128 + 16 + 8 + 32;
    const stem = 12 * 8 + 8 + 4 * 8;
    const merger = 16 + 32 * 32 + 32 + 32 * 256 + 256;
    expect(items(input({ ...SMALL, encoder }, undefined))['encoder']).toBe(2 * (block + stem + merger));
    expect(items(input({ ...SMALL, encoder }, undefined, {}, { languageOnly: true }))['encoder']).toBeUndefined();
  });
  it('deals surplus layers as each engine does', () => {
    expect(surplusLayers(61, 4, 'sglang')).toEqual([15, 15, 15, 16]);
    expect(surplusLayers(61, 4, 'vllm')).toEqual([15, 15, 16, 15]);
    expect(surplusLayers(61, 4, 'tensorrt-llm')).toEqual([16, 15, 15, 15]);
    expect(surplusLayers(62, 4, 'vllm')).toEqual([15, 16, 16, 15]);
  });
});
