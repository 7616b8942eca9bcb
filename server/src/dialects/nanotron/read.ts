import type { ModelSpec } from '../../engine/model/spec';
import type { LayoutSpec } from '../../engine/spec/layout';
import type { BatchSpec, OptimizerSpec, PrecisionSpec, RecomputeSpec } from '../../engine/spec/training';
import type { Plan, Planned, Sourced } from '../../plan/plan';
import type { ConfigTree } from '../../syntax/tree';
import { checkConditions } from '../common/conditions';
import { dtypeOf } from '../common/dtypes';
import { emptyTraining } from '../common/empty-plan';
import { rootMap } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import { hiddenBehind, treeValues, type ConfigValues } from '../common/values';
import type { DialectReading } from '../dialect';
import { modelFromConfig } from '../hf-config/model';
import { nanotronConditions } from './conditions';
import { nanotronKeyFindings } from './keys';

const NOTE = "nanotron's default";

function whole(values: ConfigValues, name: string, otherwise?: number): Sourced<number> | undefined {
  const entry = values.entry(name);
  if (entry === undefined) return otherwise === undefined ? undefined : byDefault(otherwise, NOTE);
  const value = values.integer(name);
  return value === undefined ? undefined : written(value, entry);
}

function readLayout(values: ConfigValues): Planned<LayoutSpec> {
  const tensor = whole(values, 'parallelism.tp', 1);
  const mode = values.entry('parallelism.tp_mode');
  const scatter = values.text('parallelism.tp_mode')?.toUpperCase() === 'REDUCE_SCATTER';
  return present<Planned<LayoutSpec>>({
    data: whole(values, 'parallelism.dp', 1),
    tensor,
    pipeline: whole(values, 'parallelism.pp', 1),
    context: whole(values, 'parallelism.context_parallel_size', 1),
    expert: whole(values, 'parallelism.expert_parallel_size', 1),
    expertTensor: byDefault(1, NOTE),
    virtualPipeline: byDefault(1, NOTE),
    attentionData: byDefault(1, 'training'),
    sequenceParallel: mode === undefined ? byDefault(false, NOTE) : written(scatter, mode),
  });
}

function readBatch(values: ConfigValues): Planned<BatchSpec> {
  return present<Planned<BatchSpec>>({
    microBatch: whole(values, 'tokens.micro_batch_size'),
    sequenceLength: whole(values, 'tokens.sequence_length'),
    microbatches: whole(values, 'tokens.batch_accumulation_per_replica', 1),
  });
}

function readPrecision(values: ConfigValues): Planned<PrecisionSpec> {
  const entry = values.entry('model.dtype');
  const base = dtypeOf(values.text('model.dtype') ?? '');
  const wide = values.flag('optimizer.accumulate_grad_in_fp32');
  const keep = values.entry('optimizer.accumulate_grad_in_fp32');
  if (base === undefined) return {};
  const weights: Sourced<typeof base> = entry === undefined ? byDefault(base, NOTE) : written(base, entry);
  return present<Planned<PrecisionSpec>>({
    weights,
    compute: derived(base, 'the format of the weights'),
    gradients: keep === undefined || wide === undefined ? undefined : written(wide ? 'F32' : base, keep),
    masterWeights:
      wide === true && base !== 'F32' && keep !== undefined
        ? derived('F32', 'kept beside the gradients', keep)
        : derived('none', 'the optimizer steps on the weights themselves'),
    firstMoment: wide === true ? byDefault('F32', NOTE) : byDefault(base, NOTE),
    secondMoment: wide === true ? byDefault('F32', NOTE) : byDefault(base, NOTE),
    fp8Recipe: byDefault('none', NOTE),
  });
}

function readOptimizer(values: ConfigValues): Planned<OptimizerSpec> {
  const entry = values.entry('optimizer.zero_stage');
  const stage = values.integer('optimizer.zero_stage');
  const known = ([0, 1, 2, 3] as const).find((value) => value === stage);
  const name = values.text('optimizer.optimizer_factory.name')?.toLowerCase();
  return present<Planned<OptimizerSpec>>({
    kind:
      name === 'sgd'
        ? derived('sgd', 'the optimizer that is named', values.entry('optimizer.optimizer_factory.name'))
        : byDefault('adam', NOTE),
    zeroStage: entry === undefined ? byDefault(0, NOTE) : known === undefined ? undefined : written(known, entry),
    stack: byDefault('nanotron', NOTE),
    offloadOptimizer: byDefault(false, NOTE),
    offloadParameters: byDefault(false, NOTE),
    gradientAccumulationFusion: byDefault(false, NOTE),
  });
}

function readRecompute(values: ConfigValues): Planned<RecomputeSpec> {
  const entry = values.entry('parallelism.recompute_layer');
  const on = values.flag('parallelism.recompute_layer');
  if (entry === undefined) return { granularity: byDefault('none', NOTE) };
  if (on === undefined) return {};
  return present<Planned<RecomputeSpec>>({
    granularity: written(on ? 'full' : 'none', entry),
    method: on ? derived('uniform', 'every layer', entry) : undefined,
    layers: on ? derived(1, 'every layer', entry) : undefined,
  });
}

function readModel(values: ConfigValues): {
  readonly model: Planned<ModelSpec>;
  readonly unresolved: Plan['unresolved'];
} {
  const node = values.entry('model.model_config')?.value;
  if (node?.kind !== 'map') return { model: {}, unresolved: [] };
  // The file has no name for its model, only sizes.
  const { model: read, unresolved } = modelFromConfig(node);
  const { name: _name, ...model } = read;
  return {
    model,
    unresolved: unresolved.map((entry) => ({ ...entry, path: `model.${entry.path.replace(/^model\./, '')}` })),
  };
}

function schedule(values: ConfigValues): Plan['pipeline'] {
  const entry = values.entry('parallelism.pp_engine');
  const word = values.text('parallelism.pp_engine');
  if (entry === undefined) return { kind: byDefault('1f1b', NOTE) };
  if (word === 'afab') return { kind: written('gpipe', entry) };
  return word === '1f1b' ? { kind: written('1f1b', entry) } : {};
}

const HIDDEN = [
  ['layout.tensor', 'parallelism.tp'],
  ['layout.pipeline', 'parallelism.pp'],
  ['layout.data', 'parallelism.dp'],
  ['layout.context', 'parallelism.context_parallel_size'],
  ['batch.microBatch', 'tokens.micro_batch_size'],
  ['batch.sequenceLength', 'tokens.sequence_length'],
] as const;

/** Reads a nanotron training file. */
export function readNanotron(tree: ConfigTree): DialectReading {
  const root = rootMap(tree);
  if (root === undefined) return { plan: emptyTraining('nanotron'), findings: [], references: [] };
  const values = treeValues(root);
  const { model, unresolved } = readModel(values);
  const plan: Plan = {
    ...emptyTraining('nanotron'),
    model,
    layout: readLayout(values),
    precision: readPrecision(values),
    optimizer: readOptimizer(values),
    recompute: readRecompute(values),
    batch: readBatch(values),
    pipeline: schedule(values),
    unresolved: [...hiddenBehind(values, HIDDEN), ...unresolved],
    details: { vocabDivisor: values.integer('model.make_vocab_size_divisible_by') ?? 1 },
  };
  return {
    plan,
    findings: [...nanotronKeyFindings(root), ...checkConditions(nanotronConditions, values)],
    references: [],
  };
}
