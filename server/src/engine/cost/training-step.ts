import { expertData } from '../layout/rank-grid';
import type { StageContent } from '../layout/stages';
import { stagesOfRank } from '../layout/stages';
import type { TrainingInput } from '../memory/input';
import { stagesOf } from '../memory/training';
import { layerKinds, modelTensors } from '../model/inventory';
import { elementsOf, size } from '../model/tensors';
import { collectiveTime, transferTime } from '../network/collectives';
import { membersInside } from '../network/topology';
import { buildOrder } from '../schedule/build';
import type { StageDurations } from '../schedule/durations';
import type { ScheduleRefusal } from '../schedule/order';
import { isRefusal } from '../schedule/refusal';
import { simulate } from '../schedule/simulate';
import type { ScheduleKind } from '../spec/training';
import { DTYPE_BITS } from '../spec/numbers';
import { trainingFlops } from './flops';
import type { PeakName, Utilisation } from './economics';
import { utilisation } from './economics';
import type { Machine } from './rates';
import type { Setting, StageTimes } from './stage-times';
import { passSeconds, settingOf, stageTimes } from './stage-times';

/** Seconds of one step by what they are spent on, on the rank that decides it; they sum to the step. */
export interface StepParts {
  readonly compute: number;
  /** Part of compute that recomputation is. */
  readonly recompute: number;
  /** Waiting for the host to launch kernels. */
  readonly host: number;
  readonly tensor: number;
  readonly context: number;
  readonly expert: number;
  /** Idle time of the pipeline, transfers between stages included. */
  readonly pipeline: number;
  readonly data: number;
  readonly optimizer: number;
  readonly straggling: number;
}

export interface StepReport {
  readonly stepSeconds: number;
  readonly tokensPerStep: number;
  readonly tokensPerSecondPerGpu: number;
  readonly flopsPerToken: number;
  /** Against the BF16 peak and, for narrower products, the peak of their format; attention counted causal. */
  readonly mfu: readonly Utilisation[];
  readonly parts: StepParts;
  /** Idle share of the pipeline's time, mean over ranks. */
  readonly bubble: number;
}

/** Elements of one stage's weights on one rank. */
interface Held {
  readonly dense: number;
  readonly expert: number;
}

function heldBy(input: TrainingInput, stages: readonly StageContent[]): Held {
  const { model, layout } = input;
  const t = Math.max(1, layout.tensor);
  let dense = 0;
  let expert = 0;
  for (const kind of layerKinds(model)) {
    const count = kind.layers.filter((layer) => stages.some((s) => inStage(s, layer, model.layers))).length;
    for (const tensor of kind.tensors) {
      const all = elementsOf(tensor) * count;
      if (tensor.part === 'experts') expert += all / (Math.max(1, layout.expert) * Math.max(1, layout.expertTensor));
      else dense += tensor.sharding === 'replicated' ? all : all / t;
    }
  }
  for (const tensor of modelTensors(model)) {
    const on = tensor.part === 'embedding' ? stages.some((s) => s.embedding) : stages.some((s) => s.head);
    if (on) dense += elementsOf(tensor) / t;
  }
  return { dense, expert };
}

function inStage(stage: StageContent, layer: number, decoderLayers: number): boolean {
  if (layer >= decoderLayers) return stage.mtpLayers > 0;
  return layer >= stage.firstLayer && layer < stage.firstLayer + stage.layers;
}

/** Gathering parameters and scattering gradients of one rank over its data-parallel group, once. */
function dataTimes(setting: Setting, held: Held): { readonly gather: number; readonly scatter: number } {
  const { input, topology } = setting;
  const { layout, precision, optimizer, details } = input;
  if (setting.work.frozen) return { gather: 0, scatter: 0 };
  const dense = { size: Math.max(1, layout.data * layout.context), stride: Math.max(1, layout.tensor) };
  const expert = { size: Math.floor(expertData(layout)), stride: Math.max(1, layout.expertTensor * layout.expert) };
  const sharded = optimizer.zeroStage > 0;
  const weight = precision.fp8Weights ? 1 : (details?.lowPrecisionBytes ?? 2);
  const gradient = details?.reduceBytes ?? DTYPE_BITS[precision.gradients] / 8;
  const both = (kind: 'all-gather' | 'reduce-scatter' | 'all-reduce', bytes: number): number =>
    collectiveTime(kind, held.dense * bytes, dense, topology) +
    collectiveTime(kind, held.expert * bytes, expert, topology);
  return sharded
    ? { gather: both('all-gather', weight), scatter: both('reduce-scatter', gradient) }
    : { gather: 0, scatter: both('all-reduce', gradient) };
}

