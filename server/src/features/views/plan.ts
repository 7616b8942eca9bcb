import { gpuNames, modelNames } from '../../dialects/presets';
import type { NoView } from '../../protocol/common';
import type { PlanFact, PlanView } from '../../protocol/requests';
import type { Analysis } from '../analysis';
import { gpuIsAssumed, memoryAnswer, modelAnswer } from '../answers';
import { linkTo, planField } from '../fields';
import { count } from '../format';
import { placementTitle } from '../placement/lens';
import { whyUncounted } from '../uncounted';

const FACTS: readonly (readonly [field: string, label: string])[] = [
  ['model.name', 'Model'],
  ['cluster.gpu', 'GPU'],
  ['cluster.nodes', 'Nodes'],
  ['cluster.gpus', 'GPUs'],
  ['cluster.gpusPerNode', 'GPUs a node'],
  ['layout.tensor', 'TP'],
  ['layout.pipeline', 'PP'],
  ['layout.virtualPipeline', 'VPP'],
  ['layout.context', 'CP'],
  ['layout.expert', 'EP'],
  ['layout.expertTensor', 'ETP'],
  ['layout.attentionData', 'DP attention'],
  ['pipeline.kind', 'Schedule'],
  ['experts.redundant', 'Redundant experts'],
];

function fact(analysis: Analysis, field: string, label: string): PlanFact[] {
  const source = analysis.resolved === undefined ? undefined : planField(analysis.resolved.plan, field);
  if (source === undefined) return [];
  const link = linkTo(analysis, field);
  const value = typeof source.value === 'number' ? count(source.value) : String(source.value);
  return [
    {
      field,
      label,
      value,
      origin: source.note === undefined ? source.origin : `${source.origin}: ${source.note}`,
      ...(link === undefined ? {} : { link }),
    },
  ];
}

function summary(analysis: Analysis): string {
  const { resolved } = analysis;
  if (resolved === undefined) return '';
  const placement = placementTitle(analysis);
  if (placement !== undefined) return placement;
  if (resolved.plan.task === 'model') return modelAnswer(resolved) ?? resolved.plan.model.name?.value ?? 'model config';
  const world = resolved.layout === undefined ? undefined : `${count(resolved.layout.worldSize)} × `;
  const gpu =
    resolved.cluster === undefined
      ? 'GPU not known'
      : `${world ?? ''}${resolved.cluster.gpu}${gpuIsAssumed(resolved) ? ' (assumed)' : ''}`;
  const why = resolved.model === undefined ? undefined : whyUncounted(analysis);
  const memory = why === undefined ? memoryAnswer(analysis) : `memory not counted: ${why}`;
  return [resolved.model?.name ?? 'model not known', gpu, memory].filter((part) => part !== undefined).join(' · ');
}

/** What the file was taken for, and where model and cluster come from: the status item. */
export function planView(analysis: Analysis): PlanView | NoView {
  const { detection, dialect, resolved } = analysis;
  if (detection === undefined || dialect === undefined || resolved === undefined) {
    return {
      empty: true,
      uri: analysis.uri,
      reason: 'This file was not recognised as a parallelism, serving or model config.',
    };
  }
  return {
    uri: analysis.uri,
    version: analysis.version,
    dialect: dialect.id,
    dialectTitle: dialect.title,
    confidence: detection.confidence,
    reasons: detection.reasons,
    task: resolved.plan.task,
    summary: summary(analysis),
    facts: FACTS.flatMap(([field, label]) => fact(analysis, field, label)),
    missing: resolved.missing,
    choices: { models: modelNames(), gpus: gpuNames() },
  };
}
