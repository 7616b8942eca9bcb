import type { ServingSpec } from '../../engine/spec/serving';
import type { DType, QuantizationSpec } from '../../engine/spec/numbers';
import type { Planned, Sourced } from '../../plan/plan';
import { dtypeOf } from '../common/dtypes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { SglangArguments } from './arguments';
import type { SglangDegrees } from './layout';

const DEFAULT = "SGLang's default";

/** Cache pages that attention backends insist on: allowed sizes, and what others become (SGLang arg_groups/overrides.py, `_mla_backend_page_constraints`). */
const PAGES: Readonly<Record<string, { readonly allowed: readonly number[]; readonly becomes: number }>> = {
  flashmla: { allowed: [64], becomes: 64 },
  cutlass_mla: { allowed: [128], becomes: 128 },
  trtllm_mla: { allowed: [32, 64], becomes: 64 },
  tokenspeed_mla: { allowed: [32, 64], becomes: 64 },
  cutedsl_mla: { allowed: [32, 64], becomes: 64 },
  trtllm_mha: { allowed: [16, 32, 64, 128], becomes: 64 },
};

function pageSize(args: SglangArguments): Sourced<number> | undefined {
  const entry = args.entry('page-size');
  const asked = entry === undefined ? 1 : args.integer('page-size');
  if (asked === undefined) return undefined;
  for (const flag of ['attention-backend', 'decode-attention-backend', 'prefill-attention-backend']) {
    const backend = args.text(flag);
    const rule = backend === undefined ? undefined : PAGES[backend];
    if (rule === undefined || rule.allowed.includes(asked)) continue;
    return derived(
      rule.becomes,
      `${flag} ${backend ?? ''} sets the page size to ${rule.becomes}${entry === undefined ? '' : `, ${asked} was written`}`,
      entry ?? args.entry(flag),
    );
  }
  return entry === undefined ? byDefault(1, DEFAULT) : written(asked, entry);
}

function kvDType(args: SglangArguments): Sourced<DType> | undefined {
  const entry = args.entry('kv-cache-dtype');
  const text = args.text('kv-cache-dtype');
  if (entry === undefined) return byDefault('BF16', 'auto follows the model');
  if (text === 'auto') return derived('BF16', 'auto follows the model', entry);
  const dtype = text === undefined ? undefined : dtypeOf(text);
  return dtype === undefined ? undefined : written(dtype, entry);
}

function chunkedPrefill(args: SglangArguments, degrees: SglangDegrees): Sourced<number> | undefined {
  const entry = args.entry('chunked-prefill-size');
  const asked = args.integer('chunked-prefill-size');
  if (entry === undefined || asked === undefined || asked <= 0) return undefined;
  if (!degrees.attentionData || degrees.data === undefined || degrees.data < 1) return written(asked, entry);
  const share = Math.floor(asked / degrees.data);
  return derived(share, `data-parallel attention divides ${asked} by dp-size ${degrees.data}`, entry);
}

function memoryFraction(args: SglangArguments): Sourced<number> | undefined {
  const entry = args.entry('mem-fraction-static');
  const asked = args.number('mem-fraction-static');
  if (entry === undefined || asked === undefined) return undefined;
  const context = args.integer('context-length') ?? 0;
  if (args.text('attention-backend') === 'aiter' && context > 8192)
    return derived(asked * 0.85, 'the aiter backend lowers the fraction to 85 % beyond 8,192 tokens of context', entry);
  return written(asked, entry);
}

function concurrency(args: SglangArguments, degrees: SglangDegrees): Sourced<number> | undefined {
  const entry = args.entry('max-running-requests');
  const asked = args.integer('max-running-requests');
  if (entry !== undefined) {
    if (asked === undefined) return undefined;
    const share =
      degrees.attentionData && degrees.data !== undefined
        ? `${Math.floor(asked / degrees.data)} on each of ${degrees.data} data ranks`
        : undefined;
    return written(asked, entry, share);
  }
  const speculation = args.entry('speculative-algorithm');
  return speculation === undefined || args.text('speculative-algorithm') === undefined
    ? undefined
    : derived(
        48,
        'speculative decoding caps the server at 48 requests unless max-running-requests is set',
        speculation,
      );
}

