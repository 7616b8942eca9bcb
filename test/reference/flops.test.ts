import { describe, expect, it } from 'vitest';
import { runCost, utilisation } from '../../server/src/engine/cost/economics';
import { trainingFlops } from '../../server/src/engine/cost/flops';
import { presetSpec } from './support/throughput-models';

/** Training GFLOPs a token that the models' makers or Megatron-Bridge's published TFLOP/s and tokens/s state. */
const ANCHORS = [
  { model: 'deepseek-ai/DeepSeek-V2', sequence: 4096, mtp: false, stated: 155 },
  { model: 'deepseek-ai/DeepSeek-V3', sequence: 4096, mtp: false, stated: 250 },
  { model: 'deepseek-ai/DeepSeek-V3', sequence: 4096, mtp: true, stated: 260 },
  { model: 'meta-llama/Llama-3.1-405B', sequence: 8192, mtp: false, stated: 2521.5 },
  { model: 'Qwen/Qwen3-235B-A22B', sequence: 4096, mtp: false, stated: 148.1 },
  { model: 'Qwen/Qwen3-30B-A3B', sequence: 4096, mtp: false, stated: 23.1 },
];

const BF16 = 989.5e12;
// 14.8 T tokens in 2.664 M GPU-hours: arXiv 2412.19437, table 1.
const PUBLISHED = 14.8e12 / (2.664e6 * 3600);

describe('training FLOPs of a token', () => {
  it.each(ANCHORS)('$model at $sequence tokens (MTP $mtp) is within 0.3 % of $stated GFLOPs', (anchor) => {
    const flops = trainingFlops(presetSpec(anchor.model), { sequenceLength: anchor.sequence, mtp: anchor.mtp }).total;
    expect(Math.abs(flops / 1e9 / anchor.stated - 1)).toBeLessThan(0.003);
  });
});

describe('DeepSeek-V3 from its published throughput', () => {
  const model = presetSpec('deepseek-ai/DeepSeek-V3');
  it.each([
    { causal: true, mfu: 39.06 },
    { causal: false, mfu: 43.85 },
  ])('MFU of the BF16 peak, causal $causal: $mfu %', ({ causal, mfu }) => {
    const { total } = trainingFlops(model, { sequenceLength: 4096, causal });
    const answer = utilisation(PUBLISHED, total, BF16, 'BF16', causal);
    expect(answer.mfu * 100).toBeCloseTo(mfu, 2);
    expect(answer.peak).toBe('BF16');
  });

  it('takes 54.2 days on 2,048 GPUs and $5.33M at $2 an hour', () => {
    const run = runCost({ tokens: 14.8e12, tokensPerSecondPerGpu: PUBLISHED, gpus: 2048, pricePerGpuHour: 2 });
    expect(run?.days).toBeCloseTo(54.2, 1);
    expect((run?.money ?? 0) / 1e6).toBeCloseTo(5.328, 2);
  });
});
