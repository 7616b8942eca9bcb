import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../../server/src/features/analysis';
import type { ResolvedPlan } from '../../../server/src/plan/plan';
import { targetsFor, translate } from '../../../server/src/features/translate/translate';
import { analyzeText, sampleText } from './support';

const ROOT = path.resolve(import.meta.dirname, '../../fixtures/dialects');
const FIXTURES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(?:ya?ml|json|toml|sh)$/.test(name))
  .sort();
const SAMPLES = [
  'sglang-deepseek-v3.yaml',
  'deepseek-v3-2048xH800.shardlens.yaml',
  'megatron-mixtral/model_config.yaml',
];
const NAMES: Readonly<Record<string, string>> = {
  megatron: 'model_config.yaml',
  torchtitan: 'job.toml',
  deepspeed: 'ds_config.json',
  nanotron: 'config.yaml',
};

const sources = [
  ...FIXTURES.map((name) => [name, readFileSync(path.join(ROOT, name), 'utf8')] as const),
  ...SAMPLES.map((name) => [name, sampleText(...name.split('/'))] as const),
].map(([name, text]) => [name, analyzeText(text, { name: path.basename(name) })] as const);

/** What a job is, whatever the framework: every value that a translation has to keep or to name. */
function essence({ layout, batch, recompute, pipeline }: ResolvedPlan): Readonly<Record<string, unknown>> {
  return {
    'layout.tensor': layout?.tensor,
    'layout.pipeline': layout?.pipeline,
    'layout.context': layout?.context,
    'layout.expert': layout?.expert,
    'layout.data': layout?.data,
    'layout.virtualPipeline': layout?.virtualPipeline,
    'batch.microBatch': batch?.microBatch,
    'batch.globalBatch': batch?.globalBatch,
    'batch.microbatches': batch?.microbatches,
    'batch.sequenceLength': batch?.sequenceLength,
    'recompute.granularity': recompute.granularity,
    'pipeline.kind': (layout?.pipeline ?? 1) > 1 ? pipeline.kind.replace(/-torch$/, '').replace('zbv', 'zb-v') : '1f1b',
  };
}

function again(source: Analysis, text: string, dialect: string): Analysis {
  const { name } = source.resolved?.plan.model ?? {};
  return analyzeText(text, {
    name: NAMES[dialect] ?? 'server.yaml',
    settings: {
      dialect,
      gpu: source.resolved?.cluster?.gpu ?? 'H100',
      ...(name === undefined ? {} : { model: name.value }),
      ...(source.resolved?.layout === undefined ? {} : { gpus: source.resolved.layout.worldSize }),
    },
  });
}

const pairs = sources.flatMap(([name, source]) =>
  targetsFor(source).map(({ dialect }) => [name, dialect, source] as const),
);

