import { describe, expect, it } from 'vitest';
import { targetsFor, translate } from '../../../server/src/features/translate/translate';
import { analyzeText, sampleText } from './support';

const PLAN = `shardlens: 1
task: training
model: llama-3.1-70b
cluster: { gpu: H100, nodes: 32, gpus_per_node: 8 }
parallelism: { tensor: 4, pipeline: 4, context: 2, data: 8 }
schedule: 1f1b
precision: { weights: bf16 }
optimizer: { kind: adam, zero: 1 }
recompute: full
batch: { micro: 1, global: 256, sequence: 8192 }
`;
const MIXTRAL = sampleText('megatron-mixtral', 'model_config.yaml');
const SERVERS = {
  sglang:
    'model-path: deepseek-ai/DeepSeek-V3\ntp-size: 16\ndp-size: 16\nenable-dp-attention: true\nep-size: 16\nmoe-a2a-backend: deepep\nep-num-redundant-experts: 16\ncontext-length: 32768\nkv-cache-dtype: fp8_e4m3\nchunked-prefill-size: 32768\nnnodes: 2\n',
  vllm: 'model: deepseek-ai/DeepSeek-V3\ntensor-parallel-size: 1\ndata-parallel-size: 16\nenable-expert-parallel: true\nmax-model-len: 32768\nmax-num-batched-tokens: 2048\nkv-cache-dtype: fp8\n',
  'tensorrt-llm':
    'model: deepseek-ai/DeepSeek-V3\ntensor_parallel_size: 16\nmoe_expert_parallel_size: 16\nenable_attention_dp: true\nmax_seq_len: 32768\nmax_num_tokens: 2048\nkv_cache_config:\n  dtype: fp8\n  free_gpu_memory_fraction: 0.8\n',
} as const;

const NAMES: Readonly<Record<string, string>> = {
  megatron: 'model_config.yaml',
  torchtitan: 'job.toml',
  deepspeed: 'ds_config.json',
  nanotron: 'config.yaml',
};

function reread(text: string, dialect: string) {
  return analyzeText(text, { name: NAMES[dialect] ?? 'server.yaml', settings: { model: 'deepseek-ai/DeepSeek-V3' } });
}

describe('a training layout in the words of another framework', () => {
  const source = analyzeText(PLAN);
  it.each(['megatron', 'torchtitan', 'nanotron'])('reads back as the same layout: %s', (dialect) => {
    const result = translate(source, dialect);
    const back = analyzeText(result?.text ?? '', {
      name: NAMES[dialect] ?? '',
      settings: { model: 'llama-3.1-70b', gpu: 'H100', gpus: 256 },
    });
    expect(back.detection?.dialect).toBe(dialect);
    expect(back.findings.filter(({ severity }) => severity === 'error').map(({ message }) => message)).toEqual([]);
    expect(back.resolved?.layout).toMatchObject({ worldSize: 256, tensor: 4, pipeline: 4, context: 2, data: 8 });
    expect(back.resolved?.batch).toMatchObject({ microBatch: 1, globalBatch: 256, sequenceLength: 8192 });
    expect(back.resolved?.recompute.granularity).toBe('full');
  });
  it('keeps experts, their sizes and their degrees for Megatron-LM and tells what torchtitan lacks', () => {
    const mixtral = analyzeText(MIXTRAL, { name: 'model_config.yaml' });
    const titan = translate(mixtral, 'torchtitan');
    expect(titan?.text).toContain('expert_parallel_degree = 8');
    expect(titan?.report.join('\n')).toMatch(/Model chunks a pipeline rank 8 becomes 2/);
  });
  it('names what is no part of the layout', () => {
    const server = analyzeText(`${SERVERS.vllm}port: 8000\nserved-model-name: chat\n`, { name: 'server.yaml' });
    expect(translate(server, 'sglang')?.report).toContain(
      'Not part of the layout, and left for you to carry over: port, served-model-name.',
    );
    expect(translate(analyzeText(SERVERS.vllm, { name: 'server.yaml' }), 'sglang')?.report.join()).not.toMatch(/carry/);
  });
  it('writes JSON without comments, and what DeepSpeed cannot say into the report', () => {
    const result = translate(source, 'deepspeed');
    expect(JSON.parse(result?.text ?? '')).toEqual({
      train_batch_size: 256,
      train_micro_batch_size_per_gpu: 1,
      gradient_accumulation_steps: 8,
      zero_optimization: { stage: 1 },
      bf16: { enabled: true },
      tensor_parallel: { autotp_size: 4 },
      sequence_parallel_size: 2,
    });
    expect(result?.report.join('\n')).toMatch(/Pipeline parallelism 4 becomes 1/);
  });
});

describe('a serving layout in the words of another engine', () => {
  const pairs = (Object.keys(SERVERS) as (keyof typeof SERVERS)[]).flatMap((from) =>
    (Object.keys(SERVERS) as (keyof typeof SERVERS)[]).filter((to) => to !== from).map((to) => [from, to] as const),
  );
  it.each(pairs)('%s to %s and back keeps the ranks, the experts and the cache', (from, to) => {
    const source = reread(SERVERS[from], from);
    expect(source.detection?.dialect).toBe(from);
    const there = translate(source, to);
    const middle = reread(there?.text ?? '', to);
    expect(middle.detection?.dialect).toBe(to);
    expect(middle.resolved?.layout).toMatchObject({ worldSize: 16, expert: 16 });
    expect(middle.resolved?.serving).toMatchObject({ kvDType: 'F8_E4M3', contextLength: 32_768, chunkedPrefill: 2048 });
    const back = reread(translate(middle, from)?.text ?? '', from);
    expect(back.resolved?.layout).toEqual(source.resolved?.layout);
  });
  it('says that a memory fraction means something else elsewhere', () => {
    const source = reread(SERVERS['tensorrt-llm'], 'tensorrt-llm');
    expect(translate(source, 'vllm')?.report.join('\n')).toMatch(/memory fraction was left out/);
  });
  it('offers serving formats for servers alone, and none for what has no layout', () => {
    expect(targetsFor(reread(SERVERS.vllm, 'vllm')).map(({ dialect }) => dialect)).toEqual(['sglang', 'tensorrt-llm']);
    expect(targetsFor(analyzeText('services: {}\n', { name: 'compose.yaml' }))).toEqual([]);
  });
});
