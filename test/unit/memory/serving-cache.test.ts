import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServingInput } from '../../../server/src/engine/memory/input';
import { cacheCells } from '../../../server/src/engine/memory/kv-cache';
import { estimateServing } from '../../../server/src/engine/memory/serving';
import { isBefore, sglangFraction, sglangSizes, vllmSizes } from '../../../server/src/engine/memory/serving-budget';
import { capacityOf, hybridBlock } from '../../../server/src/engine/memory/serving-cache';
import { servingStages } from '../../../server/src/engine/memory/serving-weights';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { ServingSpec } from '../../../server/src/engine/spec/serving';
import { DEEPSEEK_V3 } from '../../reference/support/deepseek';
import { denseModel, layoutOf } from '../../reference/support/memory-input';

const GIB = 2 ** 30;

function input(
  model: ModelSpec,
  serving: Partial<ServingSpec> = {},
  layout: Parameters<typeof layoutOf>[0] = {},
  memoryBytes?: number,
): ServingInput {
  return {
    model,
    layout: layoutOf(layout),
    serving: { stack: 'vllm', kvDType: 'BF16', kvLayout: 'plain', pageSize: 16, ...serving },
    ...(memoryBytes === undefined ? {} : { cluster: { gpu: 'test', memoryBytes, gpus: 8, gpusPerNode: 8, nodes: 1 } }),
  };
}

function held(own: ServingInput, pool: number): number {
  const [stage] = servingStages(own);
  return stage === undefined ? -1 : capacityOf(own, pool, cacheCells(own, stage)).tokens;
}

/** 10 layers that keep every token and 20 with a window of 1,024; 4 KiB a token and layer. */
const SLIDING = denseModel({
  layers: 30,
  slidingWindow: 1024,
  slidingLayers: Array.from({ length: 30 }, (_, layer) => layer % 3 !== 2),
});

/** The mixers of Qwen3.5-27B: 48 gated delta layers beside 16 of attention with 4 heads of 256. */
const DELTA = denseModel({
  layers: 64,
  hiddenSize: 5120,
  heads: 24,
  kvHeads: 4,
  headDim: 256,
  mixers: Array.from({ length: 64 }, (_, layer) => (layer % 4 === 3 ? 'attention' : 'delta')),
  linearKeyHeads: 16,
  linearValueHeads: 48,
  linearKeyHeadDim: 128,
  linearValueHeadDim: 128,
  convKernel: 4,
});
/** 48 heads of 128 × 128 in FP32, and three inputs of the convolution over 2·16·128 + 48·128 channels in BF16. */
const STATE = 48 * 128 * 128 * 4 + 3 * 10_240 * 2;