describe('every fixture in the words of every framework of its task', () => {
  it('has files of many frameworks to try', () => {
    expect(pairs.length).toBeGreaterThan(60);
  });
  const training = pairs.filter(([, , { resolved }]) => resolved?.plan.task === 'training');
  it.each(training)('%s as %s comes back as it was, or the report names the difference', (_, dialect, source) => {
    const result = translate(source, dialect);
    const back = again(source, result?.text ?? '', dialect);
    const before = essence(source.resolved as ResolvedPlan);
    const after = essence(back.resolved as ResolvedPlan);
    const silent = Object.keys(before).filter(
      (field) => before[field] !== undefined && before[field] !== after[field] && !result?.told.includes(field),
    );
    expect(silent.map((field) => `${field}: ${String(before[field])} -> ${String(after[field])}`)).toEqual([]);
    // What is written has to run: a batch that its ranks cannot share would be refused at start.
    const { layout, batch } = back.resolved ?? {};
    if (dialect === 'deepspeed' && layout !== undefined && batch !== undefined)
      expect(batch.globalBatch).toBe(batch.microBatch * batch.microbatches * layout.data);
  });
  it.each(pairs)('%s as %s is said in words that people use', (_, dialect, source) => {
    for (const line of translate(source, dialect)?.report ?? []) {
      expect(line).toMatch(/[.]$/);
      expect(line).not.toMatch(/undefined|NaN|\[object|\((?:false|adam)\) has no/);
    }
  });
});

describe('what the engines count differently', () => {
  const SHARED = `model-path: deepseek-ai/DeepSeek-V3
tp-size: 16
dp-size: 8
enable-dp-attention: true
ep-size: 16
nnodes: 2
max-running-requests: 1024
kv-cache-dtype: auto
`;
  const source = analyzeText(SHARED, { name: 'server.yaml' });
  it('takes SGLang requests of all data ranks for those of one where the other engine counts each', () => {
    expect(translate(source, 'vllm')?.text).toContain('max-num-seqs: 128\n');
    const whole = analyzeText(SHARED.replace('dp-size: 8', 'dp-size: 16'), { name: 'server.yaml' });
    expect(translate(whole, 'tensorrt-llm')?.text).toContain('max_batch_size: 64\n');
    // Heads that are split and shared by data at once cannot be said; one group then serves them all.
    expect(translate(source, 'tensorrt-llm')?.text).toContain('max_batch_size: 1024\n');
  });
  it('counts them back', () => {
    const vllm = analyzeText(translate(source, 'vllm')?.text ?? '', {
      name: 'server.yaml',
      settings: { dialect: 'vllm' },
    });
    expect(translate(vllm, 'sglang')?.text).toContain('max-running-requests: 1024\n');
    const copies = analyzeText('model-path: Qwen/Qwen3-8B\ntp-size: 1\ndp-size: 4\nmax-running-requests: 64\n', {
      name: 'server.yaml',
      settings: { dialect: 'sglang' },
    });
    expect(translate(copies, 'vllm')?.text).toContain('max-num-seqs: 64\n');
  });
  it('does not call a value lost that was left to the engine', () => {
    expect(translate(source, 'vllm')?.report.join('\n')).not.toMatch(/kv-cache-dtype/);
  });
  it('keeps the words that two engines share', () => {
    const quantized = analyzeText(
      'model: Qwen/Qwen3-8B\ntensor-parallel-size: 2\nquantization: fp8\ndtype: bfloat16\n',
      {
        name: 'server.yaml',
        settings: { dialect: 'vllm' },
      },
    );
    const result = translate(quantized, 'sglang');
    expect(result?.text).toContain('quantization: fp8\n');
    expect(result?.text).toContain('dtype: bfloat16\n');
    expect(translate(quantized, 'tensorrt-llm')?.report.join('\n')).toContain('quantization (fp8) has no counterpart');
  });
});

describe('the number format', () => {
  const megatron = `MODEL_ARGS:
  --tensor-model-parallel-size: 2
  --pipeline-model-parallel-size: 4
  --num-layers: 32
  --hidden-size: 4096
  --num-attention-heads: 32
  --seq-length: 4096
  --micro-batch-size: 2
  --global-batch-size: 256
  --bf16: true
`;
  const source = analyzeText(megatron, { name: 'model_config.yaml', settings: { gpus: 64, gpu: 'H100' } });
  it('of --bf16 is written for every framework', () => {
    expect(translate(source, 'torchtitan')?.text).toContain('mixed_precision_param = "bfloat16"');
    expect(translate(source, 'nanotron')?.text).toMatch(/dtype: bfloat16[^]*|accumulate_grad_in_fp32: true/);
    for (const target of ['torchtitan', 'nanotron', 'deepspeed'])
      expect(translate(source, target)?.report.join('\n')).not.toMatch(/bf16/);
  });
  it('and the accumulation are those of the ranks that are left without a pipeline', () => {
    expect(JSON.parse(translate(source, 'deepspeed')?.text ?? '')).toMatchObject({
      train_batch_size: 256,
      train_micro_batch_size_per_gpu: 2,
      gradient_accumulation_steps: 4,
    });
  });
});
