import { findModel } from '../../../server/src/dialects/presets';
import { modelFromConfig, specOf } from '../../../server/src/dialects/hf-config/model';
import type { ServingInput } from '../../../server/src/engine/memory/input';
import { cacheCells } from '../../../server/src/engine/memory/kv-cache';
import { GIB } from '../../../server/src/engine/memory/ledger';
import { estimateServing } from '../../../server/src/engine/memory/serving';
import { capacityOf } from '../../../server/src/engine/memory/serving-cache';
import { servingStages } from '../../../server/src/engine/memory/serving-weights';
import type { EncoderSpec } from '../../../server/src/engine/model/encoder';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { ClusterSpec } from '../../../server/src/engine/spec/cluster';
import type { LayoutSpec } from '../../../server/src/engine/spec/layout';
import type { QuantizationSpec } from '../../../server/src/engine/spec/numbers';
import type { ServingSpec } from '../../../server/src/engine/spec/serving';
import { resolveQuantization } from '../../../server/src/plan/resolve-model';
import { parseConfig } from '../../../server/src/syntax/parse';
import { readFileSync } from 'node:fs';
import { sharedJson, sharedPath } from '../../shared';
import { layoutOf } from './memory-input';

/** One log of a serving engine. */
export interface MeasuredInferenceRow {
  readonly id: string;
  readonly framework: string;
  readonly version: string;
  readonly model: string;
  readonly gpu: string;
  readonly config: string;
  readonly measured: Readonly<Record<string, number | string>>;
}

/** One figure of a log beside ours. */
export interface InferenceReading {
  readonly id: string;
  readonly framework: string;
  readonly model: string;
  /** Bytes of weights, tokens or bytes of the cache from the config alone, or tokens that a logged number of bytes holds. */
  readonly figure: 'weights' | 'capacity' | 'cells';
  readonly unit: 'GiB' | 'tokens';
  readonly measured: number;
  readonly predicted: number;
  /** Percent of the measured figure. */
  readonly error: number;
}

/** A log that states too little, or a model whose shape is not published. */
export interface InferenceOmission {
  readonly id: string;
  readonly model: string;
  readonly figure: string;
  readonly reason: string;
}

export interface InferenceTable {
  readonly readings: readonly InferenceReading[];
  readonly omissions: readonly InferenceOmission[];
}

export function measuredInferenceRows(): MeasuredInferenceRow[] {
  return sharedJson<MeasuredInferenceRow[]>('truth', 'measured-inference.json');
}

type Figures = Partial<
  Record<InferenceReading['figure'], { unit: InferenceReading['unit']; measured: number; bytes?: number }>
>;

/** What a row was run with, and which of its figures can be computed. */
interface Job {
  readonly input?: ServingInput;
  readonly figures: Figures;
  /** A second run that the same row tells of. */
  readonly more?: { readonly input: ServingInput; readonly figures: Figures };
  /** Why a figure of the row, or the whole row, is not computed. */
  readonly omitted?: Readonly<Record<string, string>>;
}

interface Model {
  readonly model: ModelSpec;
  readonly quantization: QuantizationSpec;
}

function preset(name: string, changes: Partial<ModelSpec> = {}, quantization?: QuantizationSpec): Model {
  const found = findModel(name);
  const spec = found === undefined ? undefined : specOf(found.model).spec;
  if (found === undefined || spec === undefined) throw new Error(`no preset ${name}`);
  return {
    model: { ...spec, ...changes },
    quantization: quantization ?? resolveQuantization(found.quantization, []),
  };
}

/** A published config of the corpus. */
function published(file: string, quantization?: QuantizationSpec): Model | undefined {
  const path = sharedPath('corpus', 'inference', 'hf-config', file);
  if (path === undefined) return undefined;
  const read = modelFromConfig(parseConfig(readFileSync(path, 'utf8'), 'json'));
  const { spec } = specOf(read.model);
  return spec === undefined
    ? undefined
    : { model: spec, quantization: quantization ?? resolveQuantization(read.quantization, []) };
}

