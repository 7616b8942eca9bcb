import { describe, expect, it } from 'vitest';
import { analyzeText, DENSE, errorsOf, sampleText } from './support';

const TRAINING = `${DENSE}parallelism: { tensor: 2 }\nbatch: { micro: 1, global: 8, sequence: 4096 }\n`;

describe('analyze', () => {
  it('says nothing about files of other kinds', () => {
    const analysis = analyzeText('name: ci\non: push\njobs: {}\n', { name: 'ci.yml' });
    expect(analysis.dialect).toBeUndefined();
    expect(analysis.findings).toEqual([]);
  });

  it('computes memory of a plan that names everything', () => {
    const analysis = analyzeText(TRAINING);
    expect(analysis.resolved?.layout).toMatchObject({ worldSize: 8, tensor: 2, data: 4 });
    expect(analysis.memory?.classes.length).toBeGreaterThan(0);
    expect(analysis.memory?.peak.bytes).toBeGreaterThan(0);
  });

  it('takes the GPU from a comment, and says where it is from', () => {
    const text = `# shardlens: gpu=H800 nodes=2\n${TRAINING.replace('cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }\n', '')}`;
    const { plan } = analyzeText(text).resolved ?? {};
    expect(plan?.cluster.gpu).toMatchObject({ value: 'H800', origin: 'file', note: 'the shardlens comment' });
    expect(plan?.cluster.nodes?.value).toBe(2);
  });

  it('takes the workspace file when the file is silent, the last matching glob first', () => {
    const files = { '.shardlens.yaml': '"*.yaml": { gpu: A100, nodes: 4 }\n"plan*": { gpu: H200 }\n' };
    const text = TRAINING.replace('cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }\n', '');
    const { plan } = analyzeText(text, { files }).resolved ?? {};
    expect(plan?.cluster.gpu).toMatchObject({ value: 'H200', origin: 'companion', note: '.shardlens.yaml' });
    expect(plan?.cluster.nodes?.value).toBe(4);
  });

  it('assumes a GPU when nobody names one, and marks it', () => {
    const text = TRAINING.replace('cluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }\n', '');
    const analysis = analyzeText(text);
    expect(analysis.resolved?.plan.cluster.gpu?.origin).toBe('assumed');
    expect(analysis.resolved?.assumptions.map(({ field }) => field)).toContain('cluster.gpu');
  });

  it('reads the model from a config.json beside the file', () => {
    const text = 'shardlens: 1\ncluster: { gpu: H100, nodes: 1, gpus_per_node: 8 }\nparallelism: { tensor: 4 }\n';
    const analysis = analyzeText(text, { files: { 'config.json': sampleText('llama-3.1-70b', 'config.json') } });
    expect(analysis.resolved?.model).toMatchObject({ layers: 80, heads: 64, kvHeads: 8 });
    expect(analysis.resolved?.plan.model.layers).toMatchObject({
      origin: 'companion',
      at: { uri: 'file:///ws/config.json' },
    });
  });

  it('asks for files it would read, so that the caller can fetch them', () => {
    const analysis = analyzeText('shardlens: 1\nmodel: ./m/config.json\nparallelism: { tensor: 4 }\n');
    expect(analysis.wanted).toEqual([]);
  });

  it('obeys severities and ignore comments', () => {
    const broken = TRAINING.replace('tensor: 2', 'tensor: 3');
    expect(errorsOf(analyzeText(broken))).toEqual(['world-not-divisible']);
    const quiet = analyzeText(broken, { settings: { rules: { 'world-not-divisible': 'hint' } } });
    expect(quiet.findings.find(({ rule }) => rule === 'world-not-divisible')?.severity).toBe('hint');
    expect(errorsOf(analyzeText(`# shardlens: ignore world-not-divisible\n${broken}`))).toEqual([]);
  });

  it('reports a plan that cannot fit with the rank and the largest part', () => {
    const text = TRAINING.replace('tensor: 2', 'tensor: 1')
      .replace('micro: 1, global: 8', 'micro: 8, global: 64')
      .replace('4096 }\n', '32768 }\n');
    const finding = analyzeText(text).findings.find(({ rule }) => rule === 'out-of-memory');
    expect(finding?.severity).toBe('error');
    expect(finding?.message).toMatch(
      /^Rank 0 needs [\d,.]+ GiB allocated, more than the [\d.]+ GiB of one H100: activations take [\d,.]+ GiB\.$/,
    );
  });

  it('says how many GPUs such a plan takes for granted', () => {
    const text = `base_model: meta-llama/Llama-3.1-405B
datasets: [{ path: tatsu-lab/alpaca, type: alpaca }]
sequence_len: 4096
micro_batch_size: 1
gradient_accumulation_steps: 1
bf16: true
fsdp_version: 2
fsdp_config: { auto_wrap_policy: TRANSFORMER_BASED_WRAP, transformer_layer_cls_to_wrap: LlamaDecoderLayer }
`;
    const finding = analyzeText(text, { name: 'sft.yaml' }).findings.find(({ rule }) => rule === 'out-of-memory');
    expect(finding?.severity).toBe('information');
    expect(finding?.message).toMatch(/an assumed H100, with 1 GPU assumed as well: /);
    // However many share the states, activations of whole layers do not fit.
    expect(finding?.message).not.toMatch(/It fits on/);
    const saving = `${text.replace('405B', '70B')}gradient_checkpointing: true\n`;
    const on = (gpus?: number): string =>
      analyzeText(saving, { name: 'sft.yaml', settings: gpus === undefined ? {} : { gpus } }).findings.find(
        ({ rule }) => rule === 'out-of-memory',
      )?.message ?? 'fits';
    const count = Number(/It fits on (\d+) of them\.$/.exec(on())?.[1]);
    expect(count).toBeGreaterThan(4);
    expect(on(count)).toBe('fits');
    expect(on(count / 2)).toMatch(/^Rank/);
  });

  it('keeps what it can while the text is broken', () => {
    const analysis = analyzeText(`${TRAINING}broken: [1, 2\n`);
    expect(analysis.findings.some(({ rule }) => rule === 'syntax')).toBe(true);
    expect(analysis.dialect?.id).toBe('shardlens');
  });
});