function speculativeTokens(args: SglangArguments): Sourced<number> | undefined {
  const entry = args.entry('speculative-num-draft-tokens');
  const asked = args.integer('speculative-num-draft-tokens');
  const steps = args.integer('speculative-num-steps');
  if (steps !== undefined && args.integer('speculative-eagle-topk') === 1 && asked !== steps + 1) {
    return derived(
      steps + 1,
      `with speculative-eagle-topk 1 the draft tokens are steps + 1${asked === undefined ? '' : `, ${asked} was written`}`,
      entry ?? args.entry('speculative-num-steps'),
    );
  }
  return entry === undefined || asked === undefined ? undefined : written(asked, entry);
}

function size(args: SglangArguments, flag: string): Sourced<number> | undefined {
  const entry = args.entry(flag);
  const value = args.integer(flag);
  return entry === undefined || value === undefined || value < 0 ? undefined : written(value, entry);
}

function dataHead(args: SglangArguments, degrees: SglangDegrees): Sourced<boolean> {
  const entry = args.entry('enable-dp-lm-head');
  if (entry === undefined || !args.flag('enable-dp-lm-head')) return byDefault(false, DEFAULT);
  return degrees.attentionData
    ? written(true, entry)
    : derived(false, 'enable-dp-lm-head does nothing without data-parallel attention', entry);
}

/** What SGLang will really serve with, as far as the arguments alone decide it. Source: python/sglang/srt/server_args.py and arg_groups/overrides.py. */
export function readServing(args: SglangArguments, degrees: SglangDegrees): Planned<ServingSpec> {
  return present<Planned<ServingSpec>>({
    stack: derived('sglang', 'an SGLang file'),
    kvDType: kvDType(args),
    kvLayout: byDefault('plain', DEFAULT),
    pageSize: pageSize(args),
    memoryFraction: memoryFraction(args),
    contextLength: size(args, 'context-length'),
    maxConcurrency: concurrency(args, degrees),
    chunkedPrefill: chunkedPrefill(args, degrees),
    cudaGraphMaxBatch: size(args, 'cuda-graph-max-bs-decode'),
    denseTensor: size(args, 'moe-dense-tp-size'),
    dataParallelLmHead: dataHead(args, degrees),
    speculativeTokens: speculativeTokens(args),
  });
}

const METHODS: Readonly<Record<string, QuantizationSpec['method']>> = {
  awq: 'int4-group',
  gptq: 'int4-group',
  marlin: 'int4-group',
  gptq_marlin: 'int4-group',
  awq_marlin: 'int4-group',
  moe_wna16: 'int4-group',
  bitsandbytes: 'bnb-4bit',
  w8a8_int8: 'int8',
  w8a8_fp8: 'fp8-channel',
  mxfp8: 'mxfp8',
  mxfp4: 'mxfp4',
  modelopt_fp4: 'nvfp4',
  petit_nvfp4: 'nvfp4',
  nvfp4_online: 'nvfp4',
  modelopt_fp8: 'fp8-tensor',
  unquant: 'none',
};

/**
 * `--quantization`: the framework's word is kept; the storage scheme only where the word decides it.
 * `fp8` alone does not: a checkpoint in 128 × 128 blocks stays so, an unquantized one gets one scale a tensor while loading.
 */
export function readQuantization(args: SglangArguments): Planned<QuantizationSpec> {
  const entry = args.entry('quantization');
  const word = args.text('quantization');
  const dtypeEntry = args.entry('dtype');
  const dtype = dtypeOf(args.text('dtype') ?? '');
  const method = word === undefined ? undefined : METHODS[word];
  return present<Planned<QuantizationSpec>>({
    source: entry === undefined || word === undefined ? undefined : written(word, entry),
    method: entry === undefined || method === undefined ? undefined : written(method, entry),
    baseDType: dtypeEntry === undefined || dtype === undefined ? undefined : written(dtype, dtypeEntry),
  });
}
