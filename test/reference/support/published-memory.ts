import { findGpu } from '../../../server/src/dialects/presets';
import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { RecomputeSpec } from '../../../server/src/engine/spec/training';
import type { Pair } from './accuracy-ranks';
import { denseModel, layoutOf, megatronInput } from './memory-input';
import { olderTitanRow, otherMemoryRows, trainingMemoryRows, type OtherRow, type PublishedRow } from './published-rows';
import { withRecipe } from './published-recipes';
import { bridgeModel, presetSpec } from './throughput-models';

/** One published figure beside the estimate of the fullest rank. */
export interface PublishedReading extends Pair {
  readonly id: string;
  readonly stack: string;
  readonly model: string;
  readonly plan: string;
  readonly kind: PublishedRow['kind'];
  readonly percent: number;
}

export interface PublishedTable {
  readonly readings: readonly PublishedReading[];
  readonly left: readonly { readonly id: string; readonly model: string; readonly reason: string }[];
}

/** The job, or why the row does not say enough. */
type Job = TrainingInput | string;

const MOONLIGHT: Partial<ModelSpec> = { vocabSize: 163_840, intermediateSize: 11_264, routerCorrectionBias: true };

/** The model of a published row, or why it is not known. */
export function modelOf(name: string): ModelSpec | string {
  if (/^Moonlight/.test(name)) return { ...presetSpec('deepseek-ai/DeepSeek-V2-Lite'), ...MOONLIGHT, name };
  return bridgeModel(
    name
      .replace(/^Llama[ -]?3(?:\.1)?[ -]/i, 'LLAMA 3.1 ')
      .replace(/ SFT$/, '')
      .replace(/-FP8$/, '')
      .replace('Qwen2.5-7B', 'Qwen2.5 7B'),
  );
}

function recomputeOf(text: string): RecomputeSpec {
  if (/full|checkpoint-activations|checkpointing on/i.test(text))
    return { granularity: 'full', method: 'uniform', layers: 1 };
  const modules = text.match(/core_attn|layernorm|moe_act|mla_up_proj|mlp|moe\b/g) ?? [];
  return modules.length === 0 ? { granularity: 'none' } : { granularity: 'selective', modules };
}

/** Number formats that a published precision asks for. */
export function recipeOf(precision: string): Partial<TrainingInput['precision']> {
  if (/NVFP4/i.test(precision)) return { compute: 'F4_E2M1', fp8Recipe: 'nvfp4' };
  if (/MXFP8/i.test(precision)) return { compute: 'F8_E4M3', fp8Recipe: 'mxfp8' };
  if (/blockwise/i.test(precision)) return { compute: 'F8_E4M3', fp8Recipe: 'blockwise', fp8Weights: true };
  if (/fp8|float8/i.test(precision)) return { compute: 'F8_E4M3', fp8Recipe: 'tensorwise' };
  return {};
}

function titan(row: PublishedRow, model: ModelSpec, gpus: number): Job {
  const { tensor, pipeline, context, sequence, microBatch } = row;
  if (sequence === undefined || microBatch === undefined) return 'batch or sequence length not stated';
  if (row.recompute === '') return 'recomputation not stated';
  // A looped schedule has two stages a rank unless a file splits the model otherwise.
  const looped = /Interleaved/.test(row.schedule) && pipeline > 1;
  const layout = layoutOf({
    worldSize: gpus,
    tensor,
    pipeline,
    ...(looped ? { virtualPipeline: 2 } : {}),
    context,
    sequenceParallel: tensor > 1,
    dataShard: gpus / (tensor * pipeline),
    dataReplicate: 1,
  });
  const full = /full/i.test(row.recompute);
  // At that commit a local batch was cut into as many microbatches as there are stages (pipelining_utils.py); without stages it is one.
  const batch =
    pipeline > 1 ? { microBatch: microBatch / pipeline, microbatches: pipeline } : { microBatch, microbatches: 1 };
  const base = megatronInput(
    model,
    layout,
    { ...batch, sequenceLength: sequence },
    // The runs of December 2024 compiled their layers and not yet their loss.
    {
      vocabDivisor: 1,
      selective: 'op',
      compile: row.compile,
      compileLoss: row.compile && !/96GB/.test(row.gpu),
      // train_configs of that time gather FP8 weights wherever Float8 is on.
      gatherInFp8: /float8/i.test(row.precision),
    },
  );
  return {
    ...base,
    precision: { ...base.precision, weights: 'F32', masterWeights: 'none', ...recipeOf(row.precision) },
    optimizer: { ...base.optimizer, stack: 'fsdp2', zeroStage: 3, gradientAccumulationFusion: false },
    recompute: { granularity: full ? 'full' : 'selective' },
    pipeline: { kind: looped ? 'interleaved-torch' : '1f1b' },
  };
}

