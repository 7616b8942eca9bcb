import type { TrainingInput } from '../../engine/memory/input';
import { ownChoice } from '../../engine/search/training-search';
import type { Plan, ResolvedPlan } from '../../plan/plan';
import { resolvePlan } from '../../plan/resolve';
import { planRules } from '../../plan/rules/rules';
import type { WhatIfAnswer, WhatIfField, WhatIfRow, WhatIfValue } from '../../protocol/what-if';
import type { SyntaxEdit } from '../../syntax/edits';
import type { Analysis } from '../analysis';
import { compareAnalyses, metricText, movedText, type Metric } from '../compare';
import { lazyCost } from '../cost';
import { estimateMemory, trainingInputOf } from '../estimates';
import { lazyServingCost } from '../serving-cost';
import { DEFAULT_LOAD } from '../../engine/cost/serving-cost';
import { candidateValues, withValue } from '../what-if';
import { applyEdits, writeField } from '../advise/write-field';
import { writeChoice } from '../advise/write-choice';
import { followingDurations, withScaledDurations } from '../schedule/duration-edits';
import { noView } from './frame';

function powers(from: number, to: number): number[] {
  const out: number[] = [];
  for (let value = from; value <= to; value *= 2) out.push(value);
  return out;
}

type Choices = (resolved: ResolvedPlan) => readonly WhatIfValue[];

function world({ layout }: ResolvedPlan): readonly number[] {
  const own = layout?.worldSize ?? 1;
  return [-3, -2, -1, 0, 1, 2, 3].map((step) => own * 2 ** step).filter((value) => Number.isInteger(value));
}

function recipes({ cluster, precision }: ResolvedPlan): readonly string[] {
  const capability = cluster?.computeCapability ?? 0;
  const native = capability >= 100 ? ['mxfp8'] : capability >= 89 ? ['blockwise', 'tensorwise'] : [];
  return [...new Set(['none', precision.fp8Recipe, ...native])];
}

type Row = readonly [field: string, label: string, choices: Choices];

const degree =
  (field: string): Choices =>
  (resolved) =>
    candidateValues(resolved, field);

const TRAINING: readonly Row[] = [
  ['cluster.gpus', 'GPUs', world],
  ['layout.tensor', 'TP', degree('layout.tensor')],
  ['layout.pipeline', 'PP', degree('layout.pipeline')],
  ['layout.virtualPipeline', 'Virtual stages', ({ layout }) => ((layout?.pipeline ?? 1) > 1 ? powers(1, 8) : [])],
  ['layout.context', 'CP', degree('layout.context')],
  [
    'layout.expert',
    'EP',
    ({ model, layout }) =>
      (model?.experts ?? 0) > 0 ? powers(1, Math.min(model?.experts ?? 1, layout?.worldSize ?? 1)) : [],
  ],
  ['batch.microBatch', 'Microbatch', () => [1, 2, 4, 8]],
  ['batch.sequenceLength', 'Sequence length', () => powers(1024, 131_072)],
  ['recompute.granularity', 'Recompute', () => ['none', 'selective', 'full']],
  ['precision.fp8Recipe', 'FP8', recipes],
];

const SERVING: readonly Row[] = [
  ['layout.tensor', 'TP', degree('layout.tensor')],
  ['layout.attentionData', 'DP attention', degree('layout.attentionData')],
  ['layout.expert', 'EP', ({ model, layout }) => ((model?.experts ?? 0) > 0 ? powers(1, layout?.worldSize ?? 1) : [])],
  [
    'serving.memoryFraction',
    'Memory fraction',
    ({ serving }) => (serving?.memoryFraction === undefined ? [] : [0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]),
  ],
  [
    'serving.contextLength',
    'Context length',
    ({ serving }) => (serving?.contextLength === undefined ? [] : powers(2048, 131_072)),
  ],
];

/** The value of a field as the engine computes with it, whoever stated it. */
function resolvedValue(resolved: ResolvedPlan, field: string): WhatIfValue | undefined {
  if (field === 'cluster.gpus') return resolved.layout?.worldSize;
  const [section = '', key = ''] = field.split('.');
  const values = (resolved as unknown as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>)[
    section
  ];
  const value = values?.[key];
  return typeof value === 'number' || typeof value === 'string' ? value : undefined;
}

