import { describe, expect, it } from 'vitest';
import { analyzeServing, expertsJson, modelJson } from './served';

const resolved = (body: string, model: string) =>
  analyzeServing(`model: ./m\nmax-num-seqs: 8\ngpu-memory-utilization: 0.9\n${body}`, { 'm/config.json': model })
    .resolved;

describe('hf-overrides', () => {
  it('replace fields of the model', () => {
    const small = resolved('hf-overrides: \'{"num_hidden_layers": 4, "num_experts": 8}\'\n', expertsJson());
    expect(small?.model).toMatchObject({ layers: 4, experts: 8, hiddenSize: 4096 });
    expect(small?.model?.moeLayers?.length ?? 4).toBeLessThanOrEqual(4);
    expect(small?.plan.model.layers?.origin).toBe('file');
  });
  it('scale positions, which is the length that is served then', () => {
    const yarn =
      'hf-overrides: \'{"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}}\'\n';
    expect(resolved(yarn, modelJson({ max_position_embeddings: 32768 }))?.serving?.contextLength).toBe(131072);
    expect(resolved('seed: 1\n', modelJson({ max_position_embeddings: 32768 }))?.serving?.contextLength).toBe(32768);
  });
  it('leave everything else as it is', () => {
    const plain = resolved('hf-overrides: \'{"architectures": ["Other"]}\'\n', expertsJson());
    expect(plain?.model).toMatchObject({ layers: 32, experts: 128 });
  });
});

describe('the file of --config', () => {
  const command = '#!/bin/bash\nvllm serve ./m --config serve.yaml --tensor-parallel-size 4\n';
  const read = (files: Readonly<Record<string, string>>) =>
    analyzeServing(command, { 'm/config.json': modelJson(), ...files }, 'serve.sh');

  it('stands below the words of the command', () => {
    const { resolved, references } = read({
      'serve.yaml':
        'tensor-parallel-size: 8\nmax-model-len: 4096\nspeculative-config: \'{"method": "ngram", "num_speculative_tokens": 4}\'\n',
    });
    expect(resolved?.layout?.tensor).toBe(4);
    expect(resolved?.serving).toMatchObject({ contextLength: 4096, speculativeTokens: 4 });
    expect(references.map(({ target }) => target)).toContain('serve.yaml');
  });
  it('brings its own faults to the word that names it', () => {
    const { findings } = read({ 'serve.yaml': 'max-num-seqs: 64\nmax-num-batched-tokens: 32\n' });
    const found = findings.find(({ rule }) => rule === 'batch-limits-conflict');
    expect(command.slice(found?.at?.span.start, found?.at?.span.end)).toBe('serve.yaml');
  });
  it('may say anything where it cannot be read', () => {
    const text = '#!/bin/bash\nvllm serve ./m --config other.yaml --enable-eplb\n';
    const rules = analyzeServing(text, { 'm/config.json': modelJson() }, 'serve.sh').findings.map(({ rule }) => rule);
    expect(rules).not.toContain('expert-balancing-conflict');
  });
});
