import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../server/src/plan/plan';
import {
  expertsNotDivisible,
  headsNotDivisible,
  kvHeadsNotDivisible,
  layersNotDivisible,
  stageLayersMismatch,
} from '../../../server/src/plan/rules/model-splits';
import { scheduleConstraint } from '../../../server/src/plan/rules/pipeline';
import { fp8BlockMisaligned } from '../../../server/src/plan/rules/fp8-blocks';
import { dataAttentionNotDivisible } from '../../../server/src/plan/rules/serving';
import {
  batchNotDivisible,
  expertWorldNotDivisible,
  worldNotDivisible,
  degreeNotPositive,
  worldProductMismatch,
} from '../../../server/src/plan/rules/world';
import { checkPlan, planRules } from '../../../server/src/plan/rules/rules';
import { resolvePlan } from '../../../server/src/plan/resolve';
import { check, LLAMA_70B, MIXTRAL, planOf } from './plans';

const MEGATRON = { dialect: 'megatron', task: 'training' } as const;
const SGLANG = { dialect: 'sglang', task: 'serving' } as const;
const PLAN = { dialect: 'shardlens', task: 'training' } as const;

/** [rule, a plan it refuses, words of its message, the same plan made legal] */
const CASES: readonly (readonly [(typeof planRules)[number], Plan, readonly string[], Plan])[] = [
  [
    worldNotDivisible,
    planOf(MEGATRON, { model: LLAMA_70B, layout: { worldSize: 100, tensor: 8, pipeline: 4 } }),
    ['100 GPUs', 'TP 8 × PP 4 × CP 1 = 32', '96 or 128'],
    planOf(MEGATRON, { model: LLAMA_70B, layout: { worldSize: 96, tensor: 8, pipeline: 4 } }),
  ],
  [
    expertWorldNotDivisible,
    planOf(MEGATRON, { model: MIXTRAL, layout: { worldSize: 8, tensor: 4, expert: 4, expertTensor: 4 } }),
    ['= 16 GPUs', 'do not divide 8 GPUs', 'smallest legal world is 16'],
    planOf(MEGATRON, { model: MIXTRAL, layout: { worldSize: 8, tensor: 4, expert: 4, expertTensor: 1 } }),
  ],
  [
    degreeNotPositive,
    planOf(SGLANG, { model: LLAMA_70B, layout: { tensor: 0 } }),
    ['0 is no parallel degree', 'nearest legal value is 1'],
    planOf(SGLANG, { model: LLAMA_70B, layout: { tensor: 1 } }),
  ],
  [
    worldProductMismatch,
    planOf(PLAN, { model: LLAMA_70B, layout: { worldSize: 64, tensor: 8, data: 4 } }),
    ['= 32 ranks', 'not the 64 GPUs', 'data parallelism is 8'],
    planOf(PLAN, { model: LLAMA_70B, layout: { worldSize: 64, tensor: 8, data: 8 } }),
  ],
  [
    stageLayersMismatch,
    planOf(PLAN, { model: LLAMA_70B, layout: { pipeline: 4, stageLayers: [20, 20, 20, 19] } }),
    ['79 layers', 'has 80'],
    planOf(PLAN, { model: LLAMA_70B, layout: { pipeline: 4, stageLayers: [20, 20, 20, 20] } }),
  ],
  [
    headsNotDivisible,
    planOf(MEGATRON, { model: LLAMA_70B, layout: { tensor: 24 } }),
    ['64 cannot be split', '24', '16 or 32'],
    planOf(MEGATRON, { model: LLAMA_70B, layout: { tensor: 32 } }),
  ],
  [
    kvHeadsNotDivisible,
    planOf(SGLANG, { model: { ...LLAMA_70B, heads: 96, kvHeads: 8 }, layout: { tensor: 12 } }),
    ['8 and tensor parallelism 12', '8 or 16'],
    planOf(SGLANG, { model: { ...LLAMA_70B, heads: 96, kvHeads: 8 }, layout: { tensor: 16 } }),
  ],
  [
    layersNotDivisible,
    planOf(MEGATRON, { model: LLAMA_70B, layout: { pipeline: 12 } }),
    ['80 do not divide over', '12', '10 or 16'],
    planOf(MEGATRON, { model: LLAMA_70B, layout: { pipeline: 16 } }),
  ],
  [
    expertsNotDivisible,
    planOf(SGLANG, {
      model: { ...MIXTRAL, experts: 256 },
      layout: { tensor: 32, expert: 32 },
      experts: { redundant: 16 },
    }),
    ['256 experts', '272 slots', '0 or 32'],
    planOf(SGLANG, {
      model: { ...MIXTRAL, experts: 256 },
      layout: { tensor: 32, expert: 32 },
      experts: { redundant: 32 },
    }),
  ],
  [
    dataAttentionNotDivisible,
    planOf(SGLANG, { model: LLAMA_70B, layout: { tensor: 8, attentionData: 3 } }),
    ['8 is not a multiple of', '3', '2 or 4'],
    planOf(SGLANG, { model: LLAMA_70B, layout: { tensor: 8, attentionData: 4 } }),
  ],
  [
    fp8BlockMisaligned,
    planOf(SGLANG, {
      model: { ...MIXTRAL, heads: 64, kvHeads: 4, headDim: 128, expertIntermediateSize: 1536 },
      quantization: { method: 'fp8-block' },
      layout: { tensor: 8 },
    }),
    ['1536 / 8 = 192', 'block size 128'],
    planOf(SGLANG, {
      model: { ...MIXTRAL, heads: 64, kvHeads: 4, headDim: 128, expertIntermediateSize: 1536 },
      quantization: { method: 'fp8-block' },
      layout: { tensor: 8, expert: 8 },
    }),
  ],
  [
    batchNotDivisible,
    planOf(MEGATRON, {
      model: LLAMA_70B,
      layout: { worldSize: 64, tensor: 8 },
      batch: { globalBatch: 100, microBatch: 1 },
    }),
    ['100 is not a multiple of', '× data parallelism 8 = 8', '96 or 104'],
    planOf(MEGATRON, {
      model: LLAMA_70B,
      layout: { worldSize: 64, tensor: 8 },
      batch: { globalBatch: 104, microBatch: 1 },
    }),
  ],
  [
    scheduleConstraint,
    planOf(PLAN, {
      model: LLAMA_70B,
      layout: { pipeline: 8 },
      pipeline: { kind: 'dualpipe' },
      batch: { microbatches: 14, microBatch: 1 },
    }),
    ['14', '16'],
    planOf(PLAN, {
      model: LLAMA_70B,
      layout: { pipeline: 8 },
      pipeline: { kind: 'dualpipe' },
      batch: { microbatches: 16, microBatch: 1 },
    }),
  ],
];