function ordered(choices: readonly WhatIfValue[], own: WhatIfValue): WhatIfValue[] {
  const all = [...new Set([...choices, own])];
  return all.every((value) => typeof value === 'number') ? all.sort((a, b) => Number(a) - Number(b)) : all;
}

function fieldsOf(resolved: ResolvedPlan, values: Readonly<Record<string, WhatIfValue>>): WhatIfField[] {
  const rows = resolved.plan.task === 'serving' ? SERVING : TRAINING;
  return rows.flatMap(([field, label, choices]): WhatIfField[] => {
    const own = resolvedValue(resolved, field);
    if (own === undefined) return [];
    const all = ordered(choices(resolved), own);
    const asked = values[field];
    return all.length < 2
      ? []
      : [{ field, label, own, value: asked !== undefined && all.includes(asked) ? asked : own, choices: all }];
  });
}

/** Counts that follow from the degrees and the world: stated ones would contradict what is tried. */
const FOLLOWING = ['data', 'dataShard', 'dataReplicate'] as const;

function withValues(plan: Plan, changed: readonly WhatIfField[]): Plan {
  let next = plan;
  for (const { field, value } of changed) {
    next = withValue(next, field, value);
    if (field === 'cluster.gpus') {
      const { worldSize: _world, ...layout } = next.layout;
      const { nodes: _nodes, ...cluster } = next.cluster;
      next = { ...next, layout, cluster };
    }
    if (field === 'precision.fp8Recipe')
      next = withValue(next, 'precision.compute', value === 'none' ? 'BF16' : 'F8_E4M3');
    if (field === 'layout.virtualPipeline' && plan.pipeline.kind?.origin !== 'file') {
      const { kind: _kind, ...pipeline } = next.pipeline;
      next = { ...next, pipeline };
    }
  }
  if (!changed.some(({ field }) => field.startsWith('layout.') || field === 'cluster.gpus')) return next;
  const layout = Object.fromEntries(
    Object.entries(next.layout).filter(([key]) => !(FOLLOWING as readonly string[]).includes(key)),
  );
  return { ...next, layout };
}

/** The analysis as it would be with other values: numbers alone, no findings. */
function tried(analysis: Analysis, plan: Plan): Analysis {
  const resolved = resolvePlan(plan);
  const { memory: _memory, ...rest } = analysis;
  const memory = estimateMemory(resolved);
  const calibrated = (): ReturnType<NonNullable<Analysis['calibrated']>> => analysis.calibrated?.();
  return {
    ...rest,
    resolved,
    ...(memory === undefined ? {} : { memory }),
    cost: lazyCost(resolved, analysis.terms ?? {}, calibrated),
    servingCost: lazyServingCost(resolved, analysis.load ?? DEFAULT_LOAD, calibrated),
  };
}

/** The analysis that a picture of tried values is drawn from; the file's own where nothing is tried. */
export function triedAnalysis(analysis: Analysis, values: Readonly<Record<string, WhatIfValue>> | undefined): Analysis {
  const { resolved } = analysis;
  if (values === undefined || resolved === undefined || resolved.layout === undefined) return analysis;
  const changed = fieldsOf(resolved, values).filter(({ own, value }) => own !== value);
  if (changed.length === 0) return analysis;
  const next = tried(analysis, withValues(resolved.plan, changed));
  return next.resolved === undefined ? next : { ...next, resolved: withScaledDurations(resolved, next.resolved) };
}

const SHOWN = [
  'memory',
  'kvTokens',
  'step',
  'tokens',
  'mfu',
  'bubble',
  'ttft',
  'tpot',
  'output',
  'days',
  'gpuHours',
  'money',
];
const LESS_IS_BETTER = new Set(['memory', 'step', 'bubble', 'ttft', 'tpot', 'days', 'gpuHours', 'money']);

function toneOf({ id, before, after }: Metric): Pick<WhatIfRow, 'tone'> {
  if (before === null || after === null || Math.abs(after / before - 1) < 0.0005) return {};
  return { tone: after < before === LESS_IS_BETTER.has(id) ? 'good' : 'bad' };
}

