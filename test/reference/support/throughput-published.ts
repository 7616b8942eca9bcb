import { trainingFlops } from '../../../server/src/engine/cost/flops';
import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import type { ClusterSpec } from '../../../server/src/engine/spec/cluster';
import { jobOf } from './published-memory';
import { trainingSpeedRows, type SpeedRow } from './published-rows';
import {
  bridgeRows,
  clusterOf,
  completed,
  releaseOf,
  rowPlan,
  type MeasuredRow,
  type RowPlan,
} from './throughput-plans';

/** Share of its clock that a GPU keeps below a lower power limit: power goes with about the square of the clock near its top. */
function underPower(watts: number, nominal: number): number {
  return Math.sqrt(watts / nominal);
}

/**
 * The cluster that a row names. Meta's H100 of 2024 had 96 GB of HBM2e and 500 W; torchtitan's B200 was limited to 750 W; BigScience's
 * nodes of eight A100 shared four Omni-Path links of 100 Gb/s (bigscience/train/tr11-176B-ml/README.md).
 */
function clusterOfRow({ gpu, group }: SpeedRow, gpus: number): ClusterSpec | undefined {
  const cluster = clusterOf(gpu.replace(/-class/, '').replace(/ (?!40GB|PCIe).*/, ''), gpus);
  if (cluster === undefined) return undefined;
  if (/96GB HBM2e 500W/.test(gpu))
    return { ...cluster, memoryBandwidth: 2.4e12, sustainedShare: underPower(500, 700), memoryBytes: 96e9 };
  if (/power limited/.test(gpu)) return { ...cluster, sustainedShare: underPower(750, 1000) };
  return group === 'bigscience' ? { ...cluster, nicBandwidth: (4 * 12.5e9) / 8 } : cluster;
}

