import { listExpression } from './patterns';
import { source } from './spelling';
import { countOf, degreeOf, isAbsent, isGiven, label, type Check, type MegatronValues } from './values';

const EXPERTS = 'num_experts';
const FREQUENCY = 'moe_layer_freq';
const TOPK = 'moe_router_topk';
const PIPELINE = 'pipeline_model_parallel_size';
const EMBEDDING = 'account_for_embedding_in_pipeline_split';
const LOSS = 'account_for_loss_in_pipeline_split';
const CORE = 'megatron/core';
const BLOCK = source('get_num_layers_to_build', `${CORE}/transformer/transformer_block.py`);

const patternLength: Check = {
  rule: 'layer-pattern-length',
  severity: 'error',
  covers: [],
  keys: [FREQUENCY, 'num_layers', EXPERTS],
  source: source('get_gpt_decoder_layer_specs', `${CORE}/models/gpt/gpt_layer_specs.py`),
  says: (values) => {
    const layers = values.integer('num_layers');
    const list = listExpression(values.text(FREQUENCY) ?? '');
    if (layers === undefined || list === undefined || list.length === layers || isAbsent(values, EXPERTS))
      return undefined;
    return `${label(values, FREQUENCY)} names ${list.length} layers where there are ${layers}: a list has one entry a layer.`;
  },
};

const routedTooOften: Check = {
  rule: 'experts-per-token-too-many',
  severity: 'error',
  covers: [],
  keys: [TOPK, EXPERTS],
  source: source('topk_routing_with_score_function', `${CORE}/transformer/moe/moe_utils.py`),
  says: (values) => {
    const [topk, experts] = [countOf(values, TOPK), countOf(values, EXPERTS)];
    return topk === undefined || experts === undefined || experts < 1 || topk <= experts
      ? undefined
      : `${label(values, TOPK)} ${topk} sends a token to more experts than the ${experts} there are; ${experts} is the most.`;
  },
};

/** Embedding and loss that count as layers have to come out even with the others. */
function countedFault(values: MegatronValues): string | undefined {
  const layers = values.integer('num_layers');
  const ranks = degreeOf(values, PIPELINE);
  const ends = [EMBEDDING, LOSS].filter((name) => values.flag(name) === true);
  // A size of chunks is judged with embedding and loss by its own rule.
  const other = [
    'num_layers_per_virtual_pipeline_stage',
    'decoder_first_pipeline_num_layers',
    'decoder_last_pipeline_num_layers',
    'pipeline_model_parallel_layout',
  ];
  if (layers === undefined || ranks === undefined || ranks <= 1 || ends.length === 0) return undefined;
  if ([...other, 'hybrid_layer_pattern'].some((name) => isGiven(values, name))) return undefined;
  const total = layers + ends.length;
  // Where the layers alone do not divide either, the rule that all frameworks share tells it.
  if (total % ranks === 0 || layers % ranks !== 0) return undefined;
  const what = ends.length === 2 ? 'embedding and loss' : ends[0] === LOSS ? 'loss' : 'embedding';
  const near = ends.length === 2 ? `${layers - 2} or ${layers + ranks - 2}` : `${layers - 1} or ${layers + ranks - 1}`;
  return `${layers} layers with ${what}, counted as layers, are ${total} and do not divide over ${ranks} pipeline ranks; the nearest legal numbers of layers are ${near}.`;
}

export const layerChecks: readonly Check[] = [
  patternLength,
  routedTooOften,
  {
    rule: 'layers-not-divisible',
    severity: 'error',
    covers: [],
    keys: [EMBEDDING, LOSS, 'num_layers', PIPELINE],
    source: BLOCK,
    says: countedFault,
  },
];
