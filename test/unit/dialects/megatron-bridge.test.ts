import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { megatronBridgeCoverage } from '../../../server/src/dialects/megatron-bridge/conditions';
import { planCoverage } from '../../../server/src/plan/rules/coverage';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs, told } from './reading';

const FIXTURE = readFileSync(
  join(import.meta.dirname, '../../fixtures/dialects/megatron-bridge/pretrain.yaml'),
  'utf8',
);

const CASES = ruleLines('megatron-bridge').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

const OVERRIDE = `model:
  tensor_model_parallel_size: 4
  sequence_parallel: true
train:
  train_iters: 10
  global_batch_size: 8
  micro_batch_size: 1
scheduler:
  lr_warmup_iters: 3
dist:
  use_megatron_fsdp: false
`;

describe('Megatron-Bridge', () => {
  it('is known by its sections and reads its plan', () => {
    expect(dialectOf(FIXTURE, 'conf.yaml')).toBe('megatron-bridge');
    expect(dialectOf(OVERRIDE, 'conf.yaml')).toBe('megatron-bridge');
    const { plan } = readAs('megatron-bridge', FIXTURE);
    expect(plan).toMatchObject({
      model: { layers: { value: 24 }, experts: { value: 16 }, kvHeads: { value: 8 } },
      layout: {
        tensor: { value: 2 },
        pipeline: { value: 2 },
        context: { value: 2 },
        expert: { value: 4 },
        expertTensor: { value: 1 },
      },
      batch: { microBatch: { value: 1 }, globalBatch: { value: 256 }, sequenceLength: { value: 4096 } },
      precision: { weights: { value: 'BF16' } },
      optimizer: { zeroStage: { value: 1 } },
    });
  });

  it('says nothing of good files', () => {
    for (const text of [FIXTURE, OVERRIDE]) {
      const found = findingsOf('megatron-bridge', text, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
      expect(found.map(({ message }) => message)).toEqual([]);
    }
  });

  it('concludes nothing from what an override leaves to its recipe', () => {
    const { plan, findings } = readAs('megatron-bridge', OVERRIDE);
    expect(plan.layout.pipeline).toMatchObject({ value: 1, origin: 'assumed' });
    expect(plan.layout.tensor).toMatchObject({ value: 4, origin: 'file' });
    expect(findings).toEqual([]);
    // A recipe that saves is overridden by a key that stands there without a value.
    const nulled = `${OVERRIDE}checkpoint:\n  async_save: true\n  save: null\n`;
    expect(told(readAs('megatron-bridge', nulled).findings)).toEqual(['error async-save-prerequisite']);
    expect(told(readAs('megatron-bridge', nulled.replace('  save: null\n', '')).findings)).toEqual([]);
  });

  itJudges('megatron-bridge', 'yaml', CASES);

  it('has a case for every rule of its coverage table, and covers every gathered rule', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(megatronBridgeCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
    const ids = [...megatronBridgeCoverage, ...planCoverage].flatMap(({ covers }) => covers);
    expect(new Set(ids.filter((id) => id.startsWith('BRG-'))).size).toBe(14);
  });
});
