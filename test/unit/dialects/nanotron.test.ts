import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nanotronCoverage } from '../../../server/src/dialects/nanotron/conditions';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs } from './reading';

const FIXTURE = readFileSync(join(import.meta.dirname, '../../fixtures/dialects/nanotron/llama.yaml'), 'utf8');

const CASES = ruleLines('nanotron').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

describe('nanotron', () => {
  it('is known by its sections and reads its plan', () => {
    expect(dialectOf(FIXTURE, 'config.yaml')).toBe('nanotron');
    const { plan } = readAs('nanotron', FIXTURE);
    expect(plan).toMatchObject({
      model: { layers: { value: 16 }, heads: { value: 32 }, kvHeads: { value: 8 }, vocabSize: { value: 128256 } },
      layout: {
        data: { value: 2 },
        pipeline: { value: 2 },
        tensor: { value: 4 },
        sequenceParallel: { value: true, label: 'tp_mode' },
      },
      batch: { microBatch: { value: 2 }, microbatches: { value: 8 }, sequenceLength: { value: 4096 } },
      precision: { weights: { value: 'BF16' }, gradients: { value: 'F32' }, masterWeights: { value: 'F32' } },
      optimizer: { zeroStage: { value: 1 }, kind: { value: 'adam' } },
      recompute: { granularity: { value: 'none', origin: 'default' } },
      pipeline: { kind: { value: '1f1b' } },
      details: { vocabDivisor: 128 },
    });
  });

  it('says nothing of a good file', () => {
    const found = findingsOf('nanotron', FIXTURE, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
    expect(found.map(({ message }) => message)).toEqual([]);
  });

  it('is silent where an interpolation hides what a rule needs', () => {
    const hidden = FIXTURE.replace('tp: 4', 'tp: ${TP}').replace(
      'batch_accumulation_per_replica: 8',
      'batch_accumulation_per_replica: 0',
    );
    const { plan } = readAs('nanotron', hidden);
    expect(plan.unresolved.map(({ path }) => path)).toContain('layout.tensor');
    expect(plan.layout.tensor).toBeUndefined();
  });

  itJudges('nanotron', 'yaml', CASES);

  it('has a case for every rule of its coverage table', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(nanotronCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
  });

  it('covers all gathered rules but the one that code decides', () => {
    const ids = nanotronCoverage.flatMap(({ covers }) => covers).filter((id) => /^NT-\d/.test(id));
    expect(new Set(ids).size).toBe(13);
  });
});
