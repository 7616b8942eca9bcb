import type { TrainingDetails } from '../../engine/memory/input';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { BatchSpec, OptimizerSpec, PrecisionSpec, RecomputeSpec } from '../../engine/spec/training';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { checkConditions } from '../common/conditions';
import { placeOf, rootMap } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import { hiddenBehind } from '../common/values';
import type { DialectReading, Reference } from '../dialect';
import { titanConditions } from './conditions';
import { titanJob, type TitanConcept, type TitanJob } from './job';
import { keyFindings } from './keys';
import { readTitanModel } from './model';
import { titanSchema } from './schema-data';

const NOTE = "torchtitan's default";

function degree(job: TitanJob, concept: TitanConcept): Sourced<number> | undefined {
  const entry = job.given(concept);
  if (entry === undefined) return byDefault(1, NOTE);
  const value = job.degree(concept, 1);
  return value === undefined ? undefined : written(value, entry);
}

function dataDegrees(job: TitanJob): Planned<LayoutSpec> {
  const replicate = degree(job, 'replicate');
  const entry = job.given('shard');
  const shard = job.degree('shard', -1);
  const context = job.degree('context', 1);
  if (shard === undefined || shard < 1 || replicate === undefined || context === undefined || entry === undefined)
    return present<Planned<LayoutSpec>>({ dataReplicate: replicate });
  const both = shard * replicate.value;
  return {
    dataReplicate: replicate,
    dataShard: derived(shard * context, 'shard × context ranks hold one copy', entry),
    data: replicate.origin === 'file' ? derived(both, 'replicate × shard', entry) : written(both, entry),
  };
}

function readLayout(job: TitanJob): Planned<LayoutSpec> {
  const tensor = degree(job, 'tensor');
  const pipeline = job.degree('pipeline', 1) ?? 1;
  const schedule = job.given('schedule') ?? job.given('pipeline');
  const split = job.split;
  const perRank = split?.perRank;
  return present<Planned<LayoutSpec>>({
    tensor,
    pipeline: degree(job, 'pipeline'),
    context: degree(job, 'context'),
    expert: degree(job, 'expert'),
    expertTensor: degree(job, 'expertTensor'),
    sequenceParallel:
      tensor === undefined
        ? undefined
        : derived(tensor.value > 1, 'comes with tensor parallelism', job.given('tensor')),
    attentionData: byDefault(1, 'training'),
    virtualPipeline:
      pipeline <= 1
        ? byDefault(1, NOTE)
        : perRank !== undefined && Number.isInteger(perRank) && perRank > 0
          ? derived(perRank, `${job.schedule.word} with ${perRank} stage${perRank === 1 ? '' : 's'} a rank`, schedule)
          : undefined,
    stageLayers:
      split?.counts === undefined || split.perRank % 1 !== 0
        ? undefined
        : derived(split.counts, `stages of ${shortened(split.counts)} layers`, schedule),
    ...dataDegrees(job),
  });
}

/** `15|16|16|15`, the middle left out of long lists. */
export function shortened(counts: readonly number[]): string {
  return counts.length > 12 ? `${counts.slice(0, 4).join('|')}|…|${counts.slice(-3).join('|')}` : counts.join('|');
}

const MICRO = 'parallelism.pipeline_parallel_microbatch_size';
const COUNT = 'experimental.pipeline_parallel_microbatches';

/** Samples of one pipeline microbatch; releases before it had a size counted microbatches, by default one a pipeline rank. */
function pipelineMicrobatch(job: TitanJob, local: number, pipeline: number): Sourced<number> | undefined {
  if (job.unknown(MICRO) || job.unknown(COUNT)) return undefined;
  const entry = job.entry(MICRO);
  const size = job.integer(MICRO);
  if (entry !== undefined && size !== undefined) return written(size, entry);
  if (job.entry(MICRO) !== undefined) return undefined;
  if (!job.name('pipeline').startsWith('experimental.')) return byDefault(1, NOTE);
  const count = job.integer(COUNT) ?? pipeline;
  return count > 0 && local % count === 0
    ? derived(
        local / count,
        `${count} microbatches of a local batch of ${local}`,
        job.entry(COUNT) ?? job.given('local'),
      )
    : undefined;
}

