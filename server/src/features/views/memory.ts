import type { MemoryItem, MemoryReport, RankClass } from '../../engine/memory/report';
import type { ResolvedPlan } from '../../plan/plan';
import type { ViewAssumption } from '../../protocol/common';
import type { FitOptionView, MemoryAnswer, MemoryClassView, MemoryItemView } from '../../protocol/memory';
import type { Analysis } from '../analysis';
import { parameterTotals } from '../estimates';
import { linksTo, linkTo } from '../fields';
import { assumptionEffect } from '../fit/assumed';
import { fitOptions } from '../fit/fit';
import { stageList } from '../format';
import { numericsOf } from '../numerics';
import { outsideText } from '../rules/measured-memory';
import { whyUncounted } from '../uncounted';
import { noView, viewAssumptions, viewFrame } from './frame';

function itemView(analysis: Analysis, item: MemoryItem): MemoryItemView {
  return {
    part: item.part,
    group: item.group,
    bytes: item.bytes,
    formula: item.formula,
    links: linksTo(analysis, item.fields),
  };
}

function label(rank: RankClass, pipeline: number): string {
  const ranks = rank.count === 1 ? `rank ${rank.ranks}` : `ranks ${rank.ranks}`;
  return pipeline > 1 && rank.stages.length > 0 ? `${stageList(rank.stages)} · ${ranks}` : ranks;
}

function classView(analysis: Analysis, rank: RankClass): MemoryClassView {
  const { ranks, count, example, coordinates, stages, parts, allocated, reserved, reservedMost, total, fits } = rank;
  return {
    label: label(rank, analysis.resolved?.layout?.pipeline ?? 1),
    ranks,
    count,
    example,
    coordinates,
    stages,
    parts,
    allocated,
    reserved,
    ...(reservedMost === undefined ? {} : { reservedMost }),
    total,
    items: rank.items.map((item) => itemView(analysis, item)),
    ...(fits === undefined ? {} : { fits }),
  };
}

/** Single changes that would help, with the line to change where the file has one. */
function optionViews(analysis: Analysis, resolved: ResolvedPlan, memory: MemoryReport): FitOptionView[] {
  return fitOptions(resolved, memory).map(({ field, value: _value, alone: _alone, ...option }) => {
    const link = linkTo(analysis, field);
    return { ...option, ...(link === undefined ? {} : { link }) };
  });
}

/** What nobody stated, each with the bytes that another likely value would change. */
function weighedAssumptions(analysis: Analysis, resolved: ResolvedPlan, memory: MemoryReport): ViewAssumption[] {
  return viewAssumptions(analysis).map((shown) => {
    const assumption = resolved.assumptions.find(({ field }) => field === shown.field);
    const effect = assumption === undefined ? undefined : assumptionEffect(resolved, memory, assumption);
    return effect === undefined ? shown : { ...shown, effect };
  });
}

/** Memory of every rank class, by part, with the formula and the config lines behind each number. */
export function memoryView(analysis: Analysis): MemoryAnswer {
  const { resolved, memory } = analysis;
  const totals = resolved === undefined ? undefined : parameterTotals(resolved);
  if (resolved?.model === undefined || totals === undefined) return noView(analysis, 'The model is not known.');
  if (memory === undefined && resolved.plan.task !== 'model')
    return noView(analysis, `Memory is not counted: ${whyUncounted(analysis) ?? 'the plan is not complete'}.`);
  const { cluster, layout } = resolved;
  const numerics = numericsOf(resolved);
  const outside = outsideText(resolved);
  return {
    ...viewFrame(analysis, 'Memory'),
    ...(memory === undefined ? {} : { assumptions: weighedAssumptions(analysis, resolved, memory) }),
    task: resolved.plan.task,
    model: { name: resolved.model.name, parameters: totals.total, activeParameters: totals.active },
    ...(cluster === undefined ? {} : { gpu: { name: cluster.gpu, capacityBytes: cluster.memoryBytes } }),
    worldSize: layout?.worldSize ?? 1,
    classes: memory?.classes.map((rank) => classView(analysis, rank)) ?? [],
    peak: memory?.peak ?? { rank: 0, bytes: totals.checkpoint.bytes, classIndex: 0 },
    checkpoint: totals.checkpoint,
    ...(memory?.kvCache === undefined ? {} : { kvCache: memory.kvCache }),
    ...(outside === undefined ? {} : { outside }),
    ...(numerics === undefined ? {} : { numerics }),
    ...(memory === undefined ? {} : { options: optionViews(analysis, resolved, memory) }),
  };
}
