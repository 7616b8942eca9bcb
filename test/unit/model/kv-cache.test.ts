import { describe, expect, it } from 'vitest';
import { kvBytesPerSequence, kvBytesPerToken, kvCache } from '../../../server/src/engine/model/kv-cache';
import { modelFromConfig, specOf } from '../../../server/src/dialects/hf-config/model';
import { parseConfig } from '../../../server/src/syntax/parse';
import { preset } from './models';

const ONE = { tensor: 1, attentionData: 1 };

describe('KV cache', () => {
  it('has the published bytes a token', () => {
    expect(kvBytesPerToken(preset('DeepSeek-V3').model, 'BF16', 'plain', ONE)).toBe(70_272);
    expect(kvBytesPerToken(preset('Qwen2.5-72B').model, 'BF16', 'plain', ONE)).toBe(327_680);
    expect(kvBytesPerToken(preset('Llama-3.1-405B').model, 'BF16', 'plain', ONE)).toBe(516_096);
    expect(kvBytesPerToken(preset('Qwen3-8B').model, 'BF16', 'plain', ONE)).toBe(147_456);
  });

  it('is not divided by tensor parallelism for MLA, nor changed by DP attention', () => {
    const { model } = preset('DeepSeek-V3');
    expect(kvBytesPerToken(model, 'BF16', 'plain', { tensor: 8, attentionData: 1 })).toBe(70_272);
    expect(kvBytesPerToken(model, 'BF16', 'plain', { tensor: 8, attentionData: 8 })).toBe(70_272);
  });

  it('is divided by the KV heads and no further for grouped queries', () => {
    const { model } = preset('Qwen2.5-72B');
    expect(kvBytesPerToken(model, 'BF16', 'plain', { tensor: 4, attentionData: 1 })).toBe(327_680 / 4);
    expect(kvBytesPerToken(model, 'BF16', 'plain', { tensor: 16, attentionData: 1 })).toBe(327_680 / 8);
    expect(kvBytesPerToken(model, 'BF16', 'plain', { tensor: 8, attentionData: 8 })).toBe(327_680);
    expect(kvBytesPerToken(model, 'F8_E4M3', 'plain', ONE)).toBe(327_680 / 2);
  });

  it('knows the FP8 record of FlashMLA and the indexer key', () => {
    expect(kvBytesPerToken(preset('DeepSeek-V3').model, 'F8_E4M3', 'fp8-ds-mla', ONE)).toBe(61 * 656);
    expect(kvBytesPerToken(preset('DeepSeek-V3.2').model, 'F8_E4M3', 'fp8-ds-mla', ONE)).toBe(61 * (656 + 132));
  });

  it('lets sliding layers stop at their window', () => {
    const cache = kvCache(preset('gpt-oss-120b').model, 'BF16', 'plain', ONE);
    const layer = 2 * 8 * 64 * 2;
    expect(cache).toMatchObject({ fullBytesPerToken: 18 * layer, slidingBytesPerToken: 18 * layer, window: 128 });
    expect(kvBytesPerSequence(cache, 100)).toBe(100 * 36 * layer);
    expect(kvBytesPerSequence(cache, 10_000)).toBe(18 * layer * (10_000 + 128));
  });

  it('keeps a fixed state in recurrent layers', () => {
    const config = {
      model_type: 'qwen3_next',
      hidden_size: 2048,
      num_hidden_layers: 48,
      num_attention_heads: 16,
      num_key_value_heads: 2,
      head_dim: 256,
      vocab_size: 151936,
      linear_num_key_heads: 16,
      linear_num_value_heads: 32,
      linear_key_head_dim: 128,
      linear_value_head_dim: 128,
      linear_conv_kernel_dim: 4,
      full_attention_interval: 4,
    };
    const { spec } = specOf(modelFromConfig(parseConfig(JSON.stringify(config), 'json')).model);
    if (spec === undefined) throw new Error('not read');
    const cache = kvCache(spec, 'BF16', 'plain', ONE);
    expect(cache.bytesPerToken).toBe(12 * 2 * 2 * 256 * 2);
    expect(cache.stateBytes).toBe(36 * (4 * 32 * 128 * 128 + 2 * 3 * (2 * 2048 + 4096)));
  });
});
