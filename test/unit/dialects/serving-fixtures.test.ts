import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Analysis } from '../../../server/src/features/analysis';
import { analyzeServing, modelJson } from './served';

function fixture(dialect: string, name: string): Analysis {
  const text = readFileSync(join(import.meta.dirname, '../../fixtures/dialects', dialect, name), 'utf8');
  const analysis = analyzeServing(text, {}, name);
  expect(analysis.detection?.dialect).toBe(dialect);
  expect(analysis.findings.filter(({ severity }) => severity === 'error' || severity === 'warning')).toEqual([]);
  return analysis;
}

describe('vLLM', () => {
  it('reads the file of a server', () => {
    const { resolved, memory } = fixture('vllm', 'serve.yaml');
    expect(resolved?.layout).toMatchObject({ worldSize: 16, tensor: 8, data: 2, expert: 16, expertTensor: 1 });
    expect(resolved?.serving).toMatchObject({
      stack: 'vllm',
      kvDType: 'F8_E4M3',
      pageSize: 64,
      contextLength: 32_768,
      maxConcurrency: 256,
      speculativeTokens: 1,
      memoryFraction: 0.9,
    });
    expect(resolved?.experts).toMatchObject({ redundant: 32, algorithm: 'eplb' });
    expect(resolved?.quantization.method).toBe('fp8-block');
    expect(memory?.kvCache?.tokens).toBeGreaterThan(32_768);
  });
  it('reads an evaluation of its own tests', () => {
    const { resolved } = fixture('vllm', 'evaluation.yaml');
    expect(resolved?.layout).toMatchObject({ tensor: 2, expert: 2, expertTensor: 1 });
    expect(resolved?.serving).toMatchObject({ contextLength: 4096, prefixCaching: true });
    expect(resolved?.model?.experts).toBe(128);
  });
  it('reads a recipe of its recipes site', () => {
    const { resolved } = fixture('vllm', 'recipe.yaml');
    expect(resolved?.plan.frameworkVersion?.value).toBe('0.11.0');
    expect(resolved?.plan.model.name?.value).toBe('Qwen/Qwen3-235B-A22B');
    expect(resolved?.serving?.contextLength).toBe(40_960);
  });
});

describe('TensorRT-LLM', () => {
  it('reads LLM API options', () => {
    const { resolved } = fixture('tensorrt-llm', 'llm-api.yaml');
    expect(resolved?.layout).toMatchObject({ worldSize: 8, tensor: 8, expert: 8, expertTensor: 1, attentionData: 8 });
    expect(resolved?.serving).toMatchObject({
      stack: 'tensorrt-llm',
      kvDType: 'F8_E4M3',
      pageSize: 32,
      memoryFraction: 0.8,
      cudaGraphMaxBatch: 256,
      speculativeTokens: 1,
      dataParallelLmHead: true,
    });
    expect(resolved?.experts.redundant).toBe(32);
  });
  it('reads the wrapper of a benchmark', () => {
    const { resolved, reading } = fixture('tensorrt-llm', 'benchmark.yaml');
    expect(reading?.plan.layout).toMatchObject({
      tensor: { value: 4 },
      expert: { value: 4 },
      attentionData: { value: 4 },
    });
    expect(resolved?.serving).toMatchObject({ memoryFraction: 0.85, chunkedPrefill: 4096 });
  });
  it('reads prefill and decode servers in one file', () => {
    const { resolved } = fixture('tensorrt-llm', 'disaggregated.yaml');
    expect(resolved?.layout).toMatchObject({ tensor: 8, expert: 8, attentionData: 8 });
    expect(resolved?.serving?.memoryFraction).toBe(0.8);
    expect(resolved?.model?.layers).toBe(61);
  });
});

describe('recipes', () => {
  it('say what llm-compressor will store', () => {
    const { reading } = fixture('llm-compressor', 'recipe.yaml');
    expect(reading?.plan.quantization).toMatchObject({ method: { value: 'int4-group' }, groupSize: { value: 128 } });
  });
  it('say what ModelOpt will store', () => {
    const { reading } = fixture('modelopt', 'recipe.yaml');
    expect(reading?.plan.quantization.method?.value).toBe('nvfp4');
  });
});

describe('the cache that a checkpoint brings scales for', () => {
  const quantization = '{"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}';
  const served = (text: string, files: Readonly<Record<string, string>>) =>
    analyzeServing(text, files).resolved?.serving?.kvDType;
  it.each([
    ['vLLM', 'model: ./m\ntensor-parallel-size: 2\nmax-num-seqs: 8\n'],
    ['TensorRT-LLM', 'model: ./m\ntensor_parallel_size: 2\nkv_cache_config: { dtype: auto }\n'],
  ])('is what %s uses where it is told nothing', (_name, text) => {
    expect(served(text, { 'm/config.json': modelJson() })).toBe('BF16');
    expect(served(text, { 'm/config.json': modelJson(), 'm/hf_quant_config.json': quantization })).toBe('F8_E4M3');
    const inside = { quantization_config: { quant_method: 'modelopt', quant_algo: 'FP8', kv_cache_quant_algo: 'FP8' } };
    expect(served(text, { 'm/config.json': modelJson(inside) })).toBe('F8_E4M3');
  });
});
