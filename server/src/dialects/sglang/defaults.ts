import type { Known } from '../dialect';
import type { Plan, Sourced } from '../../plan/plan';
import { byDefault, derived } from '../common/sourced';
import type { SglangArguments } from './arguments';
import type { SglangDegrees } from './layout';

const MIB = 2 ** 20;
/** Upper bounds in GiB with prefill piece and largest captured decode batch, for TP below 4 and from 4 on. */
const BY_MEMORY: readonly {
  readonly below: number;
  readonly chunk: number;
  readonly small: number;
  readonly large: number;
}[] = [
  { below: 20, chunk: 2048, small: 8, large: 8 },
  { below: 35, chunk: 2048, small: 24, large: 80 },
  { below: 60, chunk: 4096, small: 32, large: 160 },
  { below: 160, chunk: 8192, small: 256, large: 512 },
  { below: Infinity, chunk: 16384, small: 512, large: 512 },
];

/** Prefill piece (tokens) and largest captured decode batch (requests) that SGLang takes for a GPU. Source: server_args.py, `_handle_gpu_memory_settings`. */
export function deviceDefaults(
  memoryBytes: number,
  tensor: number,
): { readonly chunk: number; readonly decodeBatch: number } {
  const gib = memoryBytes / 2 ** 30;
  const row = BY_MEMORY.find(({ below }) => gib < below) ?? { chunk: 16384, small: 512, large: 512 };
  return { chunk: row.chunk, decodeBatch: tensor < 4 ? row.small : row.large };
}

export interface FractionInput {
  readonly memoryBytes: number;
  readonly tensor: number;
  readonly pipeline: number;
  /** Data ranks of DP attention; 1 without it. */
  readonly attentionData: number;
  /** Prefill piece before DP attention divides it; at most 0 when chunking is off. */
  readonly chunk: number;
  readonly decodeBatch: number;
  readonly mla: boolean;
  readonly deepep: boolean;
  readonly decodeGraphs: boolean;
  readonly prefillGraphs: boolean;
  /** A decode-only server reserves for its batch instead of for a prefill piece: requests × draft tokens. */
  readonly decodeTokens?: number;
}

/** Prefill batch sizes that SGLang captures up to `chunk` tokens, as a count. Source: server_args.py, the generator of prefill graph sizes. */
function prefillSizes(chunk: number): number {
  const spans = [
    [4, 32, 4],
    [48, 256, 16],
    [288, 512, 32],
    [576, 1024, 64],
    [1280, 4096, 256],
    [4608, Infinity, 512],
  ] as const;
  return spans.reduce(
    (count, [from, to, step]) => count + Math.max(0, Math.floor((Math.min(to, chunk) - from) / step) + 1),
    0,
  );
}

/**
 * `mem_fraction_static` when nobody sets it: one minus a reserve for activations, graphs and communication, to three digits.
 * All reserves are in MiB. Source: server_args.py, `_handle_gpu_memory_settings` and `reserve_for_graph_mb`.
 */
export function defaultFraction(input: FractionInput): number {
  const memory = input.memoryBytes / MIB;
  const { decodeBatch, attentionData } = input;
  let reserved =
    512 + 1.5 * Math.max(input.decodeTokens ?? input.chunk, 2048) + (input.tensor * input.pipeline * 1024) / 8;
  if (input.decodeGraphs && input.decodeTokens === undefined) reserved += decodeBatch * 2;
  if (input.decodeGraphs && input.decodeTokens !== undefined) reserved += decodeBatch * 2;
  if (attentionData > 1) reserved += decodeBatch * attentionData * (decodeBatch > 300 ? 4.5 : 3);
  if (input.prefillGraphs) reserved += input.mla ? 1536 : 8 * prefillSizes(Math.max(input.chunk, 0));
  if (memory > 61_440) reserved = Math.max(reserved, 10_240);
  if (input.decodeGraphs && input.deepep) reserved += 2048;
  const fraction = Math.round(((memory - reserved) / memory) * 1000) / 1000;
  return fraction > 0 && fraction < 1 ? fraction : 0.88;
}

function graphsOff(args: SglangArguments, phase: 'decode' | 'prefill'): boolean {
  return (
    args.flag('disable-cuda-graph') ||
    args.flag(`disable-${phase}-cuda-graph`) ||
    args.text(`cuda-graph-backend-${phase}`) === 'disabled'
  );
}

