import { describe, expect, it } from 'vitest';
import { vocabularyOf } from '../../../server/src/dialects/common/tokenizers';
import { dialectOf, readAs } from './reading';

const NEMO = `trainer: { devices: 8, num_nodes: 4, precision: bf16 }
exp_manager: { name: run }
model:
  mcore_gpt: true
  micro_batch_size: 1
  global_batch_size: 128
  tensor_model_parallel_size: 4
  pipeline_model_parallel_size: 1
  encoder_seq_length: 4096
  num_layers: 32
  hidden_size: 4096
  num_attention_heads: 32
  tokenizer: TOKENIZER
`;

const NEOX = `{
  "pipe_parallel_size": 1, "model_parallel_size": 2, "num_layers": 24, "hidden_size": 2048, "num_attention_heads": 16,
  "seq_length": 2048, "max_position_embeddings": 2048, "pos_emb": "rotary", "no_weight_tying": true,
  "train_micro_batch_size_per_gpu": 4, "gradient_accumulation_steps": 1REST
}
`;

describe('vocabularies of tokenizers', () => {
  it.each([
    ['meta-llama/Meta-Llama-3.1-8B', 128_256],
    ['/data/llama/llama_tokenizer.model', 32_000],
    ['meta-llama/Llama-2-70b-hf', 32_000],
    ['mistralai/Mixtral-8x7B-v0.1', 32_000],
    ['mistralai/Mixtral-8x22B-Instruct-v0.1', 32_768],
    ['./20B_checkpoints/20B_tokenizer.json', 50_277],
    ['codellama/tokenizer.model', 32_016],
    ['gpt2', 50_257],
    ['data/gpt2-vocab.json', 50_257],
    ['my-own/tokenizer.model', undefined],
    ['', undefined],
  ])('%s', (name, size) => {
    expect(vocabularyOf(name)).toBe(size);
  });

  it.each([
    ['{ library: huggingface, type: meta-llama/Meta-Llama-3-8B }', 128_256],
    ['{ library: sentencepiece, type: null, model: "${data_dir}/llama/llama_tokenizer.model" }', 32_000],
    ['{ library: sentencepiece, type: null, model: null }', undefined],
    ['{ library: megatron, type: GPT2BPETokenizer }', 50_257],
  ])('NeMo: %s', (tokenizer, size) => {
    const text = NEMO.replace('TOKENIZER', tokenizer);
    expect(dialectOf(text, 'job.yaml')).toBe('nemo');
    expect(readAs('nemo', text).plan.model.vocabSize?.value).toBe(size);
  });

  it.each([
    ['', 50_257, 'assumed'],
    [', "tokenizer_type": "GPT2BPETokenizer"', 50_257, 'derived'],
    [', "tokenizer_type": "HFTokenizer"', 50_277, 'assumed'],
    [', "tokenizer-type": "HFTokenizer", "vocab-file": "/data/20B_tokenizer.json"', 50_277, 'derived'],
    [', "tokenizer_type": "SPMTokenizer"', 32_000, 'assumed'],
    [', "norm": "rmsnorm", "make_vocab_size_divisible_by": 1', 32_000, 'assumed'],
    [', "tokenizer_type": "CharLevelTokenizer"', 512, 'derived'],
  ])('GPT-NeoX: %s', (rest, value, origin) => {
    const text = NEOX.replace('REST', rest);
    expect(dialectOf(text, 'model.yml')).toBe('gpt-neox');
    expect(readAs('gpt-neox', text).plan.model.vocabSize).toMatchObject({ value, origin });
  });
});