function rowOf(metric: Metric, typed: boolean): WhatIfRow {
  const { id, label, unit, before, after } = metric;
  return {
    // The picture is drawn by durations of the file, which are another measure of a step than the cost model.
    label: id === 'step' && typed ? `${label.trim()}, cost model` : label.trim(),
    before: metricText(before, unit),
    after: metricText(after, unit),
    change: movedText(metric),
    ...toneOf(metric),
  };
}

/** Edits for layout, batch and recomputation, written as a whole layout is, and for the rest field by field. */
function trainingEdits(
  analysis: Analysis,
  own: TrainingInput,
  next: TrainingInput,
  changed: readonly WhatIfField[],
): readonly SyntaxEdit[] | undefined {
  const choice = ownChoice(next);
  const same = next.recompute.granularity === own.recompute.granularity;
  const { edits } = writeChoice(analysis, own, same ? { ...choice, recompute: own.recompute } : choice);
  const others = changed.filter(({ field }) => field === 'batch.sequenceLength' || field === 'precision.fp8Recipe');
  const more = others.map(({ field, value }) => writeField(analysis, field, value));
  if (edits === undefined || more.some((one) => one === undefined)) return undefined;
  return [...edits, ...more.flatMap((one) => one ?? [])];
}

function servingEdits(analysis: Analysis, changed: readonly WhatIfField[]): readonly SyntaxEdit[] | undefined {
  const all = changed.map(({ field, value }) => writeField(analysis, field, value));
  return all.some((one) => one === undefined) ? undefined : all.flatMap((one) => one ?? []);
}

/** Edits only where the file, read back with them, gives just the numbers that were shown. */
function provedEdits(
  analysis: Analysis,
  after: Analysis,
  changed: readonly WhatIfField[],
  reanalyse: (text: string) => Analysis,
): readonly SyntaxEdit[] | undefined {
  const own = analysis.resolved === undefined ? undefined : trainingInputOf(analysis.resolved);
  const next = after.resolved === undefined ? undefined : trainingInputOf(after.resolved);
  const values =
    own !== undefined && next !== undefined
      ? trainingEdits(analysis, own, next, changed)
      : servingEdits(analysis, changed);
  if (values === undefined || values.length === 0) return undefined;
  const edits = [...values, ...followingDurations(analysis, after.resolved)];
  const read = reanalyse(applyEdits(analysis.text, edits));
  const expected = after.memory?.peak.bytes;
  const found = read.memory?.peak.bytes;
  return expected !== undefined && found !== undefined && Math.abs(found / expected - 1) < 1e-6 ? edits : undefined;
}

/** What other values would bring, live: memory, time and cost beside the file's own, what is refused, and the edits that write them. */
export function whatIfView(
  analysis: Analysis,
  values: Readonly<Record<string, WhatIfValue>>,
  reanalyse: (text: string) => Analysis,
): WhatIfAnswer {
  const { resolved, uri, version } = analysis;
  if (resolved === undefined || resolved.plan.task === 'model' || resolved.layout === undefined)
    return noView(analysis, 'There is no layout to try other values of.');
  const fields = fieldsOf(resolved, values);
  const changed = fields.filter(({ own, value }) => own !== value);
  const after = triedAnalysis(analysis, values);
  const refusal =
    changed.length === 0 || after.resolved === undefined
      ? undefined
      : planRules
          .flatMap((rule) =>
            rule.check({ plan: after.resolved?.plan ?? resolved.plan, resolved: after.resolved ?? resolved }),
          )
          .find(({ severity }) => severity === 'error')?.message;
  const metrics = compareAnalyses(analysis, after).metrics.filter(({ id }) => SHOWN.includes(id));
  const edits =
    changed.length === 0 || refusal !== undefined ? undefined : provedEdits(analysis, after, changed, reanalyse);
  return {
    uri,
    version,
    fields,
    rows: metrics.map((metric) => rowOf(metric, resolved.pipeline.durations !== undefined)),
    ...(refusal === undefined ? {} : { refusal }),
    ...(edits === undefined
      ? {}
      : { edits: edits.map(({ span, newText }) => ({ range: analysis.lines.rangeOf(span), newText })) }),
  };
}