/** Seconds of the optimizer: states, master weights and gradients of this rank's share pass memory once. */
function optimizerTime(setting: Setting, held: Held): number {
  const { input, machine } = setting;
  const { layout, precision, optimizer } = input;
  if (setting.work.frozen) return 0;
  const sharded = optimizer.zeroStage > 0;
  const dense = sharded ? held.dense / Math.max(1, layout.data * layout.context) : held.dense;
  const expert = sharded ? held.expert / Math.max(1, expertData(layout)) : held.expert;
  const bytes = (format: keyof typeof DTYPE_BITS): number => DTYPE_BITS[format] / 8;
  const master = precision.masterWeights === 'none' ? 0 : 2 * bytes(precision.masterWeights);
  const states = 2 * (bytes(precision.firstMoment) + bytes(precision.secondMoment));
  // The gradient is read for the norm and again for the update.
  const element = master + states + 2 * bytes(precision.gradients) + bytes(precision.weights);
  return ((dense + expert) * element) / (machine.memory * machine.efficiency.stream);
}

/** Schedules whose forwards run beside the communication of another microbatch's backward. */
export function overlapsExperts(kind: ScheduleKind): boolean {
  return kind === 'dualpipe' || kind === 'dualpipev' || kind === '1f1b-ep-overlap';
}

/** An overlapped block against the longer of its compute and its exchange: 32.25 ms against 31.1 in DeepSeek's published trace. */
export const BLOCK_SHARE = 1.04;

function durationsOf(setting: Setting, times: readonly StageTimes[]): StageDurations {
  const { input, topology } = setting;
  const { layout, batch, model, pipeline } = input;
  const F = times.map(({ forward }) => passSeconds(forward));
  const I = times.map(({ input: pass }) => passSeconds(pass));
  const W = times.map(({ weight }) => weight);
  const FB = times.map((stage, s) => {
    const plain = (F[s] ?? 0) + (I[s] ?? 0) + (W[s] ?? 0);
    if (!overlapsExperts(pipeline.kind)) return plain;
    const exchange = stage.forward.exposed.expert + stage.input.exposed.expert;
    return Math.min(plain, BLOCK_SHARE * Math.max(plain - exchange, exchange));
  });
  const hidden = (batch.microBatch * batch.sequenceLength * size(model.hiddenSize) * 2) / Math.max(1, layout.context);
  const bytes = layout.sequenceParallel ? hidden / Math.max(1, layout.tensor) : hidden;
  const perStage = Math.max(1, Math.floor(layout.worldSize / layout.pipeline));
  return { F, I, W, B: F.map((_, s) => (I[s] ?? 0) + (W[s] ?? 0)), FB, comm: transferTime(bytes, perStage, topology) };
}

interface PipelineTime {
  readonly seconds: number;
  /** Mean busy seconds of a rank. */
  readonly busy: number;
}

/** Microbatches that are simulated before the rest is drawn on: the steady state repeats itself. */
const SIMULATED_ROUNDS = 3;

function runPipeline(
  input: TrainingInput,
  durations: StageDurations,
  microbatches: number,
): PipelineTime | ScheduleRefusal {
  const { layout, pipeline } = input;
  const order = buildOrder({
    kind: pipeline.kind,
    ranks: layout.pipeline,
    microbatches,
    chunks: layout.virtualPipeline > 1 ? layout.virtualPipeline : undefined,
    groupSize: pipeline.groupSize,
    durations,
  });
  if (isRefusal(order)) return order;
  const { makespan, idle } = simulate(order, durations);
  return { seconds: makespan, busy: makespan - idle.reduce((sum, value) => sum + value, 0) / Math.max(1, idle.length) };
}

/**
 * Seconds of all microbatches through the pipeline. Long steps are drawn on from two shorter ones, because after the warm-up every
 * further round of microbatches takes the same time.
 */
