import type { LayerMixer, ModelSpec } from './spec';
import { moduleNames } from './module-names';
import { matrix, normRows, size, vector, type TensorShape } from './tensors';

function queryKeyValue(model: ModelSpec, at: string): TensorShape[] {
  const h = size(model.hiddenSize);
  const queries = size(model.heads) * size(model.headDim);
  const values = size(model.kvHeads) * size(model.headDim);
  const queryRows = model.attentionGate === true ? 2 * queries : queries;
  const out = [
    matrix('attention', `${at}.q_proj`, queryRows, h, 'column', { fused: 'qkv' }),
    matrix('attention', `${at}.k_proj`, values, h, 'kv-column', { fused: 'qkv' }),
    matrix('attention', `${at}.v_proj`, values, h, 'kv-column', { fused: 'qkv' }),
    matrix('attention', `${at}.o_proj`, h, queries, 'row'),
  ];
  if (model.qkvBias) {
    out.push(
      vector('attention', `${at}.q_proj`, queryRows, 'bias', 'column'),
      vector('attention', `${at}.k_proj`, values, 'bias', 'kv-column'),
      vector('attention', `${at}.v_proj`, values, 'bias', 'kv-column'),
    );
  }
  if (model.attentionSinks) out.push(vector('attention', `${at}.sinks`, size(model.heads), 'bias', 'column'));
  if (model.qkNorm !== 'none') {
    const full = model.qkNorm === 'full';
    out.push(
      vector('attention', `${at}.q_norm`, full ? queries : size(model.headDim), 'norm', full ? 'column' : 'replicated'),
      vector(
        'attention',
        `${at}.k_norm`,
        full ? values : size(model.headDim),
        'norm',
        full ? 'kv-column' : 'replicated',
      ),
    );
  }
  return out;
}

/**
 * Multi-head latent attention: low-rank queries (where `qLoraRank` is set), one joint latent and rotary key, per-head up-projections.
 * Source: deepseek-ai/DeepSeek-V3 inference/model.py, class MLA (arXiv 2405.04434, section 2.1).
 */
function latent(model: ModelSpec, at: string): TensorShape[] {
  const h = size(model.hiddenSize);
  const heads = size(model.heads);
  const nope = size(model.qkNopeHeadDim);
  const rope = size(model.qkRopeHeadDim);
  const value = size(model.vHeadDim);
  const rank = size(model.kvLoraRank);
  const queryRank = size(model.qLoraRank);
  const queries =
    queryRank > 0
      ? [
          matrix('attention', `${at}.q_a_proj`, queryRank, h, 'replicated'),
          vector('attention', `${at}.q_a_layernorm`, queryRank, 'norm'),
          matrix('attention', `${at}.q_b_proj`, heads * (nope + rope), queryRank, 'column'),
        ]
      : [matrix('attention', `${at}.q_proj`, heads * (nope + rope), h, 'column')];
  return [
    ...queries,
    matrix('attention', `${at}.kv_a_proj_with_mqa`, rank + rope, h, 'replicated'),
    vector('attention', `${at}.kv_a_layernorm`, rank, 'norm'),
    matrix('attention', `${at}.kv_b_proj`, heads * (nope + value), rank, 'column'),
    matrix('attention', `${at}.o_proj`, h, heads * value, 'row'),
  ];
}

/** The lightning indexer of DeepSeek sparse attention: every rank scores with all of its heads. Source: deepseek-ai/DeepSeek-V3.2-Exp inference/model.py, class Indexer. */
function indexer(model: ModelSpec, at: string): TensorShape[] {
  const h = size(model.hiddenSize);
  const heads = size(model.indexHeads);
  const width = size(model.indexHeadDim);
  const rank = size(model.qLoraRank) || h;
  return [
    matrix('attention', `${at}.indexer.wq_b`, heads * width, rank, 'replicated'),
    matrix('attention', `${at}.indexer.wk`, width, h, 'replicated'),
    // A LayerNorm, so it has a bias although the model's own norms have none.
    vector('attention', `${at}.indexer.k_norm`, 2 * width, 'norm'),
    matrix('attention', `${at}.indexer.weights_proj`, heads, h, 'replicated', { storage: 'gate' }),
  ];
}

