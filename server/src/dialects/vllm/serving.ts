import type { DType, QuantizationSpec } from '../../engine/spec/numbers';
import type { ExpertsSpec, ServingSpec } from '../../engine/spec/serving';
import type { Known } from '../dialect';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, derived, present, written } from '../common/sourced';
import { switchOf } from './layout';
import { overriddenModel } from './overrides';
import type { VllmArguments } from './values';

const DEFAULT = "vLLM's default";
const GIB = 2 ** 30;

const KV_DTYPES: Readonly<Record<string, DType>> = {
  float16: 'F16',
  bfloat16: 'BF16',
  fp8: 'F8_E4M3',
  fp8_e4m3: 'F8_E4M3',
  fp8_e5m2: 'F8_E5M2',
  fp8_inc: 'F8_E4M3',
  fp8_ds_mla: 'F8_E4M3',
  fp8_per_token_head: 'F8_E4M3',
  int8_per_token_head: 'I8',
  int4_per_token_head: 'I4',
  nvfp4: 'F4_E2M1',
  nvfp4_4over6: 'F4_E2M1',
};

function kvDType(args: VllmArguments, cache: DType | undefined): Sourced<DType> | undefined {
  const entry = args.entry('kv-cache-dtype');
  const text = args.text('kv-cache-dtype');
  if (entry === undefined || text === 'auto')
    return cache !== undefined
      ? derived(cache, 'auto follows the checkpoint, which brings scales for the cache', entry)
      : entry === undefined
        ? byDefault('BF16', 'auto follows the model')
        : derived('BF16', 'auto follows the model', entry);
  const dtype = text === undefined ? undefined : KV_DTYPES[text];
  return dtype === undefined ? undefined : written(dtype, entry);
}

function sized(args: VllmArguments, name: string): Sourced<number> | undefined {
  const entry = args.entry(name);
  const value = args.size(name);
  return entry === undefined || value === undefined || value <= 0 ? undefined : written(value, entry);
}

function number(args: VllmArguments, name: string, otherwise: number): Sourced<number> | undefined {
  const entry = args.entry(name);
  if (entry === undefined) return byDefault(otherwise, DEFAULT);
  const value = args.number(name);
  return value === undefined ? undefined : written(value, entry);
}

function toggle(args: VllmArguments, name: string, otherwise: boolean): Sourced<boolean> | undefined {
  const entry = args.entry(name);
  if (entry === undefined) return byDefault(otherwise, DEFAULT);
  const on = switchOf(args, name);
  return on === undefined ? undefined : written(on, entry);
}

function stateDType(args: VllmArguments): Sourced<DType> | undefined {
  const entry = args.entry('mamba-ssm-cache-dtype');
  const dtype = dtypeOf(args.text('mamba-ssm-cache-dtype') ?? '');
  return entry === undefined || dtype === undefined ? undefined : written(dtype, entry);
}

/** Largest batch with a CUDA graph, where arguments say it. Source: vllm/config/vllm.py, `_set_cudagraph_sizes`. */
function graphBatch(args: VllmArguments): Sourced<number> | undefined {
  const eager = args.entry('enforce-eager');
  if (eager !== undefined && switchOf(args, 'enforce-eager') === true)
    return derived(0, 'enforce-eager captures no CUDA graphs', eager);
  for (const name of ['max-cudagraph-capture-size', 'compilation-config.max_cudagraph_capture_size']) {
    const found = sized(args, name);
    if (found !== undefined) return found;
  }
  for (const name of ['cudagraph-capture-sizes', 'compilation-config.cudagraph_capture_sizes']) {
    const entry = args.entry(name);
    const sizes = args.words(name)?.map(Number) ?? [];
    if (entry !== undefined && sizes.length > 0 && sizes.every((size) => Number.isInteger(size)))
      return derived(Math.max(...sizes), 'the largest captured size', entry);
  }
  return undefined;
}

function speculativeTokens(args: VllmArguments): Sourced<number> | undefined {
  for (const name of ['speculative-config.num_speculative_tokens', 'spec-tokens']) {
    const entry = args.entry(name);
    const value = args.integer(name);
    if (entry !== undefined && value !== undefined && value >= 0) return written(value, entry);
  }
  return undefined;
}

/** What vLLM will serve with as far as the arguments alone decide it; the rest follows once the GPU is known. */
export function readVllmServing(args: VllmArguments, cache?: DType): Planned<ServingSpec> {
  const record = args.entry('kv-cache-dtype');
  return present<Planned<ServingSpec>>({
    stack: derived('vllm', 'a vLLM file'),
    kvDType: kvDType(args, cache),
    kvLayout:
      record !== undefined && args.text('kv-cache-dtype') === 'fp8_ds_mla'
        ? derived('fp8-ds-mla', 'the FP8 cache record of sparse attention', record)
        : byDefault('plain', DEFAULT),
    pageSize: args.entry('block-size') === undefined ? byDefault(16, DEFAULT) : sized(args, 'block-size'),
    memoryFraction: number(args, 'gpu-memory-utilization', 0.92),
    contextLength: sized(args, 'max-model-len'),
    maxConcurrency: sized(args, 'max-num-seqs'),
    chunkedPrefill: sized(args, 'max-num-batched-tokens'),
    cudaGraphMaxBatch: graphBatch(args),
    speculativeTokens: speculativeTokens(args),
    eager: toggle(args, 'enforce-eager', false),
    decodeContext: sized(args, 'decode-context-parallel-size'),
    prefixCaching: toggle(args, 'enable-prefix-caching', true),
    stateDType: stateDType(args),
    uniformCache: toggle(args, 'disable-hybrid-kv-cache-manager', false),
    poolBytes: sized(args, 'kv-cache-memory-bytes'),
    languageOnly: toggle(args, 'language-model-only', false),
  });
}

