import { describe, expect, it } from 'vitest';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';
import { parameterCounts } from '../../../server/src/engine/model/parameters';
import {
  layerParameters,
  shardLayers,
  UNSHARDED,
  weightBytes,
  type PartTotals,
} from '../../../server/src/engine/model/shard';
import { PLAIN, preset } from './models';

function elements(totals: PartTotals): number {
  return Object.values(totals).reduce((sum, part) => sum + part.elements, 0);
}

function bytes(totals: PartTotals): number {
  return Object.values(totals).reduce((sum, part) => sum + part.bytes, 0);
}

describe('weights of one rank', () => {
  it('are the whole model on one rank', () => {
    for (const name of ['DeepSeek-V3', 'Qwen2.5-72B', 'gpt-oss-20b', 'Mixtral-8x22B']) {
      const { model } = preset(name);
      const table = shardLayers(model, UNSHARDED, PLAIN);
      const { total, mtp } = parameterCounts(model);
      expect(elements(table.layers(0, model.layers)) + elements(table.model), name).toBe(total);
      expect(elements(table.mtp), name).toBe(mtp);
    }
  });

  it('cut attention, experts and vocabulary by their own degrees', () => {
    const { model } = preset('DeepSeek-V3');
    const whole = layerParameters(model, 'moe', UNSHARDED);
    const cut = layerParameters(model, 'moe', { tensor: 8, expert: 32, expertTensor: 2 });
    expect(cut.experts?.elements).toBe((whole.experts?.elements ?? 0) / 64);
    expect(cut.shared?.elements).toBe((whole.shared?.elements ?? 0) / 8);
    expect(cut.router?.elements).toBe(whole.router?.elements);
    // q_a and kv_a stay whole on every rank; what remains of attention is cut by 8.
    const kept = 1536 * 7168 + 1536 + 576 * 7168 + 512;
    expect(cut.attention?.elements).toBe(kept + ((whole.attention?.elements ?? 0) - kept) / 8);
  });

  it('keep one KV head a rank beyond the KV heads', () => {
    const { model } = preset('Qwen3-235B-A22B');
    const at = (tensor: number): number =>
      layerParameters(model, 'moe', { tensor, expert: 1, expertTensor: 1 }).attention?.elements ?? 0;
    const queries = 2 * 64 * 128 * 4096;
    const kv = 2 * 4 * 128 * 4096;
    expect(at(4)).toBe(queries / 4 + kv / 4 + 256);
    expect(at(16)).toBe(queries / 16 + kv / 4 + 256);
  });

  it('count redundant expert slots', () => {
    const { model } = preset('DeepSeek-V3');
    const one = layerParameters(model, 'moe', { tensor: 1, expert: 32, expertTensor: 1, redundantExperts: 32 });
    expect(one.experts?.elements).toBe(9 * 3 * 7168 * 2048);
  });

  it('pay whole scales at a cut edge of FP8 blocks', () => {
    const format = { method: 'fp8-block', blockRows: 128, blockColumns: 128, baseDType: 'BF16' } as const;
    expect(weightBytes({ rows: 192, columns: 4096, copies: 1 }, format)).toBe(192 * 4096 + 2 * 32 * 4);
    expect(weightBytes({ rows: 128, columns: 128, copies: 3 }, format)).toBe(3 * (128 * 128 + 4));
  });

  it('sum stages from running totals', () => {
    const { model, quantization } = preset('DeepSeek-V3');
    const table = shardLayers(model, UNSHARDED, quantization);
    const stages = [0, 4, 8, 60].map((first) => table.layers(first, first === 60 ? 1 : 4));
    expect(stages[0]?.dense?.elements).toBe(3 * 3 * 7168 * 18432);
    expect(stages[1]?.dense?.elements ?? 0).toBe(0);
    expect(elements(stages[1] ?? {})).toBe(4 * elements(stages[3] ?? {}));
    expect(elements(table.layers(61, 5))).toBe(0);
    expect(elements(table.layers(Number.NaN, Number.NaN))).toBe(0);
  });

  it('have the bytes of the checkpoint on one rank', () => {
    for (const name of ['DeepSeek-V3', 'gpt-oss-20b', 'Qwen3-235B-A22B-FP8', 'Kimi-K2-Thinking']) {
      const { model, quantization } = preset(name);
      const table = shardLayers(model, UNSHARDED, quantization);
      const stored = checkpoint({ ...model, mtpStoresTables: false }, quantization).bytes;
      expect(bytes(table.layers(0, model.layers)) + bytes(table.model) + bytes(table.mtp), name).toBe(stored);
    }
  });
});
