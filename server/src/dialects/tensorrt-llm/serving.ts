import type { DType, QuantizationSpec } from '../../engine/spec/numbers';
import type { ExpertsSpec, ServingSpec } from '../../engine/spec/serving';
import type { Known } from '../dialect';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { TrtDegrees } from './layout';
import type { TrtValues } from './values';

const DEFAULT = "TensorRT-LLM's default";

/** Formats that `kv_cache_config.dtype` may name. */
export const KV_DTYPES: Readonly<Record<string, DType>> = {
  fp8: 'F8_E4M3',
  fp8_ds_mla: 'F8_E4M3',
  nvfp4: 'F4_E2M1',
  float16: 'F16',
  fp16: 'F16',
  half: 'F16',
  bfloat16: 'BF16',
  bf16: 'BF16',
  float32: 'F32',
  float: 'F32',
  int8: 'I8',
};

function kvDType(values: TrtValues, checkpoint: string | undefined): Sourced<DType> | undefined {
  const entry = values.entry('kv_cache_config.dtype');
  const text = values.text('kv_cache_config.dtype');
  if (entry === undefined || text === 'auto') {
    const own = KV_DTYPES[checkpoint?.toLowerCase() ?? ''];
    const note = 'auto follows the checkpoint';
    return own === undefined && entry === undefined ? byDefault('BF16', note) : derived(own ?? 'BF16', note, entry);
  }
  const dtype = text === undefined ? undefined : KV_DTYPES[text];
  return dtype === undefined ? undefined : written(dtype, entry);
}

function number(values: TrtValues, name: string, otherwise?: number): Sourced<number> | undefined {
  const entry = values.entry(name);
  if (entry === undefined) return otherwise === undefined ? undefined : byDefault(otherwise, DEFAULT);
  const value = values.number(name);
  return value === undefined || value <= 0 ? undefined : written(value, entry);
}

/** Largest batch with a CUDA graph. Source: tensorrt_llm/llmapi/llm_args.py, `CudaGraphConfig`. */
function graphBatch(values: TrtValues): Sourced<number> | undefined {
  const most = number(values, 'cuda_graph_config.max_batch_size');
  if (most !== undefined) return most;
  const entry = values.entry('cuda_graph_config.batch_sizes');
  const sizes = values.words('cuda_graph_config.batch_sizes')?.map(Number) ?? [];
  if (entry !== undefined && sizes.length > 0 && sizes.every((size) => Number.isInteger(size) && size > 0))
    return derived(Math.max(...sizes), 'the largest of batch_sizes', entry);
  return entry === undefined ? byDefault(128, DEFAULT) : undefined;
}

function speculativeTokens(values: TrtValues): Sourced<number> | undefined {
  return (
    number(values, 'speculative_config.max_draft_len') ?? number(values, 'speculative_config.num_nextn_predict_layers')
  );
}

/** Under attention data parallelism every rank keeps the whole output head, unless it is asked to split it all the same. */
function wholeHead(values: TrtValues, degrees: TrtDegrees): Sourced<boolean> | undefined {
  const head = values.entry('enable_lm_head_tp_in_adp');
  if (degrees.attentionData !== true) return byDefault(false, DEFAULT);
  if (head === undefined) return derived(true, 'enable_attention_dp keeps the whole head on every rank');
  const split = values.flag('enable_lm_head_tp_in_adp');
  return split === undefined ? undefined : written(!split, head);
}

/** What TensorRT-LLM's PyTorch backend serves with. */
export function readTrtServing(values: TrtValues, degrees: TrtDegrees, checkpoint?: string): Planned<ServingSpec> {
  return present<Planned<ServingSpec>>({
    stack: derived('tensorrt-llm', 'a TensorRT-LLM file'),
    kvDType: kvDType(values, checkpoint),
    kvLayout: byDefault('plain', DEFAULT),
    pageSize: number(values, 'kv_cache_config.tokens_per_block', 32),
    memoryFraction: number(values, 'kv_cache_config.free_gpu_memory_fraction', 0.9),
    contextLength: number(values, 'max_seq_len'),
    maxConcurrency: number(values, 'max_batch_size', 2048),
    chunkedPrefill: number(values, 'max_num_tokens', 8192),
    cudaGraphMaxBatch: graphBatch(values),
    dataParallelLmHead: wholeHead(values, degrees),
    speculativeTokens: speculativeTokens(values),
    poolBytes: number(values, 'kv_cache_config.max_gpu_total_bytes'),
    maxCacheTokens: number(values, 'kv_cache_config.max_tokens'),
  });
}

export function readTrtQuantization(values: TrtValues): Planned<QuantizationSpec> {
  const entry = values.entry('dtype');
  const dtype = dtypeOf(values.text('dtype') ?? '');
  const algorithm = values.entry('quant_config.quant_algo');
  const word = values.text('quant_config.quant_algo');
  return present<Planned<QuantizationSpec>>({
    baseDType: entry === undefined || dtype === undefined ? undefined : written(dtype, entry),
    source: algorithm === undefined || word === undefined ? undefined : written(word, algorithm),
  });
}

/** Slots beyond one an expert; known once the model is, so only the file that names them is read here. */
export function readTrtExperts(values: TrtValues): Planned<ExpertsSpec> {
  const entry = values.entry('moe_config.load_balancer');
  const path = values.text('moe_config.load_balancer');
  const balanced = entry !== undefined && entry.value.kind !== 'scalar' ? entry : undefined;
  return present<Planned<ExpertsSpec>>({
    algorithm:
      entry === undefined
        ? byDefault('trivial', 'experts stay in order')
        : derived('eplb', 'load_balancer places experts', entry),
    locationFile: entry === undefined || path === undefined ? undefined : written(path, entry),
    dispatch: balanced === undefined ? undefined : derived('dynamic', 'load_balancer routes to copies', balanced),
  });
}

/** Redundant slots follow from the number of experts. */
export function completeTrt(values: TrtValues): (plan: Plan, known: Known) => Plan {
  return (plan, known) => {
    const entry = values.entry('moe_config.load_balancer.num_slots');
    const slots = values.integer('moe_config.load_balancer.num_slots');
    const experts = known.model.experts?.value;
    const length = known.model.maxPositions;
    const serving =
      plan.serving.contextLength === undefined && length !== undefined && !values.unknown('max_seq_len')
        ? { ...plan.serving, contextLength: byDefault(length.value, "the model's own length") }
        : plan.serving;
    if (entry === undefined || slots === undefined || experts === undefined || experts < 1 || slots < experts)
      return { ...plan, serving };
    return {
      ...plan,
      serving,
      experts: { ...plan.experts, redundant: derived(slots - experts, 'num_slots less the experts', entry) },
    };
  };
}