function megatron(row: PublishedRow, model: ModelSpec, gpus: number): Job {
  const { tensor, pipeline, context, expert, sequence, microBatch, globalBatch } = row;
  if (sequence === undefined || microBatch === undefined || globalBatch === undefined)
    return 'batch or sequence length not stated';
  const layout = layoutOf({
    worldSize: gpus,
    tensor,
    pipeline,
    virtualPipeline: pipeline > 1 ? row.virtual : 1,
    context,
    expert: (model.experts ?? 0) > 0 ? expert : 1,
    sequenceParallel: tensor > 1,
  });
  if (!Number.isInteger(layout.data)) return `degrees do not divide ${gpus} GPUs`;
  const microbatches = Math.max(1, Math.floor(globalBatch / (layout.data * microBatch)));
  const swift = row.group === 'ms-swift';
  const details: TrainingDetails = { crossEntropy: 'te-fused', ...(swift ? { vocabDivisor: 1 } : {}) };
  const base = megatronInput(model, layout, { microBatch, microbatches, sequenceLength: sequence }, details);
  const recipe = recipeOf(row.precision);
  const bridge = swift ? {} : ({ gradients: 'BF16', fp8Weights: recipe.fp8Recipe !== undefined } as const);
  const moments = /exp_avg.*bf16/.test(row.precision) ? ({ firstMoment: 'BF16', secondMoment: 'BF16' } as const) : {};
  return {
    ...base,
    // Megatron-Bridge's performance recipes reduce gradients in BF16 and gather FP8 weights.
    precision: { ...base.precision, ...recipe, ...bridge, ...moments },
    optimizer: { ...base.optimizer, kind: /muon/.test(row.optimizer) ? 'muon' : 'adam' },
    recompute: recomputeOf(row.recompute),
  };
}

const BLOOM_VOCABULARY = 250_880;

/** Width and depth of a run, how it is cut, and whether it accumulates in FP32, as the sections of the page say it (chronicles-prequel.md). */
function bigscienceSizes(row: PublishedRow): { hidden: number; layers: number; balanced: boolean; wide: boolean } {
  const billions = Number(/(\d+)B/.exec(row.model)?.[1]);
  // "Rebalancing layers": embedding and head count as layers, and BF16 accumulates into FP32. A table of the day before tried the former.
  const rebalanced = row.notes === '02-28';
  const narrow = { 195: 106, 184: 100 }[billions];
  if (narrow !== undefined && /^02-2[78]/.test(row.notes))
    return { hidden: 12_288, layers: narrow, balanced: true, wide: rebalanced };
  const wide = Number(/NHIDDEN=(\d+)/.exec(row.dims)?.[1]);
  const hidden = billions === 187 && /13824 for 187B/.test(row.dims) ? 13_824 : wide;
  const stated = /NLAYERS=(\d+)/.exec(row.dims)?.[1];
  const layers =
    stated === undefined
      ? row.pipeline * Math.round((billions * 1e9) / (12 * hidden ** 2 * row.pipeline))
      : Number(stated);
  return { hidden, layers, balanced: rebalanced, wide: rebalanced };
}

/** Layers of each stage: as even as can be, or with embedding and head counted as a layer each. */
function bigscienceStages(layers: number, pipeline: number, balanced: boolean): number[] | undefined {
  const most = Math.ceil((layers + (balanced ? 2 : 0)) / pipeline);
  if (pipeline === 1 || (!balanced && layers % pipeline === 0)) return undefined;
  if (balanced)
    return Array.from(
      { length: pipeline },
      (_, stage) => most - (stage === 0 ? 1 : 0) - (stage === pipeline - 1 ? 1 : 0),
    );
  return Array.from({ length: pipeline }, (_, stage) => Math.max(0, Math.min(most, layers - stage * most)));
}

