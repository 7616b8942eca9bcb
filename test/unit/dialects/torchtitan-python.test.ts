import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { titanJob } from '../../../server/src/dialects/torchtitan/job';
import { pythonConfigs } from '../../../server/src/dialects/torchtitan/python-config';
import { detectDialect } from '../../../server/src/dialects/registry';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyze } from '../../../server/src/features/analyze';
import { hover } from '../../../server/src/features/hover';
import { parseConfig } from '../../../server/src/syntax/parse';

const FIXTURE = readFileSync(
  path.resolve(import.meta.dirname, '../../fixtures/dialects/torchtitan-python/config_registry.py'),
  'utf8',
);

function analysed(text: string): Analysis {
  return analyze({ uri: 'file:///w/jobs.py', version: 1, text, settings: { rules: {} }, files: () => null });
}

const IMPORTS = [
  'from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig',
  'from torchtitan.models.llama3 import model_registry',
  'from torchtitan.trainer import Trainer',
  '',
].join('\n');

function registry(parallelism: string, training = '', more = ''): string {
  return `${IMPORTS}
def job() -> Trainer.Config:
    return Trainer.Config(
        model_spec=model_registry("8B"),
        training=TrainingConfig(${training}),
        parallelism=ParallelismConfig(${parallelism}),${more}
    )
`;
}

function rulesOf(text: string): string[] {
  return analysed(text).findings.map(({ rule, severity }) => `${severity} ${rule}`);
}

describe('a Python config registry of torchtitan', () => {
  it('is read as the plan of its largest job, without a finding of severity error', () => {
    const { detection, resolved, findings } = analysed(FIXTURE);
    expect(detection?.dialect).toBe('torchtitan-python');
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(resolved?.plan.model.name?.value).toBe('llama3 405B');
    expect(resolved?.layout).toMatchObject({ tensor: 8, pipeline: 8, virtualPipeline: 2, dataShard: 4 });
    expect(resolved?.batch).toMatchObject({ sequenceLength: 8192, microBatch: 1, microbatches: 16 });
    expect(resolved?.recompute.granularity).toBe('full');
    expect(resolved?.precision.fp8Recipe).not.toBe('none');
  });

  it('holds each job of the file, what one takes over from another included', () => {
    const jobs = pythonConfigs(parseConfig(FIXTURE, 'python')).map(({ name, job }) => {
      const read = titanJob(job, true);
      const degrees = [read.degree('tensor', 1), read.degree('pipeline', 1), read.degree('shard', -1)];
      const tokens = read.integer('training.num_tokens_per_microbatch_per_dp_rank');
      return [
        name,
        read.family,
        read.text('model.flavor'),
        ...degrees,
        tokens,
        read.text('activation_checkpoint.mode'),
      ];
    });
    expect(jobs).toEqual([
      ['llama3_8b', 'llama3', '8B', 1, 1, -1, 16_384, 'selective'],
      ['llama3_70b', 'llama3', '70B', 8, 1, 4, 8192, 'full'],
      ['llama3_405b', 'llama3', '405B', 8, 8, 4, 8192, 'full'],
    ]);
  });

  it('explains a keyword argument where it stands', () => {
    const analysis = analysed(FIXTURE);
    const offset = FIXTURE.indexOf('num_pp_microbatches') + 3;
    const shown = hover(analysis, analysis.lines.positionAt(offset));
    expect(JSON.stringify(shown?.contents)).toContain('Microbatches of one data-parallel rank');
  });
});