/** Sparse attention (DeepSeek-V3.2) decides page size, format and layout of the cache. Source: arg_groups/overrides.py, `_deepseek_family_overrides`, `_dsa_kv_cache_dtype_default`. */
function sparseCache(plan: Plan, known: Known): Partial<Plan['serving']> {
  if (known.model.indexTopk === undefined) return {};
  const stated = plan.serving.kvDType?.origin === 'file';
  const fp8 = stated ? plan.serving.kvDType?.value === 'F8_E4M3' : (known.computeCapability ?? 0) >= 100;
  const page = plan.serving.pageSize;
  return {
    ...(page?.value === 64
      ? {}
      : {
          pageSize: {
            ...derived(64, 'sparse attention sets the page size to 64'),
            ...(page?.at === undefined ? {} : { at: page.at }),
          },
        }),
    ...(stated || known.computeCapability === undefined
      ? {}
      : {
          kvDType: derived(
            fp8 ? 'F8_E4M3' : 'BF16',
            'sparse attention keeps its cache in FP8 from Blackwell on, else in BF16',
          ),
        }),
    ...(fp8 ? { kvLayout: derived('fp8-ds-mla', 'the FP8 cache record of sparse attention') } : {}),
  };
}

/** fa4 on Blackwell reads pages of 128 tokens where attention is not MLA. Source: arg_groups/overrides.py, `_fa4_page_constraint`. */
function wholePages(args: SglangArguments, plan: Plan, known: Known): Partial<Plan['serving']> {
  const flags = ['attention-backend', 'decode-attention-backend', 'prefill-attention-backend'];
  const flag = flags.find((name) => args.text(name) === 'fa4');
  const major = Math.floor((known.computeCapability ?? 0) / 10);
  const other = known.model.attention?.value !== 'gqa' || (args.integer('speculative-eagle-topk') ?? 0) > 1;
  const page = plan.serving.pageSize;
  if (flag === undefined || major !== 10 || other || page?.value === 128) return {};
  return {
    pageSize: {
      ...derived(128, `${flag} fa4 sets the page size to 128 on this GPU`),
      ...(page?.at === undefined ? {} : { at: page.at }),
    },
  };
}

/** Fills what SGLang takes from the device and the model: prefill piece, graph sizes, memory fraction, sparse cache, and what `quantization: fp8` means. */
export function completeSglang(args: SglangArguments, degrees: SglangDegrees): (plan: Plan, known: Known) => Plan {
  return (plan, known) => {
    const serving: { -readonly [K in keyof Plan['serving']]: Plan['serving'][K] } = {
      ...plan.serving,
      ...sparseCache(plan, known),
      ...wholePages(args, plan, known),
    };
    const { memoryBytes } = known;
    if (
      memoryBytes !== undefined &&
      memoryBytes > 0 &&
      degrees.tensor !== undefined &&
      degrees.pipeline !== undefined
    ) {
      const device = deviceDefaults(memoryBytes, degrees.tensor);
      const data = degrees.attentionData ? (degrees.data ?? 1) : 1;
      const asked = args.integer('chunked-prefill-size');
      const chunk = asked ?? device.chunk;
      const from = 'SGLang takes it from the GPU memory';
      if (!args.unknown('chunked-prefill-size') && asked === undefined) {
        serving.chunkedPrefill ??= byDefault(
          Math.max(1, Math.floor(chunk / data)),
          data > 1 ? `${from}: ${chunk} divided by dp-size ${data}` : from,
        );
      }
      const decodeGraphs = !graphsOff(args, 'decode');
      if (!decodeGraphs) serving.cudaGraphMaxBatch = derived(0, 'decode CUDA graphs are off');
      else serving.cudaGraphMaxBatch ??= byDefault(device.decodeBatch, from);
      const decodeBatch = decodeGraphs ? serving.cudaGraphMaxBatch.value : device.decodeBatch;
      const draft = serving.speculativeTokens?.value ?? 1;
      const decodeOnly = args.text('disaggregation-mode') === 'decode';
      serving.memoryFraction ??= fractionDefault({
        memoryBytes,
        tensor: degrees.tensor,
        pipeline: degrees.pipeline,
        attentionData: data,
        chunk,
        decodeBatch,
        mla: known.model.attention?.value === 'mla',
        deepep: degrees.a2aBackend === 'deepep',
        decodeGraphs,
        prefillGraphs: !graphsOff(args, 'prefill') && !decodeOnly,
        ...(decodeOnly ? { decodeTokens: (args.integer('max-running-requests') ?? decodeBatch) * draft } : {}),
      });
    }
    return { ...plan, serving, quantization: onlineFp8(plan) };
  };
}

function fractionDefault(input: FractionInput): Sourced<number> {
  return byDefault(defaultFraction(input), "SGLang's reserve for activations and graphs on this GPU");
}

/** `quantization: fp8` over a checkpoint without FP8 scales: SGLang quantizes while loading, one scale a tensor. */
function onlineFp8(plan: Plan): Plan['quantization'] {
  const { source, method } = plan.quantization;
  if (source?.origin !== 'file' || source.value !== 'fp8' || (method !== undefined && method.value !== 'none'))
    return plan.quantization;
  return {
    ...plan.quantization,
    method: {
      value: 'fp8-tensor',
      origin: 'derived',
      note: 'weights are quantized while loading',
      ...(source.at === undefined ? {} : { at: source.at }),
    },
  };
}