describe('tokens in a pool', () => {
  it('takes whole blocks of all layers', () => {
    const cell = 2 * 8 * 128 * 2;
    expect(held(input(denseModel({ layers: 40 })), 6.51 * GIB)).toBe(Math.floor((6.51 * GIB) / (40 * cell) / 16) * 16);
  });
  it('keeps an MLA latent whole on every rank, 656 bytes as FlashMLA packs it, 132 more for an indexer', () => {
    const plain = input(DEEPSEEK_V3, { stack: 'sglang', pageSize: 1 }, { worldSize: 8, tensor: 8 });
    expect(held(plain, 70_272 * 1000)).toBe(1000);
    const packed = { stack: 'sglang', pageSize: 64, kvDType: 'F8_E4M3', kvLayout: 'fp8-ds-mla' } as const;
    expect(held(input(DEEPSEEK_V3, packed), 61 * 656 * 1000)).toBe(960);
    const sparse = { ...DEEPSEEK_V3, indexHeads: 64, indexHeadDim: 128 };
    expect(estimateServing(input(sparse, packed)).kvCache?.bytesPerToken).toBe(48_068);
  });
  it('interleaves tokens over decode-context ranks', () => {
    expect(held(input(DEEPSEEK_V3, { decodeContext: 8, pageSize: 64 }), 61 * 1152 * 640)).toBe(8 * 640);
  });
  it('adds the layer of a draft head', () => {
    const own = input({ ...DEEPSEEK_V3, mtpLayers: 1 }, { stack: 'sglang', speculativeTokens: 2, pageSize: 1 });
    expect(held(own, 62 * 1152 * 1000)).toBe(1000);
  });
  it('counts 0.8 of the tokens in sliding layers on SGLang, all of them when told', () => {
    const cell = 4096;
    const pool = (10 + 0.8 * 20) * cell * 1000;
    expect(held(input(SLIDING, { stack: 'sglang', pageSize: 1 }), pool + 1)).toBe(1000);
    expect(held(input(SLIDING, { stack: 'sglang', pageSize: 1, uniformCache: true }), 30 * cell * 1000)).toBe(1000);
  });
  it('shares blocks among groups of ten layers on vLLM', () => {
    // 32,768 tokens take 2,048 blocks in the full group, and (1023 + 8192) / 16 + 1 = 577 in each of the two sliding groups.
    const own = input(SLIDING, { contextLength: 32_768, chunkedPrefill: 8192 });
    const needed = 2048 + 2 * 577;
    expect(held(own, needed * 16 * 4096 * 10)).toBe(32_768);
    expect(held(own, (needed / 2) * 16 * 4096 * 10)).toBe(16_384);
  });
  it('raises the block until attention pages are as large as states', () => {
    expect(STATE).toBe(3_207_168);
    expect(hybridBlock(STATE, 2 * 4 * 256, 16)).toBe(1568);
    expect(hybridBlock(STATE, 2 * 4 * 256 * 2, 16)).toBe(784);
    // A sequence of 32,768 tokens: 21 blocks of attention and two states in each of three groups.
    const own = input(DELTA, { kvDType: 'F8_E4M3', contextLength: 32_768 });
    expect(held(own, 27 * 1568 * 2048 * 16)).toBe(32_768);
    expect(held({ ...own, serving: { ...own.serving, prefixCaching: false } }, 24 * 1568 * 2048 * 16)).toBe(32_768);
  });
  it('keeps the states of stated sequences and one for padding on SGLang', () => {
    const slot = 48 * STATE;
    const own = input(DELTA, { stack: 'sglang', pageSize: 1, stateSlots: 24 });
    expect(slot / 1e6).toBeCloseTo(153.9, 1);
    expect(held(own, 25 * slot + 65_536 * 1000)).toBe(1000);
    const halved = { ...own, serving: { ...own.serving, stateDType: 'BF16' as const } };
    expect(servingStages(halved).map((stage) => Math.round(cacheCells(halved, stage).state / 1e5))).toEqual([784]);
  });
  it('obeys a stated bound', () => {
    expect(held(input(DEEPSEEK_V3, { stack: 'tensorrt-llm', maxCacheTokens: 512 }), 1000 * GIB)).toBe(512);
  });
});