function pipelineTime(input: TrainingInput, durations: StageDurations): PipelineTime | ScheduleRefusal {
  const { layout, batch } = input;
  const m = batch.microbatches;
  const round = 2 * layout.pipeline;
  const few = SIMULATED_ROUNDS * round + (m % round);
  if (m <= few + round) return runPipeline(input, durations, m);
  const short = runPipeline(input, durations, few);
  const long = runPipeline(input, durations, few + round);
  if (isRefusal(short)) return short;
  if (isRefusal(long)) return long;
  const rounds = (m - few) / round;
  return {
    seconds: short.seconds + rounds * (long.seconds - short.seconds),
    busy: short.busy + rounds * (long.busy - short.busy),
  };
}

/**
 * Seconds of all microbatches on one rank without a pipeline, chunk after chunk. Where a forward may run beside the backward of the
 * microbatch before, only the first forward and the last backward stand alone.
 */
function localTime({ F, B, FB }: StageDurations, microbatches: number): PipelineTime {
  let [alone, beside] = [0, 0];
  for (let stage = 0; stage < F.length; stage += 1) {
    const one = (F[stage] ?? 0) + (B[stage] ?? 0);
    alone += one;
    beside += Math.min(one, FB[stage] ?? one);
  }
  const seconds = microbatches <= 0 ? 0 : alone + (microbatches - 1) * beside;
  return { seconds, busy: seconds };
}

interface Shares {
  readonly compute: number;
  readonly recompute: number;
  readonly host: number;
  readonly tensor: number;
  readonly context: number;
  readonly expert: number;
}

/**
 * How often a step runs the schedule. Where the global batch is larger than what the pipeline takes at once, torchtitan and NeMo Automodel
 * run the whole schedule again for every further share of it, with its own idle time.
 */
function timesRun({ batch, layout }: TrainingInput): number {
  const once = batch.microBatch * batch.microbatches * layout.data;
  return once > 0 ? Math.max(1, Math.round(batch.globalBatch / once)) : 1;
}

/** What the busy time of a mean rank is made of. */
function busyParts(input: TrainingInput, times: readonly StageTimes[], busy: number): Shares {
  const per = (input.batch.microbatches * timesRun(input)) / Math.max(1, input.layout.pipeline);
  let [compute, recompute, host, tensor, context, expert] = [0, 0, 0, 0, 0, 0];
  for (const { forward, input: back, weight, recompute: again } of times) {
    compute += (forward.compute + back.compute + weight) * per;
    recompute += again * per;
    host +=
      (forward.sync + back.sync + Math.max(0, forward.host - forward.compute) + Math.max(0, back.host - back.compute)) *
      per;
    tensor += (forward.exposed.tensor + back.exposed.tensor) * per;
    context += (forward.exposed.context + back.exposed.context) * per;
    expert += (forward.exposed.expert + back.exposed.expert) * per;
  }
  // Overlapped blocks hide exchange, so what is left of it is what the busy time has room for.
  expert = Math.max(0, Math.min(expert, busy - compute - host - tensor - context));
  return { compute, recompute, host, tensor, context, expert };
}

/** Data-parallel seconds that no pass hides. `fsdp` gathers for every microbatch; the others once a step. */
function exposedData(setting: Setting, held: Held, stages: readonly StageTimes[]): number {
  const { input } = setting;
  const { optimizer, batch, details } = input;
  const { gather, scatter } = dataTimes(setting, held);
  const forward = stages.reduce((sum, { forward: pass }) => sum + passSeconds(pass), 0);
  const backward = stages.reduce((sum, { input: pass, weight }) => sum + passSeconds(pass) + weight, 0);
  if (optimizer.zeroStage === 3) {
    const again = optimizer.reshardAfterForward ? gather : 0;
    return (
      timesRun(input) * batch.microbatches * (Math.max(0, gather - forward) + Math.max(0, again + scatter - backward))
    );
  }
  if (details?.overlapComm === false) return gather + scatter;
  // The first bucket waits for the first gradients and the last one has nothing left to hide behind.
  return Math.max(0.05 * scatter, scatter - backward) + Math.max(0.05 * gather, gather - forward);
}

/**
 * Seconds of one optimizer step of a training plan, from the time of each layer through the plan's own schedule. A schedule that cannot
 * be built comes back as its refusal.
 */
