import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gptNeoxCoverage } from '../../../server/src/dialects/gpt-neox/conditions';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs, told } from './reading';

const FIXTURE = readFileSync(join(import.meta.dirname, '../../fixtures/dialects/gpt-neox/6b.yml'), 'utf8');

const CASES = ruleLines('gpt-neox').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

describe('GPT-NeoX', () => {
  it('is known by its degrees and reads its plan', () => {
    expect(dialectOf(FIXTURE, '6b.yml')).toBe('gpt-neox');
    const { plan } = readAs('gpt-neox', FIXTURE);
    expect(plan).toMatchObject({
      model: { layers: { value: 32 }, hiddenSize: { value: 4096 } },
      layout: { tensor: { value: 4 }, pipeline: { value: 2 } },
      batch: { microBatch: { value: 4 }, microbatches: { value: 8 }, sequenceLength: { value: 2048 } },
      precision: { weights: { value: 'BF16' } },
      optimizer: { zeroStage: { value: 1 }, stack: { value: 'deepspeed' } },
      recompute: { granularity: { value: 'full' }, layers: { value: 1 } },
    });
  });

  it('knows the parts of a run that hold no model', () => {
    expect(dialectOf('{ "text_gen_type": "unconditional", "maximum_tokens": 102 }', 'text_generation.yml')).toBe(
      'gpt-neox',
    );
    const paths = '{ "data-path": "d", "vocab-file": "v", "merge-file": "m", "save": "c", "log-dir": "l" }';
    expect(dialectOf(paths, 'local_setup.yml')).toBe('gpt-neox');
    expect(dialectOf('{ "data_path": "d", "save": "c", "log_dir": "l" }', 'paths.yml')).toBeUndefined();
  });

  it('takes dashes for underscores, as GPT-NeoX does', () => {
    const dashed = FIXTURE.replaceAll('"pipe_parallel_size"', '"pipe-parallel-size"').replaceAll(
      '"max_position_embeddings": 2048',
      '"max-position-embeddings": 1024',
    );
    expect(dialectOf(dashed, '6b.yml')).toBe('gpt-neox');
    expect(told(readAs('gpt-neox', dashed).findings)).toEqual(['error positions-fewer-than-sequence']);
  });

  it('says nothing of a good file', () => {
    const found = findingsOf('gpt-neox', FIXTURE, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
    expect(found.map(({ message }) => message)).toEqual([]);
  });

  itJudges('gpt-neox', 'yaml', CASES);

  it('has a case for every rule of its table', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(gptNeoxCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
  });
});
