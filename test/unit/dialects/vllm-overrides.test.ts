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
