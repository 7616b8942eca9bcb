import { describe, expect, it } from 'vitest';
import type { TrainingDetails } from '../../../server/src/engine/memory/input';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import { denseModel, layoutOf, megatronInput } from '../../reference/support/memory-input';

const batch = { microBatch: 1, microbatches: 8, sequenceLength: 4096 };

function first(details: TrainingDetails, offloadOptimizer = false) {
  const base = megatronInput(denseModel({ layers: 8 }), layoutOf({ worldSize: 8, pipeline: 2 }), batch, details);
  return estimateTraining({ ...base, optimizer: { ...base.optimizer, offloadOptimizer } }).classes[0];
}

describe('offloaded activations', () => {
  it('leave the device for all layers but the one that runs backward', () => {
    const [plain, away] = [first({}), first({ offloadedModules: ['core_attn', 'attn_proj'] })];
    // Query, key, value and output of 4,096 tokens: (32 + 2 × 8) + 32 heads of 128, in 16 bits; 4 layers of 2 microbatches.
    const layer = 2 * 4096 * (48 + 32) * 128;
    expect((plain?.allocated ?? 0) - (away?.allocated ?? 0)).toBe((2 * 4 - 1) * layer);
  });
  it('are none where no module is known', () => {
    expect(first({ offloadedModules: ['something'] })?.allocated).toBe(first({})?.allocated);
  });
});

describe('offloaded optimizer states', () => {
  it('leave a share on the device where a fraction is given', () => {
    const all = first({})?.parts.optimizer ?? 0;
    expect(first({}, true)?.parts.optimizer).toBe(0);
    expect(first({ offloadFraction: 0.25 }, true)?.parts.optimizer).toBeCloseTo(0.75 * all, 0);
    expect(first({ offloadFraction: 0.25 })?.parts.optimizer).toBe(all);
  });
});