function readBatch(job: TitanJob): Planned<BatchSpec> {
  const entry = job.given('local');
  const local = job.degree('local', 8);
  const pipeline = job.degree('pipeline', 1);
  const steps = job.entry('training.global_batch_size');
  const global = job.integer('training.global_batch_size');
  const length = job.entry('training.seq_len');
  const tokens = length === undefined ? byDefault(2048, NOTE) : undefined;
  const value = job.integer('training.seq_len');
  const sequenceLength = tokens ?? (length === undefined || value === undefined ? undefined : written(value, length));
  if (local === undefined || pipeline === undefined) return present<Planned<BatchSpec>>({ sequenceLength });
  const micro =
    pipeline > 1
      ? pipelineMicrobatch(job, local, pipeline)
      : entry === undefined
        ? byDefault(local, NOTE)
        : written(local, entry);
  const count = micro === undefined || micro.value < 1 ? undefined : local / micro.value;
  const whole = steps !== undefined && global !== undefined && global > 0;
  return present<Planned<BatchSpec>>({
    sequenceLength,
    microBatch: micro,
    globalBatch: whole ? written(global, steps) : undefined,
    // Without a global batch, and inside a pipeline always, the local batch is all that is in flight at once.
    microbatches:
      count !== undefined && Number.isInteger(count) && count > 0 && (pipeline > 1 || !whole)
        ? derived(count, 'the local batch cut into microbatches', entry)
        : undefined,
  });
}

const LOW = ['quantize.linear.float8', 'quantize.linear.mx', 'float8', 'mx'] as const;

function fp8Recipe(job: TitanJob): Sourced<PrecisionSpec['fp8Recipe']> | undefined {
  const entry = job.entry('model.converters');
  const names = job.words('model.converters');
  const old = job.entry('float8.enable_float8_linear');
  if (old !== undefined && job.flag('float8.enable_float8_linear') === true) return written('tensorwise', old);
  if (entry === undefined || names === undefined) return byDefault('none', NOTE);
  if (names.some((name) => /(^|\.)mx$/.test(name))) return derived('mxfp8', 'the MX converter', entry);
  if (!names.some((name) => /(^|\.)float8$/.test(name))) return byDefault('none', NOTE);
  const recipe = LOW.map((section) => job.text(`${section}.recipe_name`)).find((word) => word !== undefined);
  return derived(recipe?.startsWith('rowwise') === true ? 'rowwise' : 'tensorwise', 'the FP8 converter', entry);
}

function readPrecision(job: TitanJob): Planned<PrecisionSpec> {
  const entry = job.entry('training.dtype');
  const word = job.text('training.dtype');
  const base: Sourced<'F32' | 'BF16'> | undefined =
    entry === undefined
      ? byDefault('F32', NOTE)
      : word === 'bfloat16' || word === 'float32'
        ? written(word === 'bfloat16' ? 'BF16' : 'F32', entry)
        : undefined;
  const recipe = fp8Recipe(job);
  const param = job.text('training.mixed_precision_param');
  const same = (what: string): Sourced<'F32' | 'BF16'> | undefined =>
    base === undefined ? undefined : derived(base.value, `${what} have the format of the parameters`, entry);
  return present<Planned<PrecisionSpec>>({
    weights: base,
    gradients: same('gradients'),
    masterWeights: derived('none', 'parameters are their own master copy'),
    firstMoment: same('optimizer states'),
    secondMoment: same('optimizer states'),
    compute:
      recipe?.value !== 'none' && recipe !== undefined
        ? derived('F8_E4M3', 'linear layers of the converter')
        : param === 'float32'
          ? derived('F32', 'mixed_precision_param', job.entry('training.mixed_precision_param'))
          : byDefault('BF16', NOTE),
    fp8Recipe: recipe,
    fp8Weights: byDefault(false, 'parameters stay wide; only their gathered copies shrink'),
    fp8Activations: byDefault(false, NOTE),
  });
}

function readOptimizer(job: TitanJob): Planned<OptimizerSpec> {
  const offload = job.entry('training.enable_cpu_offload');
  const away =
    offload === undefined ? byDefault(false, NOTE) : switched(job.flag('training.enable_cpu_offload'), offload);
  const policy = job.text('parallelism.fsdp_reshard_after_forward') ?? 'default';
  const reshard = policy === 'always' || (policy === 'default' && (job.degree('pipeline', 1) ?? 1) <= 1);
  return present<Planned<OptimizerSpec>>({
    kind: derived('adam', 'Adam or AdamW', job.entry('optimizer.name')),
    zeroStage: derived(3, 'FSDP2 shards parameters, gradients and optimizer states'),
    stack: byDefault('fsdp2', 'torchtitan shards with FSDP2'),
    offloadOptimizer: away,
    offloadParameters: away,
    reshardAfterForward: derived(
      reshard,
      `fsdp_reshard_after_forward ${policy}`,
      job.entry('parallelism.fsdp_reshard_after_forward'),
    ),
    gradientAccumulationFusion: byDefault(false, NOTE),
  });
}

