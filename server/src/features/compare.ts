import type { MemoryPart } from '../engine/memory/report';
import type { StepParts } from '../engine/cost/training-step';
import { SECTIONS } from '../plan/sections';
import type { Finding } from '../plan/finding';
import type { Plan, Sourced } from '../plan/plan';
import type { Analysis } from './analysis';
import { peakClass } from './answers';
import { costOf } from './cost';
import { parameterTotals } from './estimates';
import { planField } from './fields';
import { pipelineSummary } from './schedule/planned';
import { servingCostOf } from './serving-cost';
import { bytes, count, percent, seconds } from './format';

/** How a number is shown to people. */
export type MetricUnit = 'bytes' | 'seconds' | 'count' | 'share';

/** One number of a plan before and after; null where it cannot be computed. */
export interface Metric {
  readonly id: string;
  readonly label: string;
  readonly unit: MetricUnit;
  readonly before: number | null;
  readonly after: number | null;
}

/** One value of the plan that is another one now; null where it is not set. */
export interface ValueChange {
  readonly field: string;
  readonly label: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly value?: Sourced<unknown>;
}

export interface Comparison {
  readonly changes: readonly ValueChange[];
  /** Numbers that at least one of the two has, in the order of their weight. */
  readonly metrics: readonly Metric[];
  readonly appeared: readonly Finding[];
  readonly gone: readonly Finding[];
}

/** Origins of values that somebody wrote; defaults and what follows from others change with them and need no line of their own. */
const WRITTEN: ReadonlySet<string> = new Set(['file', 'companion']);

function shown(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : String(value);
  if (Array.isArray(value)) {
    const text = value.length > 12 ? `${value.slice(0, 12).join(', ')}, …` : value.join(', ');
    return `[${text}]`;
  }
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}

function fieldsOf(plan: Plan | undefined): string[] {
  if (plan === undefined) return [];
  return SECTIONS.flatMap((section) => Object.keys(plan[section]).map((key) => `${section}.${key}`));
}

function changesOf(before: Plan | undefined, after: Plan | undefined): ValueChange[] {
  const fields = [...new Set([...fieldsOf(before), ...fieldsOf(after)])];
  return fields.flatMap((field): ValueChange[] => {
    const old = before === undefined ? undefined : planField(before, field);
    const now = after === undefined ? undefined : planField(after, field);
    if (JSON.stringify(old?.value) === JSON.stringify(now?.value)) return [];
    if (!WRITTEN.has(old?.origin ?? '') && !WRITTEN.has(now?.origin ?? '')) return [];
    // A model or GPU that is another one changes dozens of figures; its name says so.
    const named = /^(?:model|cluster|quantization)\./.test(field) && !/\.(?:name|gpu|nodes|gpus)$/.test(field);
    if (named && now?.origin !== 'file' && old?.origin !== 'file') return [];
    return [
      {
        field,
        label: now?.label ?? old?.label ?? field,
        from: old === undefined ? null : shown(old.value),
        to: now === undefined ? null : shown(now.value),
        ...(now === undefined ? {} : { value: now }),
      },
    ];
  });
}

const PARTS: readonly (readonly [MemoryPart, string])[] = [
  ['weights', 'weights'],
  ['gradients', 'gradients'],
  ['optimizer', 'optimizer states'],
  ['activations', 'activations'],
  ['kvCache', 'KV cache'],
  ['buffers', 'buffers'],
  ['workspace', 'workspace'],
];

const TRAFFIC: readonly (readonly [keyof StepParts, string])[] = [
  ['compute', 'compute'],
  ['recompute', 'recomputation'],
  ['tensor', 'tensor-parallel traffic, exposed'],
  ['context', 'context-parallel traffic, exposed'],
  ['expert', 'expert exchange, exposed'],
  ['data', 'data-parallel traffic, exposed'],
  ['pipeline', 'pipeline idle time'],
];

type Read = (analysis: Analysis) => number | undefined;

/** The bubble that lens, hover and timeline tell; of schedules too large for them the one that the step was timed with. */
function bubbleOf(analysis: Analysis): number | undefined {
  const drawn = analysis.resolved === undefined ? undefined : pipelineSummary(analysis.resolved);
  return drawn?.bubble ?? costOf(analysis)?.bubble;
}

