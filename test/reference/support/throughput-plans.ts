import { findGpu } from '../../../server/src/dialects/presets';
import { balancedStages } from '../../../server/src/engine/cost/balance';
import { machineOf } from '../../../server/src/engine/cost/rates';
import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { ClusterSpec } from '../../../server/src/engine/spec/cluster';
import type { RecomputeSpec, ScheduleKind } from '../../../server/src/engine/spec/training';
import type { Planned } from '../../../server/src/plan/plan';
import { sharedJson } from '../../shared';
import { layoutOf, megatronInput } from './memory-input';
import { bridgeModel } from './throughput-models';
import { overlapsTraffic, statedDispatcher, statedRecompute } from './throughput-recipes';

/** One published measurement in one vocabulary. Degrees that a source leaves out are 1. */
export interface MeasuredRow {
  readonly id: string;
  readonly group: string;
  readonly source: string;
  readonly model: string;
  readonly gpu: string;
  readonly gpus: number;
  readonly precision: string;
  readonly globalBatch?: number;
  readonly microBatch?: number;
  readonly sequence?: number;
  readonly tensor: number;
  readonly pipeline: number;
  readonly context: number;
  readonly virtual: number;
  readonly expert: number;
  readonly fsdp: number;
  readonly task: string;
  /** Months of the software since 2000, a patch release a third of one later, where the source names it. */
  readonly release?: number;
  readonly recompute?: string;
  /** What else a row says of its job that its other fields have no room for. */
  readonly setting?: string;
  readonly tokensPerSecondPerGpu: number;
}

type Raw = Readonly<Record<string, string | number | undefined>>;

function number(value: string | number | undefined, otherwise = 1): number {
  // Some tables give a second precision in brackets; the first number is the headline's.
  const found = Number.parseFloat(String(value ?? ''));
  return Number.isFinite(found) ? found : otherwise;
}

