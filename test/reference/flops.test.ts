import { describe, expect, it } from 'vitest';
import { runCost, utilisation } from '../../server/src/engine/cost/economics';
import { trainingFlops } from '../../server/src/engine/cost/flops';
import { DEEPSEEK_RATE, FLOPS_ANCHORS, H800_BF16 } from './support/flops-anchors';
import { presetSpec } from './support/throughput-models';

describe('training FLOPs of a token', () => {
  it.each(FLOPS_ANCHORS)('$model at $sequence tokens (MTP $mtp) is within 0.3 % of $stated GFLOPs', (anchor) => {
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
    const answer = utilisation(DEEPSEEK_RATE, total, H800_BF16, 'BF16', causal);
    expect(answer.mfu * 100).toBeCloseTo(mfu, 2);
    expect(answer.peak).toBe('BF16');
  });

  it('takes 54.2 days on 2,048 GPUs and $5.33M at $2 an hour', () => {
    const run = runCost({ tokens: 14.8e12, tokensPerSecondPerGpu: DEEPSEEK_RATE, gpus: 2048, pricePerGpuHour: 2 });
    expect(run?.days).toBeCloseTo(54.2, 1);
    expect((run?.money ?? 0) / 1e6).toBeCloseTo(5.328, 2);
  });
});