/** A multiple of eight that divides the width into heads as near to 128 as can be. */
function headsOf(hidden: number): number {
  const fitting = Array.from({ length: 32 }, (_, index) => 8 * (index + 1)).filter((heads) => hidden % heads === 0);
  return fitting.reduce(
    (best, heads) => (Math.abs(hidden / heads - 128) < Math.abs(hidden / best - 128) ? heads : best),
    8,
  );
}

/**
 * BigScience's Megatron-DeepSpeed jobs: a GPT of equal stages in FP16 with ZeRO-1. Layers that a row leaves out follow from its size,
 * because every stage holds the same number; heads are 128 wide, or as near as eight tensor ranks allow.
 */
function bigscience(row: PublishedRow, gpus: number): Job {
  const { tensor, pipeline, sequence = 2048, microBatch, globalBatch } = row;
  if (microBatch === undefined || globalBatch === undefined) return 'batch not stated';
  const { hidden, layers, balanced, wide } = bigscienceSizes(row);
  const heads = headsOf(hidden);
  const model = denseModel({
    name: row.model,
    layers,
    hiddenSize: hidden,
    intermediateSize: 4 * hidden,
    gatedMlp: false,
    vocabSize: BLOOM_VOCABULARY,
    heads,
    kvHeads: heads,
    headDim: hidden / heads,
    tiedEmbeddings: true,
    mlpBias: true,
    qkvBias: true,
    attentionOutputBias: true,
    normBias: true,
  });
  const stageLayers = bigscienceStages(layers, pipeline, balanced);
  const layout = layoutOf({
    worldSize: gpus,
    tensor,
    pipeline,
    ...(stageLayers === undefined ? {} : { stageLayers }),
  });
  const microbatches = Math.max(1, Math.floor(globalBatch / (layout.data * microBatch)));
  const base = megatronInput(
    model,
    layout,
    { microBatch, microbatches, sequenceLength: sequence },
    { transformerImpl: 'local', attentionKernel: 'unfused', positions: 'none', vocabDivisor: 1 },
  );
  return {
    ...base,
    precision: {
      ...base.precision,
      ...(wide
        ? ({ weights: 'BF16', compute: 'BF16', gradients: 'F32' } as const)
        : ({ weights: 'F16', compute: 'F16', gradients: 'F16' } as const)),
    },
    optimizer: { ...base.optimizer, stack: 'deepspeed', zeroStage: 1, gradientAccumulationFusion: false },
    recompute: { granularity: 'full', method: 'uniform', layers: 1 },
  };
}

/** Why a row is outside what is modelled; undefined when it is inside. */
function outside(row: PublishedRow): string | undefined {
  if (row.measured === undefined) return row.outcome === '' ? 'no memory stated' : `no memory stated: ${row.outcome}`;
  if (row.gpus === undefined) return 'the number of GPUs is not stated';
  if (/LoRA/.test(row.model)) return 'adapters in Megatron: which modules carry them is not stated';
  if (/Nemotron/.test(row.model)) return 'activations of state-space layers are not modelled';
  if (row.group === 'ms-swift' && (row.microBatch ?? 1) > 1)
    return 'samples are not packed: each microbatch is as long as its longest, which is not stated';
  if (/offload/i.test(row.notes) || row.notes.includes('d2h'))
    return 'activations or a share of the states are offloaded';
  if (/OOM/.test(row.outcome)) return `ran out of memory, so the figure is no peak of a step (${row.outcome})`;
  return undefined;
}

/** The job of a published row, or why it does not say enough. */
export function jobOf(row: PublishedRow): Job {
  const gpus = row.gpus ?? 1;
  if (row.group === 'bigscience') return bigscience(row, gpus);
  const model = modelOf(row.model);
  if (typeof model === 'string') return model;
  if (row.group === 'torchtitan') return titan(row, model, gpus);
  if (row.group === 'automodel-yaml-comment') return 'written by hand as the most that fits, not measured';
  const job = megatron(row, model, gpus);
  return typeof job === 'string' ? job : withRecipe(row, job);
}

