import { describe, expect, it } from 'vitest';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import { deepseekPlan } from '../../reference/support/deepseek';
import { denseModel, layoutOf, megatronInput } from '../../reference/support/memory-input';

/** Value of a formula: its words are names of factors, its signs mean what they say. Undefined where it is not arithmetic. */
function valueOf(formula: string): number | undefined {
  const text = formula.replace(/[A-Za-z]+\d*\b|,.*$/g, ' ');
  const tokens = text.match(/\d+(?:\.\d+)?|[×+−/()]/g) ?? [];
  let at = 0;
  const factor = (): number => {
    const token = tokens[at];
    at += 1;
    if (token !== '(') return Number(token);
    const inner = sum();
    at += 1;
    return inner;
  };
  const product = (): number => {
    let value = factor();
    while (tokens[at] === '×' || tokens[at] === '/') {
      const divide = tokens[at] === '/';
      at += 1;
      value = divide ? value / factor() : value * factor();
    }
    return value;
  };
  const sum = (): number => {
    let value = product();
    while (tokens[at] === '+' || tokens[at] === '−') {
      const less = tokens[at] === '−';
      at += 1;
      value = less ? value - product() : value + product();
    }
    return value;
  };
  const value = sum();
  return at === tokens.length && Number.isFinite(value) ? value : undefined;
}

const batch = { microBatch: 2, microbatches: 8, sequenceLength: 4096 };
const moe = {
  experts: 16,
  expertsPerToken: 2,
  expertIntermediateSize: 2048,
  layers: 8,
  moeLayers: Array.from({ length: 8 }, () => true),
};

function torch(stack: 'fsdp2' | 'deepspeed' | 'ddp', pipeline = 1): TrainingInput {
  const layout = layoutOf({ worldSize: 8, pipeline, data: 8 / pipeline, dataShard: 8 / pipeline });
  const base = megatronInput(denseModel({ layers: 8 }), layout, batch, { vocabDivisor: 1 });
  return { ...base, optimizer: { ...base.optimizer, stack, zeroStage: stack === 'ddp' ? 0 : 3 } };
}

/** A mixture with latent attention under Transformer Engine in one of its FP8 recipes. */
function quantized(fp8Recipe: TrainingInput['precision']['fp8Recipe'], sequenceLength = 4096): TrainingInput {
  const latent = {
    attention: 'mla',
    qLoraRank: 768,
    kvLoraRank: 512,
    qkNopeHeadDim: 128,
    qkRopeHeadDim: 64,
    vHeadDim: 128,
  };
  const base = megatronInput(
    denseModel({ ...moe, ...latent, sharedExpertIntermediateSize: 2048 } as Parameters<typeof denseModel>[0]),
    layoutOf({ worldSize: 16, tensor: 2, pipeline: 2, expert: 4, sequenceParallel: true }),
    { ...batch, sequenceLength },
  );
  return {
    ...base,
    precision: { ...base.precision, fp8Recipe, compute: 'F8_E4M3', gradients: 'BF16', fp8Weights: true },
  };
}

const PLANS: readonly (readonly [name: string, input: TrainingInput])[] = [
  ['DeepSeek-V3 in its own recipe', deepseekPlan()],
  [
    'a mixture under Megatron',
    megatronInput(
      denseModel(moe),
      layoutOf({ worldSize: 16, tensor: 2, pipeline: 2, expert: 4, sequenceParallel: true }),
      batch,
    ),
  ],
  [
    'full recompute under Megatron',
    {
      ...megatronInput(denseModel({ layers: 8 }), layoutOf({ worldSize: 8, tensor: 2 }), batch),
      recompute: { granularity: 'full' },
    },
  ],
  ['delayed scaling under Megatron', quantized('delayed')],
  ['1x128 blocks under Megatron', quantized('blockwise')],
  ['MXFP8 under Megatron', quantized('mxfp8')],
  ['NVFP4 under Megatron', quantized('nvfp4')],
  ['a step that is fuller than its passes', quantized('mxfp8', 128)],
  ["DeepSpeed's pipeline engine over Megatron", { ...torch('deepspeed', 2), details: { modelCode: 'megatron' } }],
  [
    'torchtitan with FP8 gathers',
    { ...torch('fsdp2', 2), details: { vocabDivisor: 1, modelCode: 'titan', gatherInFp8: true } },
  ],
  ['torchtitan', { ...torch('fsdp2'), details: { vocabDivisor: 1, modelCode: 'titan' } }],
  ['torchtitan with stages', { ...torch('fsdp2', 2), details: { vocabDivisor: 1, modelCode: 'titan' } }],
  ['transformers under DeepSpeed', torch('deepspeed')],
  ['transformers under DDP', torch('ddp')],
];

describe('the formula of every tensor group', () => {
  it.each(PLANS)('gives its bytes: %s', (_name, input) => {
    const items = estimateTraining(input).classes.flatMap((entry) => entry.items);
    const total = items.reduce((all, { bytes }) => all + bytes, 0);
    let explained = 0;
    for (const { group, bytes, formula } of items) {
      const value = valueOf(formula);
      if (value === undefined) continue;
      // Factors are printed with four digits behind the point.
      expect(Math.abs(value / bytes - 1), `${group}: ${formula} is ${value}, not ${bytes}`).toBeLessThan(1e-3);
      explained += bytes;
    }
    expect(explained / total).toBeGreaterThan(0.97);
  });
});
