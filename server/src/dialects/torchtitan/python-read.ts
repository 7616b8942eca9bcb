import type { BatchSpec } from '../../engine/spec/training';
import type { Finding } from '../../plan/finding';
import type { Plan, Planned, ResolvedPlan, Sourced } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { checkPlan } from '../../plan/rules/rules';
import { usablePlan } from '../../plan/usable';
import type { ConfigTree, Entry } from '../../syntax/tree';
import { checkConditions } from '../common/conditions';
import { emptyTraining } from '../common/empty-plan';
import { entryOf } from '../common/nodes';
import { byDefault, derived, present, written } from '../common/sourced';
import type { DialectReading } from '../dialect';
import { findModel } from '../presets';
import { titanJob, type TitanJob } from './job';
import { pythonConfigs, rootText, type PythonConfig } from './python-config';
import { pythonConditions, TOKENS } from './python-conditions';
import { pythonKeyFindings } from './python-keys';
import { planOf, references } from './read';

const NOTE = "torchtitan's default";

/** A number of the file, the framework's default, or nothing while it is unknown. */
function setting(job: TitanJob, name: string, otherwise: number): Sourced<number> | undefined {
  const entry = job.entry(name);
  if (entry === undefined) return byDefault(otherwise, NOTE);
  const value = job.integer(name);
  return value === undefined || value < 1 ? undefined : written(value, entry);
}

function inSamples(tokens: Sourced<number>, length: number, entry: Entry | undefined): Sourced<number> {
  return derived(tokens.value / length, `${tokens.value} tokens in sequences of ${length}`, entry);
}

/**
 * The batch of releases that count tokens: one pass of a data-parallel rank holds packed sequences of at most the context length.
 * Source: torchtitan b5bcd76c, torchtitan/trainer.py, `Trainer.__init__`.
 */
function tokenBatch(job: TitanJob): Planned<BatchSpec> {
  const tokens = setting(job, TOKENS.pass, 16_384);
  const length = setting(job, TOKENS.length, 2048);
  const pipeline = job.degree('pipeline', 1);
  const cuts = pipeline === undefined ? undefined : pipeline > 1 ? setting(job, TOKENS.cuts, 1) : byDefault(1, NOTE);
  if (tokens === undefined || length === undefined) return present<Planned<BatchSpec>>({ sequenceLength: length });
  const entry = job.entry(TOKENS.pass);
  const whole = tokens.value % length.value === 0;
  // What is no whole number of sequences is packed: the pass is one sequence of all its tokens.
  const sequence = whole
    ? length
    : { ...derived(tokens.value, 'all tokens of one pass', entry), label: 'max_context_length' };
  const step = job.integer(TOKENS.step);
  const global = step === undefined || step < 1 || step % sequence.value !== 0 ? undefined : step / sequence.value;
  const samples = whole ? inSamples(tokens, length.value, entry) : derived(1, 'one packed sequence', entry);
  const origin = tokens.origin === 'default' && length.origin === 'default' ? byDefault(samples.value, NOTE) : samples;
  return present<Planned<BatchSpec>>({
    sequenceLength: sequence,
    microBatch: origin,
    globalBatch:
      global === undefined
        ? undefined
        : derived(global, `${step ?? 0} tokens in sequences of ${sequence.value}`, job.entry(TOKENS.step)),
    microbatches: (pipeline ?? 1) > 1 || job.entry(TOKENS.step) === undefined ? cuts : undefined,
  });
}

/** The first releases with Python configs counted samples, as the TOML files did. */
function countsSamples(job: TitanJob): boolean {
  return TOKENS.earlier.some((name) => job.entry(name) !== undefined && !job.unknown(name));
}

/** A model that no table has is one of the known ones where its folder of assets is named after it. */
function modelOf(config: PythonConfig, plan: Plan): Plan['model'] {
  const { maxPositions: _positions, ...model } = plan.model;
  if (Object.keys(model).length > 0) return model;
  const entry = entryOf(config.root, 'hf_assets_path');
  const name = rootText(config, 'hf_assets_path')?.split('/').at(-1);
  if (entry === undefined || name === undefined || findModel(name) === undefined) return model;
  return { name: derived(name, 'the folder of the tokenizer', entry) };
}

function layoutOf(job: TitanJob, plan: Plan): Plan['layout'] {
  const entry = job.entry('parallelism.enable_sequence_parallel');
  const flag = job.flag('parallelism.enable_sequence_parallel');
  if (entry === undefined || flag !== false) return plan.layout;
  return { ...plan.layout, sequenceParallel: written(false, entry) };
}