describe('findings at the argument', () => {
  it.each([
    [
      'a mesh that experts do not divide',
      'data_parallel_shard_degree=4, expert_parallel_degree=3',
      '',
      'error expert-world-not-divisible',
    ],
    ['a misspelled argument', 'tensor_parallel_degre=2', '', 'error unknown-key'],
    [
      'tokens that ranks cannot share',
      'tensor_parallel_degree=8',
      'num_tokens_per_microbatch_per_dp_rank=1001, max_context_length=1001',
      'error sequence-not-divisible',
    ],
    [
      'fewer microbatches than stages',
      'pipeline_parallel_degree=4, num_pp_microbatches=2',
      '',
      'warning fewer-microbatches-than-stages',
    ],
    [
      'a pipeline beside CUDA graphs',
      'pipeline_parallel_degree=4, num_pp_microbatches=8',
      'disable_cuda_graphs=False',
      'error cuda-graphs-with-pipeline',
    ],
    ['samples beside tokens', '', 'seq_len=4096, max_context_length=4096', 'warning removed-key'],
    ['no tokens at all', '', 'num_tokens_per_microbatch_per_dp_rank=0', 'error wrong-value'],
    [
      'a step that is no number of passes',
      'data_parallel_shard_degree=4',
      'num_tokens_per_train_step=20480, max_context_length=4096',
      'error global-batch-not-divisible',
    ],
  ])('%s', (_, parallelism, training, expected) => {
    expect(rulesOf(registry(parallelism, training))).toContain(expected);
  });

  it('none of severity error on sound jobs', () => {
    const sound = [
      registry('tensor_parallel_degree=8', 'num_tokens_per_microbatch_per_dp_rank=2 * 8192, max_context_length=8192'),
      registry('pipeline_parallel_degree=2, num_pp_microbatches=8', 'disable_cuda_graphs=True'),
      registry('pipeline_parallel_degree=2, pipeline_parallel_microbatch_size=2', 'local_batch_size=8, seq_len=4096'),
      registry('data_parallel_shard_degree=4, tensor_parallel_degree=2, expert_parallel_degree=8'),
    ];
    for (const text of sound)
      expect(analysed(text).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('says asynchronous tensor parallelism without a compiled model at its argument', () => {
    const text = registry(
      'tensor_parallel_degree=2',
      '',
      '\n        compile=CompileConfig(enable_async_tensor_parallel=True),',
    );
    const finding = analysed(text).findings.find(({ rule }) => rule === 'needs-compiled-model');
    expect(text.slice(finding?.at?.span.start, finding?.at?.span.end)).toBe('True');
  });

  it('stands in the function that is wrong, not in the one it takes its values from', () => {
    const text = `${registry('data_parallel_shard_degree=4')}
def wrong() -> Trainer.Config:
    config = job()
    config.parallelism.expert_parallel_degree = 3
    return config
`;
    const [finding] = analysed(text).findings.filter(({ severity }) => severity === 'error');
    expect(finding?.rule).toBe('expert-world-not-divisible');
    expect(text.slice(finding?.at?.span.start, finding?.at?.span.end)).toBe('3');
  });
});

describe('what is not known', () => {
  it.each([
    ['a function of another module', 'tensor_parallel_degree=pick()'],
    ['a comprehension', 'tensor_parallel_degree=[n for n in (3,)][0]'],
    ['options handed on', '**options()'],
    ['a condition', 'tensor_parallel_degree=3 if BIG else 8'],
  ])('%s silences the rules', (_, parallelism) => {
    const text = registry(`${parallelism}, data_parallel_shard_degree=4`, 'num_tokens_per_microbatch_per_dp_rank=1001');
    expect(analysed(text).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('a base from another file leaves only what is written', () => {
    const text = `from torchtitan.models.llama3.config_registry import llama3_8b

def mine():
    config = llama3_8b()
    config.parallelism.tensor_parallel_degree = 4
    return config
`;
    const { resolved, findings } = analysed(text);
    expect(resolved?.plan.layout.tensor?.value).toBe(4);
    expect(resolved?.plan.layout.pipeline).toBeUndefined();
    expect(findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('a branch that may not run makes unknown what it writes', () => {
    const text = `${registry('data_parallel_shard_degree=4')}
def maybe(big):
    config = job()
    if big:
        config.parallelism.expert_parallel_degree = 3
    return config
`;
    expect(analysed(text).findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  });
});

describe('other Python files', () => {
  it.each([
    [
      'torch alone',
      'import torch\n\ndef train():\n    config = Trainer.Config(parallelism=ParallelismConfig(tensor_parallel_degree=8))\n',
    ],
    ['an import without a config', 'from torchtitan.trainer import Trainer\n\ndef main():\n    Trainer().train()\n'],
    [
      'a class of its own',
      'from torchtitan.tools import logging\n\nclass Trainer: ...\n\ndef job():\n    return Trainer.Config(a=1)\n',
    ],
    ['the name in a text', '"""from torchtitan import Trainer"""\nx = "Trainer.Config(parallelism=1)"\n'],
    [
      'transformers',
      'from transformers import Trainer, TrainingArguments\n\nargs = TrainingArguments(output_dir="x")\n',
    ],
    ['nothing', ''],
  ])('%s: not recognised', (_, text) => {
    expect(detectDialect(parseConfig(text, 'python'), 'job.py')).toBeUndefined();
  });
});

describe('hostile Python', () => {
  const start = IMPORTS;
  it.each([
    ['broken syntax', registry('tensor_parallel_degree=').replace('return Trainer', 'return (Trainer')],
    ['only brackets', `${start}${'('.repeat(50_000)}`],
    ['deep arithmetic', `${start}x = ${'1+'.repeat(20_000)}1\n`],
    ['deep attributes', `${start}x = a${'.b'.repeat(20_000)}\n`],
    ['deep calls', `${start}x = ${'f('.repeat(150)}${')'.repeat(150)}\n`],
    ['endless recursion', `${start}def f():\n    return f()\n\ndef g():\n    return h()\n\ndef h():\n    return g()\n`],
    [
      'calls that double',
      `${start}${Array.from({ length: 40 }, (_, i) => `def f${i}():\n    f${i + 1}()\n    return f${i + 1}()\n`).join('\n')}`,
    ],
    ['an object that holds itself', `${registry('')}\ndef loop():\n    c = job()\n    c.training = c\n    return c\n`],
    [
      'objects that hold each other twice',
      `${registry('')}\ndef wide():\n    c = job()\n${Array.from({ length: 30 }, (_, i) => `    d${i} = dict(a=${i === 0 ? 'c' : `d${i - 1}`}, b=${i === 0 ? 'c' : `d${i - 1}`})\n`).join('')}    c.debug = d29\n    return c\n`,
    ],
    ['a megabyte of statements', `${start}${'x = 1\n'.repeat(170_000)}`],
    ['a megabyte of text', `${start}"""${'a '.repeat(500_000)}"""\n`],
    ['open quotes', `${start}x = "abc\ny = """def\n`],
    ['huge numbers', registry(`tensor_parallel_degree=${'9'.repeat(5000)}, pipeline_parallel_degree=2**9999`)],
  ])('%s is answered or declined', (_, text) => {
    const { findings } = analysed(text);
    expect(findings.filter(({ rule }) => rule === 'internal-fault')).toEqual([]);
  });
});