/** `26.04.01 NeMo Container` as months. */
export function releaseOf(text: string): number | undefined {
  const found = /^(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (found === null) return undefined;
  return Number(found[1]) * 12 + Number(found[2]) + Number(found[3] ?? 0) / 3;
}

/** Rows of NeMo's and Megatron-Bridge's performance summaries. */
export function bridgeRows(): MeasuredRow[] {
  return sharedJson<Raw[]>('truth', 'measured-throughput.json').map((row, index) => {
    const release = releaseOf(String(row['container']));
    return {
      id: `T${String(index + 1).padStart(3, '0')}`,
      group: 'megatron-bridge',
      source: 'NVIDIA-NeMo/Megatron-Bridge docs/performance-summary',
      model: String(row['Model']),
      gpu: String(row['System']).replace('DGX-', ''),
      gpus: number(row['#-GPUs']),
      // Older tables name FP8 recipes differently and give two; the headline number is that of current scaling.
      precision: String(row['Precision'] ?? 'FP8')
        .replace(/^FP8-MX$/, 'MXFP8')
        .replace(/^FP8-CS.*/, 'FP8'),
      globalBatch: number(row['GBS']),
      microBatch: number(row['MBS']),
      sequence: number(row['Sequence Length']),
      tensor: number(row['TP']),
      pipeline: number(row['PP']),
      context: number(row['CP']),
      virtual: number(row['VP']),
      expert: number(row['EP']),
      fsdp: number(row['FSDP'], 0),
      task: String(row['task']).split(' ')[0] ?? '',
      ...(release === undefined ? {} : { release }),
      tokensPerSecondPerGpu: number(row['Tokens / sec / GPU'], 0),
    };
  });
}

/** The cluster of so many GPUs of a kind; undefined where no preset has that name. */
export function clusterOf(name: string, gpus: number): ClusterSpec | undefined {
  const preset = findGpu(name);
  if (preset === undefined) return undefined;
  const { cluster } = preset as { cluster: Planned<ClusterSpec> };
  const values = Object.fromEntries(Object.entries(cluster).map(([key, { value }]) => [key, value]));
  const spec = { ...values, gpu: preset.name, gpus } as unknown as ClusterSpec;
  return { ...spec, nodes: Math.ceil(gpus / spec.gpusPerNode) };
}

const RECIPES: readonly [RegExp, Partial<TrainingInput['precision']>][] = [
  [/^NVFP4/i, { compute: 'F4_E2M1', fp8Recipe: 'nvfp4' }],
  [/^(?:MXFP8|FP8-MX)/i, { compute: 'F8_E4M3', fp8Recipe: 'mxfp8' }],
  [/^(?:FP8|Float8)/i, { compute: 'F8_E4M3', fp8Recipe: 'tensorwise', fp8Weights: true }],
  [/^(?:BF16|None|FP16)/i, {}],
];

function recomputeOf(text: string | undefined): RecomputeSpec {
  if (text === undefined || /^(?:none)?$/i.test(text)) return { granularity: 'none' };
  if (/full/i.test(text)) return { granularity: 'full', method: 'uniform', layers: 1 };
  const modules = /core_attn|layernorm|moe_act|mla_up_proj|moe\b/g;
  return { granularity: 'selective', modules: text.match(modules) ?? [] };
}

/** A row as the cost model reads it, or why it cannot be computed. */
export type RowPlan =
  | { readonly row: MeasuredRow; readonly input: TrainingInput; readonly cluster: ClusterSpec }
  | { readonly row: MeasuredRow; readonly reason: string };

function stageKind(row: MeasuredRow): ScheduleKind {
  if (overlapsTraffic(row)) return '1f1b-ep-overlap';
  return row.pipeline > 1 && row.virtual > 1 ? 'interleaved' : '1f1b';
}

function inputOf(row: MeasuredRow, model: ModelSpec, cluster: ClusterSpec): TrainingInput | string {
  const { globalBatch, microBatch, sequence } = row;
  if (globalBatch === undefined || microBatch === undefined || sequence === undefined)
    return 'batch or sequence length not stated';
  const recipe = RECIPES.find(([pattern]) => pattern.test(row.precision));
  if (recipe === undefined) return `precision ${row.precision} not known`;
  const data = row.gpus / (row.tensor * row.pipeline * row.context);
  const microbatches = globalBatch / (data * microBatch);
  if (!Number.isInteger(data) || !Number.isInteger(microbatches))
    return `degrees and batch do not divide ${row.gpus} GPUs`;
  const layout = layoutOf({
    worldSize: row.gpus,
    tensor: row.tensor,
    pipeline: row.pipeline,
    virtualPipeline: row.pipeline > 1 ? row.virtual : 1,
    context: row.context,
    expert: (model.experts ?? 0) > 0 ? row.expert : 1,
    sequenceParallel: row.tensor > 1,
  });
  const details: TrainingDetails = {
    ...(row.task === 'LoRA' ? { lora: { rank: 32 } } : {}),
    // Recipes hide tensor-parallel traffic below products by user buffers, but not under NVFP4 (perf_recipes/llama, `tp_comm_overlap`).
    tensorOverlap: row.tensor > 1 && !/NVFP4/.test(row.precision),
    // Rows with a capacity drop tokens beyond it, so that the host never waits for counts.
    ...statedDispatcher(row),
    ...(/tokendrop/.test(row.model) ? { capacityFactor: 1 } : {}),
  };
  const base = megatronInput(model, layout, { microBatch, microbatches, sequenceLength: sequence }, details);
  return completed({
    ...base,
    cluster,
    precision: { ...base.precision, gradients: 'BF16', ...recipe[1] },
    optimizer: { ...base.optimizer, zeroStage: row.fsdp > 1 ? 3 : 1, stack: row.fsdp > 1 ? 'fsdp2' : 'megatron' },
    recompute: statedRecompute(row) ?? recomputeOf(row.recompute),
    batch: { microBatch, globalBatch, microbatches, sequenceLength: sequence },
    pipeline: { kind: stageKind(row) },
  });
}

/** What tables leave out: layers are placed so that the slowest stage is fastest. Recomputation that is not stated is taken as none. */
export function completed(input: TrainingInput): TrainingInput {
  const machine = input.cluster === undefined ? undefined : machineOf(input.cluster);
  if (machine === undefined || 'missing' in machine) return input;
  return input.layout.pipeline > 1
    ? { ...input, layout: { ...input.layout, stageLayers: balancedStages(input, machine) } }
    : input;
}

/** The training input of a measured row. */
export function rowPlan(row: MeasuredRow): RowPlan {
  const model = bridgeModel(row.model);
  if (typeof model === 'string') return { row, reason: model };
  const cluster = clusterOf(row.gpu, row.gpus);
  if (cluster === undefined) return { row, reason: `${row.gpu} is no known GPU` };
  if (row.tokensPerSecondPerGpu <= 0) return { row, reason: 'no throughput stated' };
  const input = inputOf(row, model, cluster);
  return typeof input === 'string' ? { row, reason: input } : { row, input, cluster };
}
