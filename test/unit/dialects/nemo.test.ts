import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs } from './reading';

const FIXTURE = readFileSync(join(import.meta.dirname, '../../fixtures/dialects/nemo/gpt.yaml'), 'utf8');

const CASES = ruleLines('nemo').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

describe('NeMo 1', () => {
  it('is known by its trainer and model, and reads its own names for what Megatron has', () => {
    expect(dialectOf(FIXTURE, 'config.yaml')).toBe('nemo');
    const { plan } = readAs('nemo', FIXTURE);
    expect(plan).toMatchObject({
      cluster: { nodes: { value: 4 }, gpusPerNode: { value: 8 } },
      model: { layers: { value: 32 }, kvHeads: { value: 8 }, gatedMlp: { value: true } },
      layout: { tensor: { value: 4 }, pipeline: { value: 2 }, sequenceParallel: { value: true } },
      batch: { sequenceLength: { value: 4096, label: 'encoder_seq_length' }, globalBatch: { value: 128 } },
      precision: { weights: { value: 'BF16', label: 'precision' } },
      optimizer: { zeroStage: { value: 1 } },
      recompute: { granularity: { value: 'full' }, method: { value: 'block' }, layers: { value: 2 } },
    });
  });

  it('says nothing of a good file', () => {
    const found = findingsOf('nemo', FIXTURE, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
    expect(found.map(({ message }) => message)).toEqual([]);
  });

  it('concludes nothing from what a base configuration may say', () => {
    const part = FIXTURE.replace('  num_layers: 32\n', '').replace('  pipeline_model_parallel_size: 2\n', '');
    const { plan, findings } = readAs('nemo', part);
    expect(plan.layout.pipeline).toMatchObject({ value: 1, origin: 'assumed' });
    expect(findings).toEqual([]);
  });

  itJudges('nemo', 'yaml', CASES);
});