export function trainingStep(input: TrainingInput, machine: Machine): StepReport | ScheduleRefusal {
  const setting = settingOf(input, machine);
  const contents = stagesOf(input);
  const times = contents.map((stage) => stageTimes(setting, stage));
  const durations = durationsOf(setting, times);
  const { layout, batch } = input;
  const once = layout.pipeline > 1 ? pipelineTime(input, durations) : localTime(durations, batch.microbatches);
  if (isRefusal(once)) return once;
  const runs = timesRun(input);
  const ran = { seconds: runs * once.seconds, busy: runs * once.busy };
  let worst = { data: 0, optimizer: 0 };
  for (const rank of new Set([0, layout.pipeline - 1])) {
    const own = stagesOfRank(input.pipeline.kind, layout, rank);
    const held = heldBy(
      input,
      contents.filter(({ stage }) => own.includes(stage)),
    );
    const data = exposedData(
      setting,
      held,
      times.filter((_, stage) => own.includes(stage)),
    );
    const optimizer = optimizerTime(setting, held);
    if (data + optimizer > worst.data + worst.optimizer) worst = { data, optimizer };
  }
  const straggling = (ran.seconds + worst.data) * straggleShare(setting);
  const stepSeconds = ran.seconds + worst.data + worst.optimizer + straggling;
  const shares = busyParts(input, times, ran.busy);
  const parts: StepParts = { ...shares, pipeline: Math.max(0, ran.seconds - ran.busy), ...worst, straggling };
  return reportOf(setting, stepSeconds, parts, ran);
}

/** Ranks wait for the slowest; a group inside one domain hardly notices. */
function straggleShare({ machine, topology, input }: Setting): number {
  const domains = input.layout.worldSize / membersInside(topology, { size: input.layout.worldSize, stride: 1 });
  return domains <= 1 ? 0 : machine.efficiency.straggling;
}

function reportOf(setting: Setting, stepSeconds: number, parts: StepParts, ran: PipelineTime): StepReport {
  const { input, machine, work } = setting;
  const { batch, layout, model } = input;
  const tokensPerStep = batch.globalBatch * batch.sequenceLength;
  const rate = stepSeconds > 0 ? tokensPerStep / stepSeconds / Math.max(1, layout.worldSize) : 0;
  const flopsPerToken = trainingFlops(model, { sequenceLength: batch.sequenceLength, mtp: true }).total;
  const peaks: [number, PeakName][] = [[machine.bf16, 'BF16']];
  if (work.format === 'FP8') peaks.push([machine.fp8, 'FP8']);
  if (work.format === 'FP4') peaks.push([machine.fp4, 'FP4']);
  return {
    stepSeconds,
    tokensPerStep,
    tokensPerSecondPerGpu: rate,
    flopsPerToken,
    mfu: peaks.map(([peak, name]) => utilisation(rate, flopsPerToken, peak, name, true)),
    parts,
    bubble: ran.seconds > 0 ? Math.max(0, 1 - ran.busy / ran.seconds) : 0,
  };
}

/** What a pipeline rank does after its last pass. Seconds. */
export interface RankTail {
  /** Reducing gradients and gathering weights that no pass hides. */
  readonly data: number;
  readonly optimizer: number;
}

export interface PlanDurations {
  /** Of every stage, in seconds. */
  readonly stages: StageDurations;
  /** Of every pipeline rank. */
  readonly tails: readonly RankTail[];
  /** Times behind the durations, a stage. */
  readonly times: readonly StageTimes[];
}

/** Seconds of every pass of a plan's stages, as `trainingStep` runs them through the schedule. */
export function planDurations(input: TrainingInput, machine: Machine): PlanDurations {
  const setting = settingOf(input, machine);
  const contents = stagesOf(input);
  const times = contents.map((stage) => stageTimes(setting, stage));
  const tails = Array.from({ length: input.layout.pipeline }, (_, rank): RankTail => {
    const own = stagesOfRank(input.pipeline.kind, input.layout, rank);
    const inRank = contents.filter(({ stage }) => own.includes(stage));
    const held = heldBy(input, inRank);
    const passes = times.filter((__, stage) => own.includes(stage));
    return { data: exposedData(setting, held, passes), optimizer: optimizerTime(setting, held) };
  });
  return { stages: durationsOf(setting, times), tails, times };
}
