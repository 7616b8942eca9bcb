import type { MemoryItem, RankClass } from '../../engine/memory/report';
import type { MemoryAnswer, MemoryClassView, MemoryItemView } from '../../protocol/memory';
import type { Analysis } from '../analysis';
import { parameterTotals } from '../estimates';
import { linksTo } from '../fields';
import { stageList } from '../format';
import { numericsOf } from '../numerics';
import { noView, viewFrame } from './frame';

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
  const { ranks, count, example, coordinates, stages, parts, allocated, reserved, total, fits } = rank;
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
    total,
    items: rank.items.map((item) => itemView(analysis, item)),
    ...(fits === undefined ? {} : { fits }),
  };
}

/** Memory of every rank class, by part, with the formula and the config lines behind each number. */
export function memoryView(analysis: Analysis): MemoryAnswer {
  const { resolved, memory } = analysis;
  const totals = resolved === undefined ? undefined : parameterTotals(resolved);
  if (resolved?.model === undefined || totals === undefined) return noView(analysis, 'The model is not known.');
  if (memory === undefined && resolved.plan.task !== 'model')
    return noView(analysis, 'The memory of this plan cannot be computed yet.');
  const { cluster, layout } = resolved;
  const numerics = numericsOf(resolved);
  return {
    ...viewFrame(analysis, 'Memory'),
    task: resolved.plan.task,
    model: { name: resolved.model.name, parameters: totals.total, activeParameters: totals.active },
    ...(cluster === undefined ? {} : { gpu: { name: cluster.gpu, capacityBytes: cluster.memoryBytes } }),
    worldSize: layout?.worldSize ?? 1,
    classes: memory?.classes.map((rank) => classView(analysis, rank)) ?? [],
    peak: memory?.peak ?? { rank: 0, bytes: totals.checkpoint.bytes, classIndex: 0 },
    checkpoint: totals.checkpoint,
    ...(memory?.kvCache === undefined ? {} : { kvCache: memory.kvCache }),
    ...(numerics === undefined ? {} : { numerics }),
  };
}
