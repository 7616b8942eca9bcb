import { describe, expect, it } from 'vitest';
import type { ClusterSpec } from '../../../server/src/engine/spec/cluster';
import type { Planned } from '../../../server/src/plan/plan';
import { specOf } from '../../../server/src/dialects/hf-config/model';
import { hardwareFiles, modelFiles } from '../../../server/src/dialects/preset-files';
import { findGpu, findModel, gpuNames, modelNames } from '../../../server/src/dialects/presets';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';

describe('model presets', () => {
  it('are all complete, and say where their values come from', () => {
    expect(modelNames().length).toBeGreaterThan(30);
    for (const name of modelNames()) expect(specOf(findModel(name)?.model ?? {}).missing, name).toEqual([]);
    for (const file of modelFiles) expect(file).toHaveProperty('x-source');
  });

  it('have the elements that their source names', () => {
    const checked = modelFiles as readonly {
      'x-name': string;
      'x-source': { checkedElements?: number };
      quantization_config?: object;
    }[];
    let count = 0;
    for (const { 'x-name': name, 'x-source': source, quantization_config } of checked) {
      if (source.checkedElements === undefined || quantization_config !== undefined) continue;
      const { spec } = specOf(findModel(name)?.model ?? {});
      if (spec === undefined) throw new Error(name);
      expect(checkpoint(spec, { method: 'none', baseDType: 'BF16' }).elements, name).toBe(source.checkedElements);
      count += 1;
    }
    expect(count).toBeGreaterThan(8);
  });

  it.each([
    ['deepseek-ai/DeepSeek-V3', 'deepseek-ai/DeepSeek-V3'],
    ['deepseek-v3', 'deepseek-ai/DeepSeek-V3'],
    ['DeepSeek V3', 'deepseek-ai/DeepSeek-V3'],
    ['unsloth/DeepSeek-V3-0324', 'deepseek-ai/DeepSeek-V3'],
    ['Qwen3-8B-Base', 'Qwen/Qwen3-8B'],
    ['meta-llama/Meta-Llama-3.1-70B-Instruct', 'meta-llama/Llama-3.1-70B'],
    ['Qwen3-235B-A22B-Instruct-2507-FP8', 'Qwen/Qwen3-235B-A22B-FP8'],
    ['zai-org/GLM-4.6', 'zai-org/GLM-4.5'],
    ['openai/gpt-oss-120b', 'openai/gpt-oss-120b'],
    ['no-such-model', undefined],
    ['', undefined],
    ['-instruct', undefined],
  ])('%s is %s', (name, expected) => {
    expect(findModel(name)?.name).toBe(expected);
  });

  it.each([
    ['Qwen/Qwen3-32B-FP8', 'Qwen/Qwen3-32B', 'fp8-block'],
    ['RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic', 'meta-llama/Llama-3.1-70B', 'fp8-channel'],
    ['nvidia/Llama-3.3-70B-Instruct-FP8', 'meta-llama/Llama-3.1-70B', 'fp8-tensor'],
    ['nvidia/DeepSeek-R1-0528-FP4-v2', 'deepseek-ai/DeepSeek-R1', 'nvfp4'],
    ['TechxGenus/Meta-Llama-3-8B-Instruct-AWQ', 'meta-llama/Llama-3.1-8B', 'int4-group'],
    ['Qwen/Qwen2.5-14B-Instruct-GPTQ-Int4', 'Qwen/Qwen2.5-14B', 'int4-group'],
    ['unsloth/Llama-3.2-3B-Instruct-bnb-4bit', 'meta-llama/Llama-3.2-3B', 'bnb-4bit'],
    // A preset of its own knows better than its name.
    ['Qwen/Qwen3-30B-A3B-FP8', 'Qwen/Qwen3-30B-A3B-FP8', 'fp8-block'],
  ])('%s is a copy of %s in %s', (name, base, method) => {
    const found = findModel(name);
    expect(found?.name).toBe(base);
    expect(found?.quantization.method?.value).toBe(method);
  });

  it('of copies are assumed, and leave latent attention in four bits alone', () => {
    const quantization = findModel('nvidia/DeepSeek-R1-0528-FP4')?.quantization;
    expect(Object.values(quantization ?? {}).map(({ origin }) => origin)).toContain('assumed');
    for (const value of Object.values(quantization ?? {})) expect(value.origin).toBe('assumed');
    expect(quantization?.excluded?.value).toEqual(['*self_attn*']);
    expect(findModel('nobody/no-such-model-FP8')).toBeUndefined();
  });

  it('carry no place: they stand in no document', () => {
    const { model, quantization } = findModel('DeepSeek-V3') ?? { model: {}, quantization: {} };
    for (const value of [...Object.values(model), ...Object.values(quantization)])
      expect(value).not.toHaveProperty('at');
  });

  it('have names that point to one preset only', () => {
    const words = (modelFiles as readonly { 'x-name': string; 'x-aliases': string[] }[]).flatMap((file) =>
      [file['x-name'].split('/').at(-1) ?? '', ...file['x-aliases']].map((word) => word.toLowerCase()),
    );
    expect(words.filter((word, index) => words.indexOf(word) !== index)).toEqual([]);
  });
});

describe('GPU presets', () => {
  it('hold dense peaks and what programs can allocate, with sources', () => {
    for (const name of gpuNames()) {
      const cluster: Planned<ClusterSpec> = findGpu(name)?.cluster ?? {};
      const fp8 = cluster.fp8Flops?.value;
      const bf16 = cluster.bf16Flops?.value ?? 0;
      expect(bf16, name).toBeGreaterThan(1e14);
      if (fp8 !== undefined) expect(fp8 / bf16, name).toBeCloseTo(2, 1);
      expect(cluster.memoryBytes?.value, name).toBeGreaterThan(20 * 2 ** 30);
      expect(cluster.gpu?.value).toBe(name);
    }
    for (const file of hardwareFiles) expect(file).toHaveProperty('x-source.memory');
  });

  it.each([
    ['H100', 'H100'],
    ['NVIDIA H100 80GB HBM3', 'H100'],
    ['h100-sxm5', 'H100'],
    ['A100', 'A100 80GB'],
    ['NVIDIA A100-SXM4-40GB', 'A100 40GB'],
    ['AMD Instinct MI300X', 'MI300X'],
    ['gb200_nvl72', 'GB200'],
    ['RTX 9999', undefined],
  ])('%s is %s', (name, expected) => {
    expect(findGpu(name)?.name).toBe(expected);
  });

  it('give the H100 the memory that was measured on one', () => {
    expect(findGpu('H100')?.cluster.memoryBytes?.value).toBe(85_017_493_504);
    expect(findGpu('H800')?.cluster.nvlinkBandwidth?.value).toBe(200e9);
    expect(findGpu('GB200')?.cluster.nvlinkDomain?.value).toBe(72);
  });
});
