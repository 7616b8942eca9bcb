import type { ResolvedPlan } from '../../plan/plan';
import { setting, type Setting, type SettingValue } from './target';

/** Sizes of the model as Megatron-LM's arguments; nothing where the model is not known. */
export function modelSettings({ model }: ResolvedPlan): Setting[] {
  if (model === undefined) return [];
  const at = (flag: string, value: SettingValue | undefined, ...fields: string[]): Setting[] =>
    setting(`MODEL_ARGS/${flag}`, value, ...fields.map((field) => `model.${field}`));
  const on = (flag: string, value: boolean, ...fields: string[]): Setting[] => (value ? at(flag, true, ...fields) : []);
  const grouped = model.attention === 'gqa' && model.kvHeads !== model.heads;
  const mla =
    model.attention === 'mla'
      ? [
          ...at('--multi-latent-attention', true, 'attention'),
          ...at('--q-lora-rank', model.qLoraRank, 'qLoraRank'),
          ...at('--kv-lora-rank', model.kvLoraRank, 'kvLoraRank'),
          ...at('--qk-head-dim', model.qkNopeHeadDim, 'qkNopeHeadDim'),
          ...at('--qk-pos-emb-head-dim', model.qkRopeHeadDim, 'qkRopeHeadDim'),
          ...at('--v-head-dim', model.vHeadDim, 'vHeadDim'),
        ]
      : at('--kv-channels', model.headDim, 'headDim');
  const experts =
    model.experts === undefined
      ? []
      : [
          ...at('--num-experts', model.experts, 'experts'),
          ...at('--moe-router-topk', model.expertsPerToken, 'expertsPerToken'),
          ...at('--moe-ffn-hidden-size', model.expertIntermediateSize, 'expertIntermediateSize'),
          ...at(
            '--moe-shared-expert-intermediate-size',
            model.sharedExperts === undefined || model.sharedExperts === 0 || model.expertIntermediateSize === undefined
              ? undefined
              : model.sharedExperts * model.expertIntermediateSize,
            'sharedExperts',
          ),
        ];
  return [
    ...at('--num-layers', model.layers, 'layers'),
    ...at('--hidden-size', model.hiddenSize, 'hiddenSize'),
    ...at('--ffn-hidden-size', model.intermediateSize, 'intermediateSize'),
    ...at('--num-attention-heads', model.heads, 'heads'),
    ...on('--group-query-attention', grouped, 'kvHeads'),
    ...(grouped ? at('--num-query-groups', model.kvHeads, 'kvHeads') : []),
    ...mla,
    ...experts,
    ...at('--vocab-size', model.vocabSize, 'vocabSize'),
    ...at('--max-position-embeddings', model.maxPositions, 'maxPositions'),
    ...on('--swiglu', model.gatedMlp, 'gatedMlp'),
    ...on('--untie-embeddings-and-output-weights', !model.tiedEmbeddings, 'tiedEmbeddings'),
    ...on('--disable-bias-linear', !model.mlpBias && !model.attentionOutputBias, 'mlpBias', 'attentionOutputBias'),
  ];
}