function planOf(row: PublishedRow): string {
  const degrees = [
    `${row.gpus ?? '?'} × ${row.gpu === '' ? 'GPU' : row.gpu.replace(/ \(.*| \d+(?:W|GB).*/, '')}`,
    row.tensor > 1 ? `TP${row.tensor}` : '',
    row.pipeline > 1 ? `PP${row.pipeline}${row.virtual > 1 ? `×${row.virtual}` : ''}` : '',
    row.context > 1 ? `CP${row.context}` : '',
    row.expert > 1 ? `EP${row.expert}` : '',
    row.sequence === undefined ? '' : `${row.sequence} tokens`,
    row.microBatch === undefined ? '' : `batch ${row.microBatch}`,
  ];
  const parts = [
    ...degrees,
    row.precision.replace(/ \(section\)/, ''),
    row.recompute.replace(/--checkpoint-activations /, ''),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** Bytes of the fullest rank in the measure that a row states. */
function predictedOf(input: TrainingInput, kind: PublishedRow['kind']): number {
  const { classes } = estimateTraining(input);
  const of = kind === 'device' ? 'total' : kind;
  return Math.max(0, ...classes.map((entry) => entry[of]));
}

function clustered(row: PublishedRow, input: TrainingInput): TrainingInput {
  const capability = findGpu(row.gpu.replace(/ .*/, ''))?.cluster.computeCapability?.value ?? 90;
  const gpus = row.gpus ?? 1;
  const cluster = { gpu: row.gpu, memoryBytes: 80 * 2 ** 30, gpus, gpusPerNode: 8, nodes: Math.ceil(gpus / 8) };
  return { ...input, cluster: { ...cluster, computeCapability: capability } };
}

/** Why rows of the older list are not computed; those that the newer list holds too are named there. */
function otherReason({ id, figure }: OtherRow, twins: readonly PublishedRow[]): string {
  const group = id.startsWith('torchtitan') ? 'torchtitan' : 'bridge-ablation';
  const twin = twins.find(
    ({ measured, group: own }) =>
      own === group &&
      [2 ** 30, 1e9].some((unit) => measured !== undefined && Math.abs(measured / unit - (figure ?? -1)) < 5e-4),
  );
  if (twin !== undefined) return `the same run as ${twin.id}`;
  if (/mbridge\/recompute-mlp/.test(id))
    return 'recomputes the whole feed-forward part, which none of the measured arguments fixes';
  if (id.startsWith('torchao')) return 'a cut-down Llama 4 whose sizes and batch are not stated';
  if (id.startsWith('te/')) return 'sizes of the model are not stated';
  if (id.startsWith('deepspeed-5305'))
    return "a user's report: sizes beyond 7B are not stated, and Ulysses attention is not modelled";
  if (id.startsWith('deepspeed/')) return 'batch, sequence length and recomputation are not stated';
  if (/mbridge\/lora/.test(id)) return 'the number of GPUs and the batch are not stated';
  if (id.startsWith('mbridge-estimator')) return 'sizes of the cut-down model are not stated';
  return '';
}

/** Every published figure of training memory: beside its estimate, or with the reason why there is none. */
export function publishedTable(): PublishedTable {
  const readings: PublishedReading[] = [];
  const left: { id: string; model: string; reason: string }[] = [];
  const compute = (row: PublishedRow): void => {
    const { id, stack, model, kind, measured = 0 } = row;
    const job = outside(row) ?? jobOf(row);
    const predicted = typeof job === 'string' ? 0 : predictedOf(clustered(row, job), kind);
    if (typeof job === 'string') left.push({ id, model, reason: job });
    else if (predicted === 0) left.push({ id, model, reason: 'the layers do not split as the row says' });
    else {
      const percent = 100 * (predicted / measured - 1);
      readings.push({ id, stack, model, plan: planOf(row), kind, measured, predicted, percent });
    }
  };
  const rows = trainingMemoryRows();
  rows.forEach(compute);
  for (const other of otherMemoryRows()) {
    const known = otherReason(other, rows);
    const row = known === '' ? olderTitanRow(other) : undefined;
    if (row === undefined) left.push({ id: other.id, model: other.model, reason: known });
    else compute(row);
  }
  return { readings, left };
}