/** What a row says in the words of the tables of Megatron-Bridge. */
function measuredRow(row: SpeedRow, gpus: number, rate: number): MeasuredRow {
  const { id, model, group, gpu, precision, tensor, pipeline, context, virtual, expert, fsdp, recompute } = row;
  const { globalBatch, microBatch, sequence, container, mode, raw } = row;
  const release = releaseOf(container);
  // A row that leaves out its layers is the plan that its size and width make it.
  const width = /NHIDDEN=\d+/.exec(row.dims)?.[0] ?? row.dims;
  const setting = [width, row.schedule, row.compile ? 'compiled' : '', String(raw['dispatcher'] ?? '')]
    .filter((part) => part !== '')
    .join(', ');
  return {
    id,
    group,
    source: String(raw['source']),
    model,
    gpu: gpu.replace(/ .*/, ''),
    gpus,
    precision: precision.replace(/ \(.*/, ''),
    ...(globalBatch === undefined ? {} : { globalBatch }),
    ...(microBatch === undefined ? {} : { microBatch }),
    ...(sequence === undefined ? {} : { sequence }),
    tensor,
    pipeline,
    context,
    virtual,
    expert,
    fsdp,
    task: /LoRA/.test(model) ? 'LoRA' : mode === '' ? 'Pre-Training' : mode,
    ...(release === undefined ? {} : { release }),
    ...(recompute === '' ? {} : { recompute }),
    ...(setting === '' ? {} : { setting }),
    tokensPerSecondPerGpu: rate,
  };
}

/**
 * Tokens a second on one GPU: as stated, by the time of a step, or by FLOP/s. Megatron's own count took attention whole until 2025 and
 * halves it since (`num_floating_point_operations`).
 */
function rateOf(row: SpeedRow, input: TrainingInput, gpus: number): number {
  const { tokensPerSecondPerGpu, stepSeconds, teraflops, globalBatch, sequence, group } = row;
  if (tokensPerSecondPerGpu !== undefined) return tokensPerSecondPerGpu;
  if (stepSeconds !== undefined && globalBatch !== undefined && sequence !== undefined)
    return (globalBatch * sequence) / (stepSeconds * gpus);
  if (teraflops === undefined || group === 'bigscience') return 0;
  const causal = group !== 'megatron-readme';
  const { sequenceLength } = input.batch;
  return (teraflops * 1e12) / trainingFlops(input.model, { sequenceLength, causal, mtp: true }).total;
}

/** NeMo Automodel trains on FSDP2. Its table leaves out recomputation: whole layers where only that makes the job fit. */
function onFsdp2(input: TrainingInput, { memoryBytes }: ClusterSpec): TrainingInput {
  const sharded: TrainingInput = {
    ...input,
    optimizer: { ...input.optimizer, zeroStage: 3, stack: 'fsdp2', reshardAfterForward: true },
  };
  const whole: TrainingInput = { ...sharded, recompute: { granularity: 'full', method: 'uniform', layers: 1 } };
  const fits = (job: TrainingInput): boolean =>
    Math.max(0, ...estimateTraining(job).classes.map(({ total }) => total)) <= memoryBytes;
  return !fits(sharded) && fits(whole) ? whole : sharded;
}

/** Why a row is not timed, whatever its numbers; undefined where nothing speaks against it. */
function outside({ group, gpus, gpu, notes, raw, model, sequence }: SpeedRow): string | undefined {
  if (gpus === undefined) return 'the number of GPUs is not stated';
  if (gpu === '') return 'the GPU is not stated';
  if (raw['verified'] === false) return 'cited from memory, not verified';
  if (raw['optimizer_offload_fraction'] !== undefined) return 'states on the host are not timed';
  if (/offload/i.test(notes)) return 'activations or states are offloaded, which is not timed';
  if (raw['layers'] !== undefined && group === 'torchao') return 'a cut-down Llama 4 whose sizes are not stated';
  if (group === 'automodel-yaml-comment') return 'a note by hand in a recipe';
  if (/LoRA|VL/.test(model)) return 'which modules carry adapters is not stated';
  return sequence === undefined ? 'the sequence length is not stated' : undefined;
}

/** A mixture of experts on several GPUs whose row leaves out the expert-parallel size. */
function layoutOpen({ raw, gpus = 1 }: SpeedRow, { model }: TrainingInput): boolean {
  return (model.experts ?? 0) > 0 && gpus > 1 && raw['ep'] === undefined;
}

function sameRow(a: MeasuredRow, b: MeasuredRow): boolean {
  return (
    a.model === b.model &&
    a.gpu === b.gpu &&
    a.task === b.task &&
    a.release === b.release &&
    a.precision === b.precision &&
    Math.abs(a.tokensPerSecondPerGpu - b.tokensPerSecondPerGpu) <= 1
  );
}

/** Rows of Megatron-Bridge's tables that the shorter list does not hold. */
function moreBridge(row: SpeedRow, known: readonly MeasuredRow[]): RowPlan | undefined {
  const measured = {
    ...measuredRow(row, row.gpus ?? 0, row.tokensPerSecondPerGpu ?? 0),
    group: 'megatron-bridge',
  };
  return known.some((other) => sameRow(other, measured)) ? undefined : rowPlan(measured);
}

/** A batch that a row states among its sizes goes before that of its table. */
function withOwnBatch(row: SpeedRow): SpeedRow {
  const own = /GBS=(\d+)/.exec(row.dims)?.[1];
  return own === undefined ? row : { ...row, globalBatch: Number(own) };
}

function otherPlan(stated: SpeedRow): RowPlan {
  const row = withOwnBatch(stated);
  const gpus = row.gpus ?? 0;
  const reason = outside(row);
  if (reason !== undefined) return { row: measuredRow(row, gpus, 0), reason };
  const cluster = clusterOfRow(row, gpus);
  if (cluster === undefined) return { row: measuredRow(row, gpus, 0), reason: `${row.gpu} is no known GPU` };
  const job = jobOf(row);
  if (typeof job === 'string') return { row: measuredRow(row, gpus, 0), reason: job };
  if (layoutOpen(row, job)) return { row: measuredRow(row, gpus, 0), reason: 'how experts are spread is not stated' };
  const sent = /^(?:A2A|AlltoAll)$/.test(String(row.raw['dispatcher'])) ? ({ dispatcher: 'alltoall' } as const) : {};
  const input = completed({
    ...(row.group === 'automodel' ? onFsdp2(job, cluster) : job),
    details: { ...job.details, ...sent },
    cluster,
  });
  const rate = rateOf(row, input, gpus);
  const measured = measuredRow(row, gpus, rate);
  if (!Number.isInteger(input.layout.data)) return { row: measured, reason: `degrees do not divide ${gpus} GPUs` };
  return rate > 0 ? { row: measured, input, cluster } : { row: measured, reason: 'no step time and no tokens stated' };
}

/** Every published run with a speed: the tables of Megatron-Bridge first, then the other stacks. */
export function publishedPlans(): RowPlan[] {
  const known = bridgeRows();
  const plans = known.map(rowPlan);
  for (const row of trainingSpeedRows()) {
    const plan = row.group === 'megatron-bridge-perf' ? moreBridge(row, known) : otherPlan(row);
    if (plan !== undefined) plans.push(plan);
  }
  return plans;
}