describe.each(CASES.map(([rule, bad, words, good]) => ({ id: rule.id, rule, bad, words, good })))(
  '$id',
  ({ rule, bad, words, good }) => {
    it('refuses with the field, the value and the nearest legal values in one sentence', () => {
      const messages = check(rule, bad);
      expect(messages).toHaveLength(1);
      for (const word of words) expect(messages[0]).toContain(word);
      expect(messages[0]).toMatch(/^[^\n]+\.$/);
    });

    it('is silent on the legal neighbour', () => {
      expect(check(rule, good)).toEqual([]);
    });

    it('is alone: no other rule speaks about the same fault', () => {
      const spoken = checkPlan({ plan: bad, resolved: resolvePlan(bad) });
      expect(spoken.map(({ rule: id }) => id)).toEqual([rule.id]);
    });
  },
);

describe('certainty', () => {
  it('stays silent when the tensor degree is assumed', () => {
    const plan = planOf(MEGATRON, { model: LLAMA_70B, layout: { tensor: 24 } });
    const assumed: Plan = { ...plan, layout: { ...plan.layout, tensor: { value: 24, origin: 'assumed' } } };
    expect(check(headsNotDivisible, assumed)).toEqual([]);
  });

  it('stays silent on frameworks that do not enforce it', () => {
    expect(
      planRules.flatMap((rule) =>
        check(rule, planOf({ dialect: 'unknown', task: 'training' }, { model: LLAMA_70B, layout: { tensor: 24 } })),
      ),
    ).toEqual([]);
  });
});