/** Gated delta rule block. Source: huggingface/transformers models/qwen3_next/modeling_qwen3_next.py, Qwen3NextGatedDeltaNet. */
function deltaRule(model: ModelSpec): TensorShape[] {
  const h = size(model.hiddenSize);
  const keys = size(model.linearKeyHeads) * size(model.linearKeyHeadDim);
  const valueHeads = size(model.linearValueHeads);
  const values = valueHeads * size(model.linearValueHeadDim);
  const at = 'linear_attn';
  return [
    matrix('attention', `${at}.in_proj_qkv`, 2 * keys + values, h, 'column'),
    matrix('attention', `${at}.in_proj_z`, values, h, 'column'),
    matrix('attention', `${at}.in_proj_b`, valueHeads, h, 'column', { storage: 'gate' }),
    matrix('attention', `${at}.in_proj_a`, valueHeads, h, 'column', { storage: 'gate' }),
    matrix('attention', `${at}.conv1d`, 2 * keys + values, size(model.convKernel), 'column', {
      storage: 'convolution',
    }),
    vector('attention', `${at}.dt_bias`, valueHeads, 'state', 'column'),
    vector('attention', `${at}.A_log`, valueHeads, 'state', 'column'),
    vector('attention', `${at}.norm`, size(model.linearValueHeadDim), 'norm'),
    matrix('attention', `${at}.out_proj`, h, values, 'row'),
  ];
}

/** Mamba-2 block. Source: huggingface/transformers models/mamba2 and nvidia Nemotron-H modeling_nemotron_h.py, NemotronHMamba2Mixer. */
function stateSpace(model: ModelSpec, at: string): TensorShape[] {
  const h = size(model.hiddenSize);
  const heads = size(model.ssmHeads);
  const inner = heads * size(model.ssmHeadDim);
  const channels = inner + 2 * size(model.ssmGroups) * size(model.ssmStateSize);
  const out = [
    matrix('attention', `${at}.in_proj`, inner + channels + heads, h, 'column'),
    matrix('attention', `${at}.conv1d`, channels, size(model.convKernel), 'column', { storage: 'convolution' }),
    vector('attention', `${at}.A_log`, heads, 'state', 'column'),
    vector('attention', `${at}.D`, heads, 'state', 'column'),
    vector('attention', `${at}.dt_bias`, heads, 'state', 'column'),
    vector('attention', `${at}.norm`, inner, 'norm', 'column'),
    matrix('attention', `${at}.out_proj`, h, inner, 'row'),
  ];
  if (model.convBias === true) out.push(vector('attention', `${at}.conv1d`, channels, 'bias', 'column'));
  return out;
}

/** Tensors of one layer's token mixer, without the layer's own norms. Shapes after the Hugging Face implementation of each family. */
export function mixerTensors(model: ModelSpec, mixer: LayerMixer, withIndexer: boolean): TensorShape[] {
  const at = moduleNames(model).attention;
  if (mixer === 'none') return [];
  if (mixer === 'delta') return deltaRule(model);
  if (mixer === 'mamba2') return stateSpace(model, at);
  const own = model.attention === 'mla' ? latent(model, at) : queryKeyValue(model, at);
  if (withIndexer) own.push(...indexer(model, at));
  if (model.attentionOutputBias) own.push(vector('attention', `${at}.o_proj`, size(model.hiddenSize), 'bias'));
  if (model.storesRotary === true) {
    own.push(vector('attention', `${at}.rotary_emb.inv_freq`, Math.floor(size(model.headDim) / 2), 'buffer'));
  }
  return own;
}

/** The norms of one layer, which belong to no block. */
export function layerNorms(model: ModelSpec): TensorShape[] {
  const copies = size(model.normsPerLayer);
  return copies === 0
    ? []
    : [vector('norms', 'layernorm', normRows(model, size(model.hiddenSize)), 'norm', 'replicated', copies)];
}
