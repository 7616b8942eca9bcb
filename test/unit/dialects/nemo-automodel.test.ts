import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { automodelCoverage } from '../../../server/src/dialects/nemo-automodel/conditions';
import { changed, findingsOf, itJudges, ruleLines } from './cases';
import { dialectOf, readAs } from './reading';

const FIXTURE = readFileSync(join(import.meta.dirname, '../../fixtures/dialects/nemo-automodel/pretrain.yaml'), 'utf8');

const CASES = ruleLines('nemo-automodel').map((entry) => ({
  ...entry,
  fires: changed(FIXTURE, entry.fires),
  silent: changed(FIXTURE, entry.silent),
}));

describe('NeMo Automodel', () => {
  it('is known by its scheduler and targets, and reads its plan', () => {
    expect(dialectOf(FIXTURE, 'recipe.yaml')).toBe('nemo-automodel');
    const { plan } = readAs('nemo-automodel', FIXTURE);
    expect(plan).toMatchObject({
      model: { name: { value: 'Qwen/Qwen3-30B-A3B' } },
      cluster: { nodes: { value: 8 }, gpusPerNode: { value: 8 } },
      layout: { pipeline: { value: 4 }, expert: { value: 16 }, virtualPipeline: { value: 2 } },
      batch: { globalBatch: { value: 512 }, microBatch: { value: 1 }, microbatches: { value: 8 } },
      optimizer: { stack: { value: 'fsdp2' }, zeroStage: { value: 3 } },
      recompute: { granularity: { value: 'full' } },
      pipeline: { kind: { value: 'interleaved-torch' } },
    });
  });

  it('knows recipes that keep what they need in a section of their own', () => {
    const draft =
      'recipe: TrainEagleRecipe\ndist_env: { backend: nccl }\nrecipe_args: { seq_length: 4096 }\noptimizer: { lr: 1.0e-4 }\n';
    expect(dialectOf(draft, 'eagle.yaml')).toBe('nemo-automodel');
    expect(readAs('nemo-automodel', draft).findings).toEqual([]);
  });

  it('says nothing of a good file', () => {
    const found = findingsOf('nemo-automodel', FIXTURE, 'yaml').filter(({ rule }) => rule !== 'out-of-memory');
    expect(found.map(({ message }) => message)).toEqual([]);
  });

  it('leaves files of 2025 alone, whose options go to a class that they name', () => {
    const old = FIXTURE.replace(
      'strategy: fsdp2',
      '_target_: nemo_automodel.components.distributed.fsdp2.FSDP2Manager',
    ).replace(/ {2}pipeline:\n.*\n.*\n/, '');
    expect(readAs('nemo-automodel', old).findings).toEqual([]);
  });

  it('reads checkpointing where files of 2025 have it', () => {
    const old = FIXTURE.replace('  activation_checkpointing: true\n', '').concat(
      'parallelizer:\n  _target_: nemo_automodel.components.moe.parallelizer.parallelize_model\n  activation_checkpointing: true\n',
    );
    expect(readAs('nemo-automodel', old).plan.recompute.granularity?.value).toBe('full');
  });

  it('takes the GPU of the cluster that a recipe is run on', () => {
    const tagged = (tag: string): unknown =>
      readAs('nemo-automodel', `${FIXTURE}ci:\n  cluster_tag: ${tag}\n`).plan.cluster.gpu?.value;
    expect([tagged('gb200'), tagged('h100'), tagged('eos')]).toEqual(['GB200', 'H100', undefined]);
  });

  itJudges('nemo-automodel', 'yaml', CASES);

  it('has a case for every rule of its table', () => {
    const tried = new Set(CASES.map(({ rule }) => rule));
    expect(automodelCoverage.map(({ rule }) => rule).filter((rule) => !tried.has(rule))).toEqual([]);
  });
});