describe('sizes that engines choose themselves', () => {
  it('gives SGLang its fraction by memory, chunk and ranks', () => {
    const own = input(DEEPSEEK_V3, { stack: 'sglang' }, { worldSize: 8, tensor: 8 });
    // 143,771 MiB: 512 + 1.5 · 8192 + 1024 + 2 · 512 + 1536 MiB are kept back.
    expect(sglangFraction(own, 143_771 * 2 ** 20)).toBe(0.886);
    expect(sglangSizes(own, 40 * GIB)).toEqual({ tokens: 4096, sequences: 160 });
    expect(sglangSizes(own, 270 * GIB)).toEqual({ tokens: 16_384, sequences: 512 });
  });
  it('keeps back more for data-parallel attention', () => {
    const layout = { worldSize: 8, tensor: 8, attentionData: 8, expert: 8 };
    expect(sglangFraction(input(DEEPSEEK_V3, { stack: 'sglang' }, layout), 143_771 * 2 ** 20)).toBe(0.758);
  });
  it('gives vLLM its batch by memory, less on an A100', () => {
    expect(vllmSizes(input(DEEPSEEK_V3), 80 * GIB)).toEqual({ tokens: 8192, sequences: 1024 });
    expect(vllmSizes(input(DEEPSEEK_V3), 180 * GIB)).toEqual({ tokens: 16_384, sequences: 1024 });
    expect(vllmSizes(input(DEEPSEEK_V3), 40 * GIB)).toEqual({ tokens: 2048, sequences: 256 });
    const ampere = { ...input(DEEPSEEK_V3, {}, {}, 80 * GIB) };
    const cluster = { gpu: 'A100-80GB', memoryBytes: 80 * GIB, gpus: 8, gpusPerNode: 8, nodes: 1 };
    expect(vllmSizes({ ...ampere, cluster }, 80 * GIB)).toEqual({ tokens: 2048, sequences: 256 });
  });
  it('compares releases', () => {
    expect([isBefore('0.11.0', 0, 19), isBefore('v0.19.1', 0, 19), isBefore(undefined, 0, 19)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([isBefore('nightly', 0, 19), isBefore('1.0', 0, 19)]).toEqual([false, false]);
  });
  it('takes a stated pool, and no more than there is', () => {
    const own = input(denseModel({ layers: 1 }), { poolBytes: 4096 * 1600 }, {}, 80 * GIB);
    expect(estimateServing(own).kvCache?.tokens).toBe(1600);
    const full = input(denseModel({ layers: 1000 }), {}, {}, 8 * GIB);
    expect(estimateServing(full).kvCache?.tokens).toBe(0);
    expect(estimateServing(full).classes[0]?.fits).toBe(false);
  });
});

describe('any input', () => {
  const wild = fc.oneof(
    fc.integer({ min: -3, max: 300 }),
    fc.constantFrom(0, 1, 2 ** 31, 2 ** 40, 2 ** 53, -1, Number.NaN, Number.POSITIVE_INFINITY, 0.5, 1e300),
  );
  function finite(value: unknown): boolean {
    if (typeof value === 'number') return Number.isFinite(value);
    if (Array.isArray(value)) return value.every(finite);
    if (typeof value === 'object' && value !== null) return Object.values(value).every(finite);
    return typeof value !== 'string' || !/NaN|Infinity|undefined/.test(value);
  }
  it('gives finite numbers, or refusals', () => {
    fc.assert(
      fc.property(
        fc.record({
          stack: fc.constantFrom('sglang', 'vllm', 'tensorrt-llm', 'generic' as const),
          model: fc.constantFrom(DEEPSEEK_V3, SLIDING, DELTA),
          pageSize: wild,
          memoryFraction: wild,
          contextLength: wild,
          chunkedPrefill: wild,
          maxConcurrency: wild,
          speculativeTokens: wild,
          stateSlots: wild,
          stateRatio: wild,
          slidingRatio: wild,
          decodeContext: wild,
          denseTensor: wild,
          poolBytes: wild,
          maxCacheTokens: wild,
          draftBytesPerToken: wild,
          encoderBytes: wild,
          cudaGraphMaxBatch: wild,
          memoryBytes: wild,
          tensor: fc.constantFrom(1, 2, 3, 8, 16, 1000),
          attentionData: fc.constantFrom(1, 2, 8),
          expert: fc.constantFrom(1, 8, 300),
          pipeline: fc.constantFrom(1, 3, 70),
          window: wild,
          prompt: fc.option(fc.record({ sequences: wild, tokens: wild }), { nil: undefined }),
        }),
        ({ stack, model, memoryBytes, tensor, attentionData, expert, pipeline, window, prompt, ...serving }) => {
          const own = input(
            { ...model, slidingWindow: window },
            { stack, ...serving, ...(prompt === undefined ? {} : { prompt }) } as Partial<ServingSpec>,
            { worldSize: tensor * pipeline, tensor, attentionData, expert, pipeline },
            memoryBytes,
          );
          const { refusals, ...report } = estimateServing(own);
          expect(finite(report), JSON.stringify(report)).toBe(true);
          if (refusals !== undefined) expect(refusals.length).toBeGreaterThan(0);
          for (const { parts } of report.classes)
            for (const bytes of Object.values(parts)) expect(bytes).toBeGreaterThanOrEqual(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
