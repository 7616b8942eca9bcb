import { describe, expect, it } from 'vitest';
import { schemaAt } from '../../../server/src/dialects/common/json-schema';
import { DIALECT_RULES } from '../../../server/src/dialects/common/findings';
import { keyInfo, keysOf } from '../../../server/src/dialects/schema';
import { megatronFlags, shardlensSchema, sglangSchema } from '../../../server/src/dialects/schemas';

describe('keyInfo', () => {
  it('knows the plan format at every depth and through alternatives', () => {
    expect(keyInfo('shardlens', ['parallelism', 'tensor'])).toMatchObject({
      key: 'tensor',
      type: 'integer',
      default: 1,
      unit: 'GPUs',
      planField: 'layout.tensor',
    });
    expect(keyInfo('shardlens', ['schedule'])?.enum).toContain('dualpipe');
    expect(keyInfo('shardlens', ['schedule', 'kind'])?.planField).toBe('pipeline.kind');
    expect(keyInfo('shardlens', ['precision', 'weights'])).toMatchObject({ default: 'bf16' });
    expect(keyInfo('shardlens', ['precision', 'weights'])?.enum).toContain('fp8_e4m3');
    expect(keyInfo('shardlens', ['model', 'kv_lora_rank'])?.planField).toBe('model.kvLoraRank');
    expect(keyInfo('shardlens', ['parallelism', 'nonsense'])).toBeUndefined();
    expect(keyInfo('shardlens', [])).toBeUndefined();
  });
  it('knows SGLang keys under every spelling', () => {
    for (const key of ['tp-size', 'tensor-parallel-size', 'tp', 'tp_size']) {
      expect(keyInfo('sglang', [key])).toMatchObject({ key: 'tp-size', default: 1, planField: 'layout.tensor' });
    }
    expect(keyInfo('sglang', ['kv-cache-dtype'])?.enum).toContain('fp8_e4m3');
    expect(keyInfo('sglang', ['cuda-graph-max-bs'])).toMatchObject({ planField: 'serving.cudaGraphMaxBatch' });
    expect(keyInfo('sglang', ['cuda-graph-max-bs'])?.deprecated).toBeUndefined();
    expect(keyInfo('sglang', ['pp'])).toBeUndefined();
    expect(keyInfo('sglang', ['nested', 'tp-size'])).toBeUndefined();
  });
  it('knows Megatron keys in all forms', () => {
    for (const path of [
      ['MODEL_ARGS', '--tensor-model-parallel-size'],
      ['tensor_model_parallel_size'],
      ['model_parallel', 'tensor_model_parallel_size'],
    ]) {
      expect(keyInfo('megatron', path)).toMatchObject({ key: path.at(-1), default: 1, planField: 'layout.tensor' });
    }
    expect(keyInfo('megatron', ['MODEL_ARGS', '--fp8-recipe'])).toMatchObject({
      enum: ['tensorwise', 'delayed', 'mxfp8', 'blockwise', 'custom'],
      default: 'delayed',
    });
    expect(keyInfo('megatron', ['MODEL_ARGS', '--moe-enable-deepep'])?.deprecated).toBe(
      '--moe-flex-dispatcher-backend',
    );
    expect(keyInfo('megatron', ['ENV_VARS', 'X'])).toBeUndefined();
    expect(keyInfo('megatron', ['MODEL_ARGS'])?.type).toBe('object');
  });
  it('knows model configs, also of the language part', () => {
    expect(keyInfo('hf-config', ['num_attention_heads'])?.planField).toBe('model.heads');
    expect(keyInfo('hf-config', ['text_config', 'num_attention_heads'])?.planField).toBe('model.heads');
    expect(keyInfo('hf-config', ['quantization_config', 'weight_block_size'])?.type).toBe('array');
  });
  it('knows no dialect that is not there', () => {
    expect(keyInfo('nonsense', ['a'])).toBeUndefined();
    expect(keysOf('nonsense', [])).toEqual([]);
  });
});

describe('keysOf', () => {
  it('lists what may stand at a place, documented keys first', () => {
    expect(keysOf('shardlens', []).map(({ key }) => key)).toContain('parallelism');
    expect(keysOf('shardlens', ['schedule']).map(({ key }) => key)).toEqual(['kind', 'group_size', 'durations']);
    expect(keysOf('shardlens', ['model']).map(({ key }) => key)).toContain('hidden_size');
    expect(keysOf('sglang', []).length).toBeGreaterThan(400);
    expect(keysOf('sglang', [])[0]?.doc).toBeDefined();
    expect(keysOf('megatron', ['MODEL_ARGS']).map(({ key }) => key)).toContain('--expert-model-parallel-size');
    expect(keysOf('megatron', ['model_parallel']).map(({ key }) => key)).toContain('expert_model_parallel_size');
    expect(keysOf('hf-config', []).map(({ key }) => key)).toContain('hidden_size');
  });
  it('offers nothing that a file may not hold', () => {
    expect(keysOf('sglang', []).map(({ key }) => key)).not.toContain('disable-cuda-graph');
    expect(keysOf('megatron', ['MODEL_ARGS']).map(({ key }) => key)).not.toContain('--model-parallel-size');
    expect(keysOf('megatron', ['ENV_VARS'])).toEqual([]);
  });
});

describe('schemas', () => {
  /** Sections of the Plan that an annotation may name. */
  const SECTION =
    /^(model|quantization|cluster|layout|precision|optimizer|recompute|batch|pipeline|serving|experts)\.[a-zA-Z0-9]+$/;

  function annotations(value: unknown): string[] {
    if (Array.isArray(value)) return value.flatMap(annotations);
    if (value === null || typeof value !== 'object') return [];
    return Object.entries(value).flatMap(([key, inner]) =>
      key === 'x-plan' && typeof inner === 'string' ? [inner] : annotations(inner),
    );
  }

  it('annotate plan fields by their dotted names', () => {
    const all = [...annotations(shardlensSchema), ...annotations(sglangSchema), ...annotations(megatronFlags)];
    expect(all.length).toBeGreaterThan(180);
    expect(all.filter((field) => !SECTION.test(field))).toEqual([]);
  });
  it('document every key of the plan format', () => {
    const undocumented = keysOf('shardlens', [])
      .flatMap(({ key }) => [key, ...keysOf('shardlens', [key]).map((inner) => `${key}.${inner.key}`)])
      .filter((path) => keyInfo('shardlens', path.split('.'))?.doc === undefined);
    expect(undocumented).toEqual([]);
  });
  it('follow list positions', () => {
    expect(schemaAt(shardlensSchema, ['parallelism', 'stage_layers', 0])?.type).toBe('integer');
    expect(schemaAt(shardlensSchema, ['parallelism', 'stage_layers', '0'])?.type).toBe('integer');
  });
});

describe('DIALECT_RULES', () => {
  it('has one plain sentence a rule', () => {
    for (const title of Object.values(DIALECT_RULES)) expect(title).toMatch(/^[A-Z][^.]*\.$/);
  });
});
