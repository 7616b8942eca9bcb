import type { DType } from '../../engine/spec/numbers';
import type { ResolvedPlan } from '../../plan/plan';
import { planField } from '../fields';
import { setting, unless, type Draft, type Loss, type Setting, type TranslationTarget } from './target';
import { requestsPerRank, servingSplit, type ServingSplit } from './serving-split';

const SPLIT_FIELDS = ['layout.tensor', 'layout.attentionData', 'layout.data', 'layout.worldSize'];

/** A size that somebody set: defaults of one engine must not become settings of another. */
function stated(plan: ResolvedPlan, field: string): number | undefined {
  const source = planField(plan.plan, field);
  const own =
    source !== undefined && (source.origin === 'file' || source.origin === 'derived') && source.at !== undefined;
  return own && typeof source.value === 'number' ? source.value : undefined;
}

function kvWord(plan: ResolvedPlan, words: Readonly<Partial<Record<DType, string>>>): string | undefined {
  const source = plan.plan.serving.kvDType;
  return source?.origin === 'file' ? words[source.value] : undefined;
}

/** Whether the source asks for balanced experts in so many words. */
function balanced(plan: ResolvedPlan): boolean {
  const { algorithm } = plan.plan.experts;
  return algorithm?.at !== undefined && algorithm.value === 'eplb';
}

function modelName(plan: ResolvedPlan): string | undefined {
  return plan.plan.model.name?.value ?? plan.model?.name;
}

/** The format that weights are computed in, which all three engines know by the same words. */
function formats(plan: ResolvedPlan): Setting[] {
  const base = plan.plan.quantization.baseDType;
  const word = base?.value === 'BF16' ? 'bfloat16' : base?.value === 'F16' ? 'float16' : undefined;
  return base?.origin === 'file' ? setting('dtype', word, 'quantization.baseDType') : [];
}

/** Words of `quantization` that SGLang and vLLM both take and mean the same by. */
const QUANTIZED = /^(?:fp8|awq|gptq|awq_marlin|gptq_marlin|moe_wna16|bitsandbytes|compressed-tensors|modelopt|gguf)$/;

function quantized(plan: ResolvedPlan): Setting[] {
  const source = plan.plan.quantization.source;
  return source?.origin === 'file' && plan.serving?.stack !== 'tensorrt-llm' && QUANTIZED.test(source.value)
    ? setting('quantization', source.value, 'quantization.source', 'quantization.method')
    : [];
}

const FRACTION: Loss = {
  fields: ['serving.memoryFraction'],
  text: 'The memory fraction was left out: SGLang counts weights and cache together, vLLM everything the process takes, TensorRT-LLM what is free after loading.',
};

function losses(plan: ResolvedPlan, split: ServingSplit, target: TranslationTarget['dialect']): Loss[] {
  const found: Loss[] = stated(plan, 'serving.memoryFraction') === undefined ? [] : [FRACTION];
  if (split.replicas > 1 && target === 'tensorrt-llm')
    found.push({
      fields: ['layout.data'],
      text: `${String(split.replicas)} replicas were left out: one TensorRT-LLM server is one replica, start as many.`,
    });
  if (split.replicas > 1 && split.attentionData > 1 && target === 'sglang')
    found.push({
      fields: ['layout.data'],
      text: `${String(split.replicas)} replicas were left out: dp-size already counts data-parallel attention.`,
    });
  if (target === 'tensorrt-llm' && split.attentionData > 1 && split.attentionTensor > 1)
    found.push({
      fields: ['layout.attentionData'],
      text: `Attention split into ${String(split.attentionTensor)} tensor ranks inside each of ${String(split.attentionData)} data ranks cannot be said: enable_attention_dp keeps whole heads on every rank.`,
    });
  if (target === 'vllm' && split.expert > 1 && split.expert !== split.group)
    found.push({
      fields: ['layout.expert'],
      text: `Expert parallelism of ${String(split.expert)} becomes ${String(split.group)}: vLLM spreads experts over all ranks of a stage or over none.`,
    });
  return found;
}

function sglangDraft(plan: ResolvedPlan): Draft {
  const split = servingSplit(plan);
  if (split === undefined) return { settings: [], losses: [] };
  const shared = split.attentionData > 1;
  const chunk = stated(plan, 'serving.chunkedPrefill');
  const requests = requestsPerRank(plan, stated(plan, 'serving.maxConcurrency'));
  const settings: Setting[] = [
    ...setting('model-path', modelName(plan), 'model.name'),
    ...formats(plan),
    ...quantized(plan),
    ...setting('tp-size', split.group, ...SPLIT_FIELDS),
    ...unless(1, 'pp-size', split.pipeline, 'layout.pipeline'),
    ...unless(1, 'dp-size', shared ? split.attentionData : split.replicas, 'layout.data'),
    ...(shared ? setting('enable-dp-attention', true, 'layout.attentionData') : []),
    ...unless(1, 'ep-size', split.expert, 'layout.expert', 'layout.expertTensor'),
    ...unless(0, 'ep-num-redundant-experts', plan.experts.redundant, 'experts.redundant'),
    ...(balanced(plan) ? setting('enable-eplb', true, 'experts.algorithm') : []),
    ...setting('context-length', stated(plan, 'serving.contextLength'), 'serving.contextLength'),
    ...setting(
      'max-running-requests',
      requests === undefined ? undefined : requests * (shared ? split.attentionData : 1),
      'serving.maxConcurrency',
    ),
    ...setting(
      'chunked-prefill-size',
      chunk === undefined ? undefined : chunk * (shared ? split.attentionData : 1),
      'serving.chunkedPrefill',
    ),
    ...setting(
      'kv-cache-dtype',
      kvWord(plan, { F8_E4M3: 'fp8_e4m3', F8_E5M2: 'fp8_e5m2', BF16: 'bfloat16', F4_E2M1: 'fp4_e2m1' }),
      'serving.kvDType',
    ),
    ...setting('page-size', stated(plan, 'serving.pageSize'), 'serving.pageSize'),
    ...setting('cuda-graph-max-bs', stated(plan, 'serving.cudaGraphMaxBatch'), 'serving.cudaGraphMaxBatch'),
  ];
  return { settings, losses: losses(plan, split, 'sglang') };
}