function device(gpu: string, gib: number, more: Partial<ClusterSpec> = {}): ClusterSpec {
  return { gpu, memoryBytes: gib * GIB, gpus: 1, gpusPerNode: 8, nodes: 1, ...more };
}

function job(
  { model, quantization }: Model,
  layout: Partial<LayoutSpec>,
  serving: Partial<ServingSpec> & Pick<ServingSpec, 'stack'>,
  cluster: ClusterSpec | undefined,
): ServingInput {
  const size = (layout.tensor ?? 1) * (layout.pipeline ?? 1);
  return {
    model,
    quantization,
    layout: layoutOf({ worldSize: size, ...layout }),
    serving: { kvDType: 'BF16', kvLayout: 'plain', pageSize: 16, ...serving },
    ...(cluster === undefined ? {} : { cluster }),
  };
}

const H200 = 139.8;
const AWQ: QuantizationSpec = {
  method: 'int4-group',
  groupSize: 128,
  source: 'awq',
  baseDType: 'F16',
  scaleDType: 'F16',
  zeroPoints: true,
};

/** Inferact's release of Qwen3.8-27B: NVFP4 without the joint projections of linear attention (26.38 GB on disk with its MTP head). */
const QWEN38: QuantizationSpec = {
  method: 'nvfp4',
  groupSize: 16,
  baseDType: 'BF16',
  source: 'modelopt',
  excluded: ['lm_head', '*.linear_attn.in_proj_qkv', '*.linear_attn.in_proj_z', 'mtp*'],
};

/** Qwen3.5's vision tower, from the `vision_config` beside the language model's. */
const QWEN_TOWER: EncoderSpec = {
  layers: 27,
  hiddenSize: 1152,
  intermediateSize: 4304,
  patchValues: 3 * 2 * 16 * 16,
  positions: 2304,
  mergedPatches: 4,
  outputSize: 5120,
  gatedMlp: false,
};

function number(row: MeasuredInferenceRow, key: string): number {
  const value = row.measured[key];
  if (typeof value !== 'number') throw new Error(`${row.id} states no ${key}`);
  return value;
}

type Describe = (row: MeasuredInferenceRow) => Job;

const tokens = (row: MeasuredInferenceRow): Figures => ({
  capacity: { unit: 'tokens', measured: number(row, 'kv_tokens') },
});

/** nvidia-smi and CUDA count 32,607 MiB, of which 31.4 GiB are free at the start; vLLM takes its share of the total. */
const RTX_5090 = device('RTX 5090', 32_607 / 1024, { computeCapability: 120 });

function qwen38(serving: Partial<ServingSpec>): Describe {
  return (row) => {
    const model = published('Qwen--Qwen3.5-27B_config.json', QWEN38);
    if (model === undefined) return { figures: {}, omitted: { row: 'needs the config in the corpus' } };
    const input = job(
      { ...model, model: { ...model.model, encoder: QWEN_TOWER } },
      {},
      {
        stack: 'vllm',
        kvDType: 'F8_E4M3',
        contextLength: 32_768,
        eager: true,
        version: '0.26.1',
        ...serving,
      },
      RTX_5090,
    );
    return { input, figures: tokens(row) };
  };
}

const kimi: Describe = (row) => ({
  input: job(
    preset('Kimi-K2-Thinking'),
    { tensor: 8 },
    { stack: 'vllm', version: '0.11.0', pageSize: 64, ...(row.id === 'M06' ? { decodeContext: 8 } : {}) },
    device('H200', H200),
  ),
  figures: {
    ...tokens(row),
    cells: { unit: 'tokens', measured: number(row, 'kv_tokens'), bytes: number(row, 'available_kv_gib') * GIB },
  },
});

const UNPUBLISHED = 'the config of the model is not published with the log';
const NO_FRACTION = 'the log states neither a memory fraction nor what was free';
const COMPRESSED = 'compressed attention and hyper-connections are not described in the model inventory';

