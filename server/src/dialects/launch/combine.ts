import type { Finding } from '../../plan/finding';
import type { Plan, Planned, ResolvedPlan } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { checkPlan } from '../../plan/rules/rules';
import { usablePlan } from '../../plan/usable';
import { emptyPlanOf } from '../common/empty-plan';
import type { ArgumentWord, DialectReading } from '../dialect';
import { findModel } from '../presets';
import type { Launch } from './launch';

const NOTHING = emptyPlanOf('shell', 'serving');
/** More launches than anyone reads findings of; a generated file may have hundreds. */
const MOST_JUDGED = 64;

/** GPUs that one launch takes, as far as its arguments say. */
export function gpusOf({ plan }: DialectReading): number {
  const { worldSize, tensor, pipeline, context, data } = plan.layout;
  const product = [tensor, pipeline, context, data].reduce((all, degree) => all * Math.max(1, degree?.value ?? 1), 1);
  return worldSize?.value ?? product;
}

function largest(launches: readonly Launch[]): Launch | undefined {
  return launches.reduce<Launch | undefined>(
    (best, launch) => (best === undefined || gpusOf(launch.reading) > gpusOf(best.reading) ? launch : best),
    undefined,
  );
}

/** Values of a preset have no place in this document. */
function placeless<T>(section: Planned<T>): Planned<T> {
  return Object.fromEntries(
    Object.entries(section).map(([key, value]) => {
      const { at: _at, ...rest } = value as { readonly at?: unknown };
      return [key, { ...rest, origin: 'companion' }];
    }),
  ) as Planned<T>;
}

/** Model and GPU of another launch: those of the document where they are the same, else what its own words name. */
function surrounded(plan: Plan, document: Plan): Plan {
  const { nodes: _nodes, gpus: _gpus, gpusPerNode: _perNode, ...device } = document.cluster;
  const name = plan.model.name?.value;
  const same = name === undefined || name === document.model.name?.value;
  const preset = same ? undefined : findModel(name);
  const shape = same ? document.model : preset === undefined ? {} : placeless(preset.model);
  const stored = same ? document.quantization : preset === undefined ? {} : placeless(preset.quantization);
  return {
    ...plan,
    model: { ...shape, ...plan.model },
    quantization: { ...stored, ...plan.quantization },
    cluster: { ...device, ...plan.cluster },
  };
}

/** Findings of a launch that is not the one the document's plan speaks of. */
function judge({ reading }: Launch, document: ResolvedPlan): readonly Finding[] {
  const whole = surrounded(reading.plan, document.plan);
  const { memoryBytes, computeCapability } = whole.cluster;
  const known = {
    model: whole.model,
    ...(memoryBytes === undefined ? {} : { memoryBytes: memoryBytes.value }),
    ...(computeCapability === undefined ? {} : { computeCapability: computeCapability.value }),
  };
  const usable = usablePlan(reading.complete?.(whole, known) ?? whole);
  const resolved = resolvePlan(usable.plan);
  return [...usable.findings, ...checkPlan({ plan: usable.plan, resolved }), ...(reading.check?.(resolved) ?? [])];
}

/** Options of one launch where they stand, by the dialect of its program. */
function wordsOf({ program, options }: Launch): ArgumentWord[] {
  if (program === 'verl') return [];
  return options.entries.map(({ key, keySpan, value }) => ({
    keySpan,
    span: value.span,
    dialect: program === 'trainer' ? 'trl' : program,
    path:
      program === 'megatron' ? ['MODEL_ARGS', `--${key}`] : [program === 'trainer' ? key.replaceAll('-', '_') : key],
  }));
}

function keyOf({ rule, message, at }: Finding): string {
  return `${rule} ${at?.span.start ?? ''} ${at?.span.end ?? ''} ${message}`;
}

/** Each finding once: launches that share an array of arguments share its faults. */
export function unique(findings: readonly Finding[]): Finding[] {
  const seen = new Map<string, Finding>();
  for (const finding of findings) if (!seen.has(keyOf(finding))) seen.set(keyOf(finding), finding);
  return [...seen.values()];
}

/**
 * One reading of a document that starts several programs: the plan is that of the largest (the first of them, where they are alike),
 * findings come from all. `across` are findings over the launches together.
 */
export function combine(launches: readonly Launch[], across: readonly Finding[] = []): DialectReading {
  const main = largest(launches);
  if (main === undefined) return { plan: NOTHING, findings: [...across], references: [] };
  const others = launches.filter((launch) => launch !== main && launch.complete).slice(0, MOST_JUDGED);
  const own = main.reading.check;
  const told = launches.flatMap(({ reading }) => reading.findings);
  const check =
    own === undefined && others.length === 0
      ? undefined
      : (resolved: ResolvedPlan): readonly Finding[] =>
          unique([...(own?.(resolved) ?? []), ...others.flatMap((launch) => judge(launch, resolved))]);
  return {
    ...main.reading,
    findings: unique([...across, ...told]),
    references: launches.flatMap(({ reading }) => reading.references),
    words: launches.flatMap(wordsOf),
    ...(check === undefined ? {} : { check }),
  };
}