function readers(): readonly (readonly [id: string, label: string, unit: MetricUnit, read: Read])[] {
  return [
    ['memory', 'memory of the fullest rank', 'bytes', (analysis) => analysis.memory?.peak.bytes],
    ...PARTS.map(
      ([part, label]) =>
        [`memory.${part}`, `  ${label}`, 'bytes', (analysis: Analysis) => peakClass(analysis)?.parts[part]] as const,
    ),
    ['kvTokens', 'KV cache of an attention rank, tokens', 'count', (analysis) => analysis.memory?.kvCache?.tokens],
    ['step', 'time of a step', 'seconds', (analysis) => costOf(analysis)?.stepSeconds],
    ...TRAFFIC.map(
      ([part, label]) =>
        [`step.${part}`, `  ${label}`, 'seconds', (analysis: Analysis) => costOf(analysis)?.parts[part]] as const,
    ),
    ['ttft', 'time to the first token', 'seconds', (analysis) => servingCostOf(analysis)?.ttft],
    [
      'tpot',
      'time between tokens, largest batch',
      'seconds',
      (analysis) => servingCostOf(analysis)?.batches.at(-1)?.tpot,
    ],
    ['output', 'output tokens/s a GPU', 'count', (analysis) => servingCostOf(analysis)?.batches.at(-1)?.mixedRate],
    ['tokens', 'tokens/s a GPU', 'count', (analysis) => costOf(analysis)?.tokensPerSecondPerGpu],
    ['mfu', 'MFU of the BF16 peak, attention causal', 'share', (analysis) => costOf(analysis)?.utilisations[0]?.mfu],
    ['bubble', 'pipeline bubble', 'share', bubbleOf],
    ['days', 'days of the run', 'count', (analysis) => costOf(analysis)?.run?.days],
    ['gpuHours', 'GPU-hours of the run', 'count', (analysis) => costOf(analysis)?.run?.gpuHours],
    ['money', 'cost of the run', 'count', (analysis) => costOf(analysis)?.run?.money],
    ['gpus', 'GPUs', 'count', (analysis) => analysis.resolved?.layout?.worldSize],
    ['checkpoint', 'checkpoint', 'bytes', (analysis) => totals(analysis)?.checkpoint.bytes],
    ['parameters', 'parameters', 'count', (analysis) => totals(analysis)?.total],
  ];
}

function totals({ resolved }: Analysis): ReturnType<typeof parameterTotals> {
  return resolved === undefined ? undefined : parameterTotals(resolved);
}

function metricsOf(before: Analysis, after: Analysis): Metric[] {
  return readers().flatMap(([id, label, unit, read]): Metric[] => {
    const [old, now] = [read(before) ?? null, read(after) ?? null];
    // Parts that neither has are no news.
    if ((old ?? 0) === 0 && (now ?? 0) === 0) return [];
    return [{ id, label, unit, before: old, after: now }];
  });
}

function keyOf({ rule, message }: Finding): string {
  return `${rule}\n${message}`;
}

function missing(from: readonly Finding[], others: readonly Finding[]): Finding[] {
  const known = new Set(others.map(keyOf));
  return from.filter((finding) => !known.has(keyOf(finding)));
}

/** What the change from one analysis to another does: to values, memory, time and findings. */
export function compareAnalyses(before: Analysis, after: Analysis): Comparison {
  return {
    changes: changesOf(before.resolved?.plan, after.resolved?.plan),
    metrics: metricsOf(before, after),
    appeared: missing(after.findings, before.findings),
    gone: missing(before.findings, after.findings),
  };
}

/** Relative change, or null where there is nothing to be relative to. */
export function changeOf({ before, after }: Metric): number | null {
  return before === null || after === null || before === 0 ? null : after / before - 1;
}

/** A number in the unit of its metric. */
export function metricText(value: number | null, unit: MetricUnit): string {
  if (value === null) return 'unknown';
  if (unit === 'bytes') return bytes(value);
  if (unit === 'seconds') return seconds(value);
  return unit === 'share' ? percent(value) : count(value);
}

/** `+3.1 %`, `−2.0 points` for shares, empty where nothing moved. */
export function movedText(metric: Metric): string {
  const { before, after, unit } = metric;
  if (before === null || after === null) return '';
  const difference = unit === 'share' ? after - before : (changeOf(metric) ?? 0);
  if (Math.abs(difference) < 0.0005) return '';
  const sign = difference < 0 ? '−' : '+';
  const size = percent(Math.abs(difference));
  return unit === 'share' ? `${sign}${size.replace(' %', ' points')}` : `${sign}${size}`;
}

const HEADLINES = ['memory', 'step', 'tokens', 'bubble', 'kvTokens', 'ttft', 'tpot', 'output'];

/** One line: `memory 70.4 → 78.7 GiB (+11.7 %) · step 16.70 → 16.32 s (−2.3 %)`; undefined where no headline moved. */
export function comparisonLine({ metrics }: Comparison): string | undefined {
  const moved = metrics.filter((metric) => HEADLINES.includes(metric.id) && movedText(metric) !== '');
  if (moved.length === 0) return undefined;
  return moved
    .map((metric) => {
      const [from, to] = [metricText(metric.before, metric.unit), metricText(metric.after, metric.unit)];
      return `${metric.label} ${from} → ${to} (${movedText(metric)})`;
    })
    .join(' · ');
}