const METHODS: Readonly<Record<string, QuantizationSpec['method']>> = {
  awq: 'int4-group',
  auto_awq: 'int4-group',
  awq_marlin: 'int4-group',
  gptq: 'int4-group',
  auto_gptq: 'int4-group',
  gptq_marlin: 'int4-group',
  moe_wna16: 'int4-group',
  bitsandbytes: 'bnb-4bit',
  mxfp4: 'mxfp4',
  gpt_oss_mxfp4: 'mxfp4',
  mxfp8: 'mxfp8',
  modelopt_mxfp8: 'mxfp8',
  modelopt_fp4: 'nvfp4',
  modelopt: 'fp8-tensor',
  fp8_per_tensor: 'fp8-tensor',
  fp8_per_channel: 'fp8-channel',
  fp8_per_block: 'fp8-block',
  int8_per_channel_weight_only: 'int8',
};

/** `--quantization`: vLLM's word is kept; the storage scheme only where the word decides it. `fp8` over an FP8 checkpoint keeps its blocks. */
export function readVllmQuantization(args: VllmArguments): Planned<QuantizationSpec> {
  const entry = args.entry('quantization');
  const word = args.text('quantization');
  const base = args.entry('dtype');
  const dtype = dtypeOf(args.text('dtype') ?? '');
  const method = word === undefined ? undefined : METHODS[word];
  return present<Planned<QuantizationSpec>>({
    source: entry === undefined || word === undefined ? undefined : written(word, entry),
    method: entry === undefined || method === undefined ? undefined : written(method, entry),
    baseDType: base === undefined || dtype === undefined ? undefined : written(dtype, base),
  });
}

/** Redundant experts and their placement. */
export function readVllmExperts(args: VllmArguments): Planned<ExpertsSpec> {
  const entry = args.entry('eplb-config.num_redundant_experts');
  const redundant = args.integer('eplb-config.num_redundant_experts');
  const balanced = args.entry('enable-eplb');
  return present<Planned<ExpertsSpec>>({
    redundant:
      entry === undefined
        ? byDefault(0, DEFAULT)
        : redundant === undefined || redundant < 0
          ? undefined
          : written(redundant, entry),
    algorithm:
      balanced !== undefined && switchOf(args, 'enable-eplb') === true
        ? derived('eplb', 'enable-eplb balances experts', balanced)
        : byDefault('trivial', 'experts stay in order'),
  });
}

/** Sequences and tokens of a step that vLLM takes from the GPU. Source: vllm/engine/arg_utils.py, `EngineArgs.get_batch_defaults`. */
export function batchDefaults(
  memoryBytes: number,
  capability: number | undefined,
): { readonly tokens: number; readonly sequences: number } {
  const gib = memoryBytes / GIB;
  if (gib >= 160) return { tokens: 16_384, sequences: 1024 };
  return gib >= 70 && capability !== 80 ? { tokens: 8192, sequences: 1024 } : { tokens: 2048, sequences: 256 };
}

/** Fills what vLLM takes from the GPU and the model. */
export function completeVllm(args: VllmArguments): (plan: Plan, known: Known) => Plan {
  return (plan, known) => {
    const model = overriddenModel(plan, args);
    const serving: { -readonly [K in keyof Plan['serving']]: Plan['serving'][K] } = { ...plan.serving };
    const length = model.maxPositions ?? known.model.maxPositions;
    if (serving.contextLength === undefined && !args.unknown('max-model-len') && length !== undefined)
      serving.contextLength = byDefault(length.value, "the model's own length");
    if (known.memoryBytes !== undefined && known.memoryBytes > 0) {
      const device = batchDefaults(known.memoryBytes, known.computeCapability);
      const note = 'vLLM takes it from the GPU memory';
      if (!args.unknown('max-num-batched-tokens')) serving.chunkedPrefill ??= byDefault(device.tokens, note);
      if (!args.unknown('max-num-seqs')) serving.maxConcurrency ??= byDefault(device.sequences, note);
    }
    const { source, method } = plan.quantization;
    const online =
      source?.origin === 'file' && source.value === 'fp8' && (method === undefined || method.value === 'none');
    const quantization: Plan['quantization'] = online
      ? {
          ...plan.quantization,
          method: { value: 'fp8-tensor', origin: 'derived', note: 'weights are quantized while loading' },
        }
      : plan.quantization;
    return { ...plan, model, serving, quantization };
  };
}