const JOBS: Readonly<Record<string, Describe>> = {
  M05: kimi,
  M06: kimi,
  M07: (row) => ({
    input: job(
      preset('Qwen3-8B'),
      {},
      { stack: 'sglang', pageSize: 64, contextLength: 40_960 },
      // 275.75 GiB were free beside one context.
      device('GB300', number(row, 'avail_before_load') + 0.6),
    ),
    figures: {
      ...tokens(row),
      weights: { unit: 'GiB', measured: number(row, 'weights_gib') },
      cells: {
        unit: 'tokens',
        measured: number(row, 'kv_tokens'),
        bytes: (number(row, 'k_size_gib') + number(row, 'v_size_gib')) * GIB,
      },
    },
  }),
  M11: qwen38({}),
  M12: qwen38({ languageOnly: true }),
  M13: qwen38({ languageOnly: true, maxConcurrency: 8 }),
  // The 112 blocks of M12, not the 126 of M13, over the 48 blocks that 32,768 tokens take in BF16 are the logged figure.
  M14: qwen38({ languageOnly: true, kvDType: 'BF16' }),
  M15: () => ({ figures: {}, omitted: { weights: UNPUBLISHED, capacity: UNPUBLISHED } }),
  M17: (row) => ({
    input: job(
      preset('Llama-2-7b', { vocabSize: 32_064 }, { method: 'fp8-tensor', baseDType: 'F16' }),
      { tensor: 2 },
      { stack: 'tensorrt-llm', kvDType: 'F16', pageSize: 32, maxConcurrency: 8, memoryFraction: 0.9 },
      device('94 GB', number(row, 'total_gib')),
    ),
    figures: {
      ...tokens(row),
      cells: { unit: 'tokens', measured: number(row, 'kv_tokens'), bytes: number(row, 'available_gib') * 0.9 * GIB },
    },
  }),
  M21: (row) => ({
    input: job(
      preset('DeepSeek-V3'),
      { tensor: 16 },
      { stack: 'sglang', pageSize: 1, memoryFraction: 0.93, contextLength: 163_840 },
      device('H20', 95),
    ),
    figures: tokens(row),
  }),
  M23: () => ({
    figures: {},
    omitted: {
      weights: 'two kinds of attention heads are not described in the model inventory',
      capacity: 'two kinds of attention heads are not described in the model inventory',
    },
  }),
  M25: (row) => ({
    input: job(
      preset('gpt-oss-120b'),
      {},
      {
        stack: 'vllm',
        version: '0.11.0',
        memoryFraction: 0.95,
        chunkedPrefill: 1024,
        contextLength: 131_072,
      },
      device('H100', 79.18),
    ),
    figures: { capacity: { unit: 'GiB', measured: number(row, 'available_kv_gib') } },
  }),
  M26: (row) => ({
    input: job(
      preset('Qwen3-14B'),
      {},
      { stack: 'vllm', version: '0.11.0', contextLength: 32_768 },
      device('A100-40GB', 39.49, { computeCapability: 80 }),
    ),
    figures: {
      ...tokens(row),
      cells: { unit: 'tokens', measured: number(row, 'kv_tokens'), bytes: number(row, 'available_kv_gib') * GIB },
    },
  }),
  M28: (row) => ({
    input: job(preset('Qwen3-30B-A3B'), { tensor: 4 }, { stack: 'vllm', version: '0.8.5' }, undefined),
    figures: { weights: { unit: 'GiB', measured: number(row, 'weights_gib_per_gpu') } },
  }),
  M29: (row) => ({
    input: job(preset('DeepSeek-R1', {}, AWQ), { tensor: 16 }, { stack: 'vllm', version: '0.8.0' }, undefined),
    figures: { weights: { unit: 'GiB', measured: number(row, 'weights_gib_per_gpu') } },
    omitted: { capacity: 'the log states no batch sizes, which decide what a card of 24 GB has left' },
  }),
  M30: () => ({ figures: {}, omitted: { capacity: `${COMPRESSED}; ${NO_FRACTION}` } }),
  M31: () => ({ figures: {}, omitted: { capacity: `${COMPRESSED}; ${NO_FRACTION}` } }),
  M33: () => ({ figures: {}, omitted: { capacity: NO_FRACTION } }),
  M34: () => ({ figures: {}, omitted: { capacity: NO_FRACTION } }),
  M35: () => ({ figures: {}, omitted: { weights: COMPRESSED, capacity: COMPRESSED } }),
  M36: () => ({ figures: {}, omitted: { weights: COMPRESSED, capacity: COMPRESSED } }),
  M38: (row) => {
    const model = published('nvidia--Qwen3.5-397B-A17B-NVFP4_config.json');
    if (model === undefined) return { figures: {}, omitted: { row: 'needs the config in the corpus' } };
    // The script takes its degree from outside; 56 GiB a rank are a quarter of the weights.
    const serving: Partial<ServingSpec> & Pick<ServingSpec, 'stack'> = {
      stack: 'sglang',
      kvDType: 'F8_E4M3',
      stateDType: 'BF16',
      stateSlots: 128,
      pageSize: 1,
    };
    const encoder: EncoderSpec = { ...QWEN_TOWER, outputSize: 4096 };
    const at = (memoryFraction: number): ServingInput =>
      job(
        { ...model, model: { ...model.model, encoder } },
        { tensor: 4 },
        { ...serving, memoryFraction },
        device('RTX PRO 6000', 94.97, { nvlinkBandwidth: 0 }),
      );
    return {
      input: at(0.8),
      figures: {
        weights: { unit: 'GiB', measured: number(row, 'weights_gib_per_gpu') },
        capacity: { unit: 'tokens', measured: number(row, 'kv_tokens_at_0.8') },
      },
      more: {
        input: at(0.7),
        figures: { capacity: { unit: 'tokens', measured: number(row, 'kv_tokens_at_0.7_approx') } },
      },
    };
  },
  M40: () => ({ figures: {}, omitted: { weights: 'a fork that keeps experts on the CPU; no model is named' } }),
  M41: () => ({ figures: {}, omitted: { weights: UNPUBLISHED, capacity: UNPUBLISHED } }),
};

