import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkpoint } from '../../../server/src/engine/model/checkpoint';
import { read, specIn } from './read';

/** Elements that the safetensors files of a release hold, as its repository on the hub reports them. */
interface Published {
  readonly name: string;
  readonly elements: number;
  readonly config: object;
}

const FIXTURE = resolve(import.meta.dirname, '../../fixtures/published-models.json');
const published = JSON.parse(readFileSync(FIXTURE, 'utf8')) as readonly Published[];

describe('parameters of published models', () => {
  it.each(published)('$name: $elements', ({ elements, config }) => {
    expect(checkpoint(specIn(config), { method: 'none', baseDType: 'BF16' }).elements).toBe(elements);
  });
});

describe('defaults of an architecture', () => {
  it('are marked as such', () => {
    const { model } = read({
      model_type: 'qwen2',
      hidden_size: 3584,
      num_hidden_layers: 28,
      num_attention_heads: 28,
      num_key_value_heads: 4,
      vocab_size: 152064,
      intermediate_size: 18944,
    }).plan;
    expect(model.hiddenSize).toMatchObject({ value: 3584, origin: 'file', label: 'hidden_size' });
    expect(model.qkvBias).toMatchObject({ value: true, origin: 'default' });
    expect(model.tiedEmbeddings).toMatchObject({ value: false, origin: 'default' });
    expect(model.headDim).toMatchObject({ value: 128, origin: 'derived' });
  });

  it('are assumptions where the family is not known', () => {
    const { model } = read({
      model_type: 'brand_new',
      hidden_size: 64,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      vocab_size: 100,
    }).plan;
    expect(model.tiedEmbeddings?.origin).toBe('assumed');
    expect(model.kvHeads).toMatchObject({ value: 4, origin: 'default' });
  });
});

describe('which layers have experts', () => {
  const moe = (config: object): boolean[] => [
    ...(specIn({
      hidden_size: 64,
      num_hidden_layers: 6,
      num_attention_heads: 4,
      vocab_size: 100,
      intermediate_size: 96,
      num_experts: 4,
      n_routed_experts: 4,
      num_experts_per_tok: 2,
      moe_intermediate_size: 32,
      ...config,
    }).moeLayers ?? []),
  ];
  it.each([
    ['deepseek_v3', { first_k_dense_replace: 2 }, [false, false, true, true, true, true]],
    ['deepseek_v2', { first_k_dense_replace: 1, moe_layer_freq: 2 }, [false, false, true, false, true, false]],
    ['qwen2_moe', { decoder_sparse_step: 2 }, [false, true, false, true, false, true]],
    ['qwen3_moe', { decoder_sparse_step: 1, mlp_only_layers: [0, 5] }, [false, true, true, true, true, false]],
    ['llama4', { interleave_moe_layer_step: 3 }, [false, false, true, false, false, true]],
    ['llama4', { moe_layers: [1, 2] }, [false, true, true, false, false, false]],
    [
      'glm_moe_dsa',
      { mlp_layer_types: ['dense', 'dense', 'sparse', 'sparse', 'sparse', 'sparse'] },
      [false, false, true, true, true, true],
    ],
    ['mixtral', {}, [true, true, true, true, true, true]],
  ])('%s %j', (model_type, more, expected) => {
    expect(moe({ model_type, ...more })).toEqual(expected);
  });
});

describe('sliding windows', () => {
  const sliding = (config: object): number[] =>
    (
      specIn({
        hidden_size: 64,
        num_hidden_layers: 6,
        num_attention_heads: 4,
        num_key_value_heads: 4,
        head_dim: 16,
        vocab_size: 100,
        sliding_window: 8,
        ...config,
      }).slidingLayers ?? []
    ).map(Number);
  it.each([
    ['gemma2', {}, [1, 0, 1, 0, 1, 0]],
    ['gemma3_text', {}, [1, 1, 1, 1, 1, 0]],
    ['mistral', {}, [1, 1, 1, 1, 1, 1]],
    ['mistral', { sliding_window: null }, []],
    ['qwen2', { use_sliding_window: false, max_window_layers: 2 }, []],
    ['qwen2', { use_sliding_window: true, max_window_layers: 4 }, [0, 0, 0, 0, 1, 1]],
    ['gpt_oss', {}, [1, 0, 1, 0, 1, 0]],
    ['llama', {}, []],
  ])('%s %j', (model_type, more, expected) => {
    expect(sliding({ model_type, ...more })).toEqual(expected);
  });
});

describe('other files of a model', () => {
  it("reads DeepSeek's inference config with its own names", () => {
    const { plan } = read({
      vocab_size: 129280,
      dim: 7168,
      inter_dim: 18432,
      moe_inter_dim: 2048,
      n_layers: 61,
      n_dense_layers: 3,
      n_heads: 128,
      n_routed_experts: 256,
      n_shared_experts: 1,
      n_activated_experts: 8,
      n_expert_groups: 8,
      n_limited_groups: 4,
      score_func: 'sigmoid',
      q_lora_rank: 1536,
      kv_lora_rank: 512,
      qk_nope_head_dim: 128,
      qk_rope_head_dim: 64,
      v_head_dim: 128,
      dtype: 'fp8',
    });
    expect(plan.model.hiddenSize).toMatchObject({ value: 7168, label: 'dim' });
    expect(plan.model.expertsPerToken?.value).toBe(8);
    expect(plan.model.family?.value).toBe('deepseek_v3');
    expect(plan.quantization.method?.value).toBe('fp8-block');
  });

  it("reads Mistral's and Meta's params.json", () => {
    expect(
      specIn({
        dim: 4096,
        n_layers: 32,
        head_dim: 128,
        hidden_dim: 14336,
        n_heads: 32,
        n_kv_heads: 8,
        norm_eps: 1e-5,
        vocab_size: 32000,
      }).intermediateSize,
    ).toBe(14336);
    expect(
      specIn({
        dim: 8192,
        ffn_dim_multiplier: 1.3,
        multiple_of: 4096,
        n_heads: 64,
        n_kv_heads: 8,
        n_layers: 80,
        norm_eps: 1e-5,
        vocab_size: 128256,
      }).intermediateSize,
    ).toBe(28672);
  });

  it('reads the language model inside a multimodal config', () => {
    const reading = read({
      model_type: 'qwen3_vl',
      architectures: ['Qwen3VLForConditionalGeneration'],
      tie_word_embeddings: true,
      text_config: {
        model_type: 'qwen3_vl_text',
        hidden_size: 2560,
        num_hidden_layers: 36,
        num_attention_heads: 32,
        num_key_value_heads: 8,
        head_dim: 128,
        vocab_size: 151936,
        intermediate_size: 9728,
        tie_word_embeddings: false,
      },
      vision_config: { hidden_size: 1152 },
    });
    expect(reading.plan.model).toMatchObject({
      hiddenSize: { value: 2560 },
      tiedEmbeddings: { value: true },
      qkNorm: { value: 'head' },
    });
    expect(reading.findings.map(({ rule }) => rule)).toEqual(['language-model-only']);
  });
});
