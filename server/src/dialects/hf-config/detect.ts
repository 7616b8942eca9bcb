import type { Detection } from '../dialect';
import type { ConfigTree, MapNode } from '../../syntax/tree';
import { keysSeen, weigh, when } from '../common/evidence';
import { childOf, hasKey, isList, mapOf, rootMap, textOf } from '../common/nodes';
import { textPart } from './model';

const SIZES = [
  'hidden_size',
  'num_hidden_layers',
  'num_attention_heads',
  'vocab_size',
  'intermediate_size',
  'num_key_value_heads',
  'max_position_embeddings',
  'n_layer',
  'n_embd',
  'n_head',
  'd_model',
  'n_layers',
  'num_layers',
  'padded_vocab_size',
  'kv_lora_rank',
  'n_routed_experts',
  'num_experts',
  'num_local_experts',
];

/** Keys of DeepSeek's inference configs that nobody else has. */
const INFERENCE = [
  'moe_inter_dim',
  'n_activated_experts',
  'n_expert_groups',
  'n_limited_groups',
  'route_scale',
  'n_dense_layers',
];
/** Keys of `params.json` as Mistral and Meta write it. */
const PARAMS = [
  'dim',
  'n_layers',
  'n_heads',
  'n_kv_heads',
  'norm_eps',
  'hidden_dim',
  'ffn_dim_multiplier',
  'multiple_of',
  'vocab_size',
];

/** Files of training and serving tools that repeat some of these keys. */
const FOREIGN = [
  'compute_environment',
  'trainer',
  'policy',
  'actor_rollout_ref',
  'MODEL_ARGS',
  'zero_optimization',
  'peft_type',
  'shardlens',
  'apiVersion',
  'tokenizer_class_map',
  'services',
];

function keysOf(map: MapNode): ReadonlySet<string> {
  return new Set(map.entries.map(({ key }) => key));
}

function detectQuantization(root: MapNode): Detection | undefined {
  const producer = textOf(childOf(mapOf(root, 'producer'), 'name'));
  const quantization = mapOf(root, 'quantization');
  if (quantization !== undefined && (hasKey(quantization, 'quant_algo') || hasKey(quantization, 'quantized_layers'))) {
    return weigh('hf-config', [
      when(true, 0.75, 'key `quantization.quant_algo`'),
      when(producer !== undefined, 0.2, `written by ${producer ?? ''}`),
    ]);
  }
  const keys = keysOf(root);
  const gptq = keysSeen(
    keys,
    ['bits', 'group_size', 'damp_percent', 'desc_act', 'sym', 'true_sequential', 'zero_point', 'q_group_size', 'w_bit'],
    0.2,
    0.8,
  );
  if (keys.has('bits') && keys.has('group_size') && !hasKey(root, 'model_type')) return weigh('hf-config', [gptq]);
  const compressed = keys.has('config_groups') && keys.has('quant_method');
  return compressed ? weigh('hf-config', [when(true, 0.9, 'keys `config_groups` and `quant_method`')]) : undefined;
}

function detectModel(root: MapNode, fileName: string): Detection | undefined {
  const text = textPart(root);
  const type = textOf(childOf(text, 'model_type')) ?? textOf(childOf(root, 'model_type'));
  const classes = isList(childOf(root, 'architectures')) || isList(childOf(text, 'architectures'));
  const sizes = keysSeen(keysOf(text), SIZES, 0.12, 0.4);
  if (sizes === undefined || (type === undefined && !classes)) return undefined;
  return weigh('hf-config', [
    when(type !== undefined, 0.35, `\`model_type: ${type ?? ''}\``),
    when(classes, 0.3, '`architectures` lists model classes'),
    sizes,
    when(/(^|[._-])config\.json$/i.test(fileName), 0.1, 'file name config.json'),
  ]);
}

/**
 * A model config: `architectures` or `model_type` beside sizes of a model, at the top or in the language part of a multimodal
 * config; DeepSeek's inference config; `params.json`; and the quantization files that stand beside a config.json.
 */
export function detectHfConfig(tree: ConfigTree, fileName: string): Detection | undefined {
  const root = rootMap(tree);
  if (root === undefined || tree.language !== 'json' || FOREIGN.some((key) => hasKey(root, key))) return undefined;
  const keys = keysOf(root);
  const model = detectModel(root, fileName);
  if (model !== undefined) return model;
  const inference = keysSeen(keys, INFERENCE, 0.25, 0.9);
  if (inference !== undefined && keys.has('dim')) return weigh('hf-config', [inference]);
  const params = keysSeen(keys, PARAMS, 0.15, 0.9);
  if (keys.has('dim') && keys.has('n_layers') && keys.has('n_heads')) return weigh('hf-config', [params]);
  return detectQuantization(root);
}