function switched(
  value: boolean | undefined,
  entry: NonNullable<ReturnType<TitanJob['entry']>>,
): Sourced<boolean> | undefined {
  return value === undefined ? undefined : written(value, entry);
}

function readRecompute(job: TitanJob): Planned<RecomputeSpec> {
  const entry = job.entry('activation_checkpoint.mode');
  const mode = job.text('activation_checkpoint.mode') ?? (entry === undefined ? 'selective' : undefined);
  if (mode !== 'selective' && mode !== 'full' && mode !== 'none') return {};
  return { granularity: entry === undefined ? byDefault(mode, NOTE) : written(mode, entry) };
}

/** Whether the loss is compiled, where the file names what is: layers and loss together by default. */
function lossCompiled(job: TitanJob): Pick<TrainingDetails, 'compileLoss'> {
  const parts = job.words('compile.components');
  return parts === undefined ? {} : { compileLoss: job.flag(job.name('compile')) === true && parts.includes('loss') };
}

function readDetails(job: TitanJob): TrainingDetails {
  const option = job.text('activation_checkpoint.selective_ac_option') ?? '2';
  const every = Number(option);
  const policy = job.text('parallelism.fsdp_reshard_after_forward');
  return {
    vocabDivisor: 1,
    lossParallel:
      job.flag('parallelism.disable_loss_parallel') !== true && job.flag('training.enable_loss_parallel') !== false,
    compile: job.compiled === true,
    ...lossCompiled(job),
    ...(option === 'op' ? { selective: 'op' } : Number.isInteger(every) && every > 0 ? { selective: every } : {}),
    ...(policy === 'always' || policy === 'never' ? { reshard: policy } : {}),
    ...(job.text('training.mixed_precision_param') === 'float32' ? { lowPrecisionBytes: 4 } : {}),
    ...(LOW.some((section) => job.flag(`${section}.enable_fsdp_float8_all_gather`) === true)
      ? { gatherInFp8: true }
      : {}),
  };
}

const HIDDEN: readonly (readonly [string, TitanConcept | string])[] = [
  ['layout.tensor', 'tensor'],
  ['layout.pipeline', 'pipeline'],
  ['layout.context', 'context'],
  ['layout.expert', 'expert'],
  ['layout.expertTensor', 'expertTensor'],
  ['layout.dataShard', 'shard'],
  ['layout.dataReplicate', 'replicate'],
];

export function references(job: TitanJob): Reference[] {
  const entry = job.given('csv');
  const target = job.text(job.name('csv'));
  return entry === undefined || target === undefined || target === ''
    ? []
    : [{ at: placeOf(entry), target, kind: 'schedule' }];
}

function pipelineOf(job: TitanJob): Plan['pipeline'] {
  const entry = job.given('schedule');
  const kind = job.text(job.name('csv')) ? undefined : job.schedule.kind;
  return kind === undefined ? {} : { kind: entry === undefined ? byDefault(kind, NOTE) : written(kind, entry) };
}

/** The release a file was written for, where its keys leave one range. */
function versionOf(job: TitanJob): Plan['frameworkVersion'] {
  const names = job.versions.map((index) => titanSchema['x-versions'][index]).filter((name) => name !== undefined);
  if (names.length === 0 || names.length === titanSchema['x-versions'].length) return undefined;
  const range = names.length === 1 ? names[0] : `${names[0]} to ${names.at(-1)}`;
  return range === undefined ? undefined : derived(range, 'the releases that have all keys of the file');
}

/** The plan of one job, in whichever form it is written. */
export function planOf(job: TitanJob): Plan {
  return {
    dialect: 'torchtitan',
    task: 'training',
    model: readTitanModel(job),
    quantization: {},
    cluster: {},
    layout: readLayout(job),
    precision: readPrecision(job),
    optimizer: readOptimizer(job),
    recompute: readRecompute(job),
    batch: readBatch(job),
    pipeline: pipelineOf(job),
    serving: {},
    experts: {},
    unresolved: hiddenBehind(
      job,
      HIDDEN.map(([path, concept]) => [path, job.name(concept as TitanConcept)] as const),
    ),
    details: readDetails(job),
  };
}

/** Reads a job file of torchtitan v0.2.2 or any release before it: sizes come from the flavor, degrees and batch from the file. */
export function readTorchtitan(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  const job = titanJob(root);
  const version = versionOf(job);
  const plan = { ...planOf(job), ...(version === undefined ? {} : { frameworkVersion: version }) };
  const findings = root === undefined ? [] : [...keyFindings(root, job), ...checkConditions(titanConditions, job)];
  return { plan, findings, references: references(job) };
}