function predictedOf(input: ServingInput, figure: keyof Figures, unit: string, bytes: number | undefined): number {
  if (figure === 'cells') {
    const [stage] = servingStages(input);
    return stage === undefined ? 0 : capacityOf(input, bytes ?? 0, cacheCells(input, stage)).tokens;
  }
  const report = estimateServing(input);
  const fullest = Math.max(...report.classes.map(({ parts }) => parts.weights));
  if (figure === 'weights') return fullest / GIB;
  return unit === 'tokens' ? (report.kvCache?.tokens ?? 0) : (report.classes[0]?.parts.kvCache ?? 0) / GIB;
}

/** Every figure of every row that can be computed, and every one that cannot with its reason. */
export function inferenceTable(rows: readonly MeasuredInferenceRow[] = measuredInferenceRows()): InferenceTable {
  const readings: InferenceReading[] = [];
  const omissions: InferenceOmission[] = [];
  for (const row of rows) {
    const { id, framework, model } = row;
    const described = JOBS[id]?.(row) ?? { figures: {}, omitted: { row: 'the row is not described yet' } };
    for (const [figure, reason] of Object.entries(described.omitted ?? {}))
      omissions.push({ id, model, figure, reason });
    for (const { input, figures } of [described, ...(described.more === undefined ? [] : [described.more])]) {
      if (input === undefined) continue;
      for (const [name, stated] of Object.entries(figures)) {
        const figure = name as InferenceReading['figure'];
        const predicted = predictedOf(input, figure, stated.unit, stated.bytes);
        const error = 100 * (predicted / stated.measured - 1);
        readings.push({ id, framework, model, figure, unit: stated.unit, measured: stated.measured, predicted, error });
      }
    }
  }
  return { readings, omissions };
}