interface Judged {
  readonly config: PythonConfig;
  readonly job: TitanJob;
  readonly plan: Plan;
  readonly findings: readonly Finding[];
}

function planFor(config: PythonConfig, job: TitanJob): Plan {
  const plan = planOf(job);
  return {
    ...plan,
    model: modelOf(config, plan),
    layout: layoutOf(job, plan),
    batch: countsSamples(job) ? plan.batch : tokenBatch(job),
  };
}

/** Findings of one configuration; what it takes over from another function is told where its own name stands. */
function ownPlace({ span, nameSpan, name }: PythonConfig, finding: Finding): Finding {
  const { at, fixes: _fixes, ...rest } = finding;
  if (at === undefined) return { ...rest, at: { span: nameSpan }, message: `${name}: ${finding.message}` };
  if (at.uri !== undefined || (at.span.start >= span.start && at.span.end <= span.end)) return finding;
  return {
    ...rest,
    message: `${name}: ${finding.message}`,
    at: { span: nameSpan },
    related: [{ at, message: 'taken over from here' }, ...(finding.related ?? [])],
  };
}

function keyOf({ rule, message, at }: Finding): string {
  return `${rule} ${at?.span.start ?? ''} ${at?.span.end ?? ''} ${message}`;
}

/** Each finding once, in the function that writes what is wrong: those that call it repeat it. */
function told(all: readonly { readonly config: PythonConfig; readonly findings: readonly Finding[] }[]): Finding[] {
  const seen = new Set<string>();
  return all.flatMap(({ config, findings }) =>
    findings.flatMap((finding) => {
      const key = keyOf(finding);
      if (seen.has(key)) return [];
      seen.add(key);
      return [ownPlace(config, finding)];
    }),
  );
}

/** Ranks of the smallest world that a plan can run on. */
function ranksOf({ layout }: Plan): number {
  const shard = layout.dataShard?.value ?? layout.context?.value ?? 1;
  return [layout.tensor, layout.pipeline, layout.dataReplicate].reduce(
    (all, degree) => all * Math.max(1, degree?.value ?? 1),
    shard,
  );
}

/** Order of magnitude of a model, to tell jobs of one registry apart. */
function sizeOf({ model }: Plan): number {
  const experts = (model.experts?.value ?? 0) * (model.expertIntermediateSize?.value ?? 0);
  return (model.layers?.value ?? 0) * (model.hiddenSize?.value ?? 0) * (experts + (model.intermediateSize?.value ?? 1));
}

/** The job that a file is mostly about: on the most ranks, then with the largest model, then the first. */
function mainOf(all: readonly Judged[]): Judged | undefined {
  return all.reduce<Judged | undefined>((best, one) => {
    if (best === undefined) return one;
    const more = ranksOf(one.plan) - ranksOf(best.plan) || sizeOf(one.plan) - sizeOf(best.plan);
    return more > 0 ? one : best;
  }, undefined);
}

/** Findings of the shared rules on a job that is not the one the document's plan speaks of. */
function judge({ plan }: Judged, document: ResolvedPlan): readonly Finding[] {
  const { nodes: _nodes, gpus: _gpus, ...device } = document.plan.cluster;
  const usable = usablePlan({ ...plan, cluster: { ...device, ...plan.cluster } });
  const resolved = resolvePlan(usable.plan);
  return [...usable.findings, ...checkPlan({ plan: usable.plan, resolved })];
}

const MOST_JUDGED = 64;

/** Reads every job that a Python file builds: the plan is that of the largest, findings come from all. */
export function readPython(tree: ConfigTree): DialectReading {
  const all = pythonConfigs(tree).map((config): Judged => {
    const job = titanJob(config.job, true);
    const findings = [...pythonKeyFindings(config.root), ...checkConditions(pythonConditions(tree.text), job)];
    return { config, job, plan: planFor(config, job), findings };
  });
  const main = mainOf(all);
  if (main === undefined) return { plan: emptyTraining('torchtitan'), findings: [], references: [] };
  const others = all.filter((one) => one !== main).slice(0, MOST_JUDGED);
  const check = (resolved: ResolvedPlan): readonly Finding[] =>
    told(others.map((one) => ({ config: one.config, findings: judge(one, resolved) })));
  return {
    plan: main.plan,
    findings: told(all),
    references: all.flatMap(({ job }) => references(job)),
    ...(others.length === 0 ? {} : { check }),
  };
}