function vllmDraft(plan: ResolvedPlan): Draft {
  const split = servingSplit(plan);
  if (split === undefined) return { settings: [], losses: [] };
  const data = split.attentionData > 1 ? split.attentionData : split.replicas;
  const redundant = plan.experts.redundant;
  const settings: Setting[] = [
    ...setting('model', modelName(plan), 'model.name'),
    ...formats(plan),
    ...quantized(plan),
    ...setting('tensor-parallel-size', split.attentionTensor, ...SPLIT_FIELDS),
    ...unless(1, 'pipeline-parallel-size', split.pipeline, 'layout.pipeline'),
    ...unless(1, 'data-parallel-size', data, 'layout.data', 'layout.attentionData'),
    ...(split.expert > 1 ? setting('enable-expert-parallel', true, 'layout.expert', 'layout.expertTensor') : []),
    ...(redundant > 0 || balanced(plan) ? setting('enable-eplb', true, 'experts.algorithm') : []),
    ...(redundant > 0 ? setting('eplb-config/num_redundant_experts', redundant, 'experts.redundant') : []),
    ...setting('max-model-len', stated(plan, 'serving.contextLength'), 'serving.contextLength'),
    ...setting('max-num-seqs', requestsPerRank(plan, stated(plan, 'serving.maxConcurrency')), 'serving.maxConcurrency'),
    ...setting('max-num-batched-tokens', stated(plan, 'serving.chunkedPrefill'), 'serving.chunkedPrefill'),
    ...setting(
      'kv-cache-dtype',
      kvWord(plan, { F8_E4M3: 'fp8_e4m3', F8_E5M2: 'fp8_e5m2', BF16: 'bfloat16' }),
      'serving.kvDType',
    ),
    ...setting('block-size', stated(plan, 'serving.pageSize'), 'serving.pageSize'),
    ...setting('max-cudagraph-capture-size', stated(plan, 'serving.cudaGraphMaxBatch'), 'serving.cudaGraphMaxBatch'),
  ];
  return { settings, losses: losses(plan, split, 'vllm') };
}

function trtDraft(plan: ResolvedPlan): Draft {
  const split = servingSplit(plan);
  if (split === undefined) return { settings: [], losses: [] };
  const slots =
    plan.experts.redundant > 0 && plan.model?.experts !== undefined
      ? plan.model.experts + plan.experts.redundant
      : undefined;
  const each = requestsPerRank(plan, stated(plan, 'serving.maxConcurrency'));
  // Where the attention cannot be split by data, one group serves what all data ranks did.
  const whole = split.attentionData > 1 && split.attentionTensor > 1 ? split.attentionData : 1;
  const requests = each === undefined ? undefined : each * whole;
  const settings: Setting[] = [
    ...setting('model', modelName(plan), 'model.name'),
    ...formats(plan),
    ...setting('tensor_parallel_size', split.group, ...SPLIT_FIELDS),
    ...unless(1, 'pipeline_parallel_size', split.pipeline, 'layout.pipeline'),
    ...(split.attentionData > 1 && split.attentionTensor === 1
      ? setting('enable_attention_dp', true, 'layout.attentionData')
      : []),
    ...unless(1, 'moe_expert_parallel_size', split.expert, 'layout.expert', 'layout.expertTensor'),
    ...setting('moe_config/load_balancer/num_slots', slots, 'experts.redundant', 'experts.algorithm'),
    ...setting('max_seq_len', stated(plan, 'serving.contextLength'), 'serving.contextLength'),
    ...setting('max_batch_size', requests, 'serving.maxConcurrency'),
    ...setting('max_num_tokens', stated(plan, 'serving.chunkedPrefill'), 'serving.chunkedPrefill'),
    ...setting(
      'kv_cache_config/dtype',
      kvWord(plan, { F8_E4M3: 'fp8', BF16: 'bfloat16', F4_E2M1: 'nvfp4' }),
      'serving.kvDType',
    ),
    ...setting('kv_cache_config/tokens_per_block', stated(plan, 'serving.pageSize'), 'serving.pageSize'),
    ...setting(
      'cuda_graph_config/max_batch_size',
      stated(plan, 'serving.cudaGraphMaxBatch'),
      'serving.cudaGraphMaxBatch',
    ),
  ];
  return { settings, losses: losses(plan, split, 'tensorrt-llm') };
}

export const servingTargets: readonly TranslationTarget[] = [
  { dialect: 'sglang', title: 'SGLang --config file', language: 'yaml', task: 'serving', draft: sglangDraft },
  { dialect: 'vllm', title: 'vLLM --config file', language: 'yaml', task: 'serving', draft: vllmDraft },
  { dialect: 'tensorrt-llm', title: 'TensorRT-LLM options', language: 'yaml', task: 'serving', draft: trtDraft },
];
