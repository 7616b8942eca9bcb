import type { RankClass } from '../engine/memory/report';
import type { LayoutSpec } from '../engine/spec/layout';
import type { ResolvedPlan } from '../plan/plan';
import { attentionTensor } from '../plan/rules/model-splits';
import type { Analysis } from './analysis';
import { parameterTotals } from './estimates';
import { scheduleAnswers } from './schedule/answers';
import { pipelineSummary } from './schedule/planned';
import { numericsAnswer } from './numerics';
import { bytes, count, gib, parameters, percent, plural, stageList } from './format';

/** The fullest rank class of the report. */
export function peakClass(analysis: Analysis): RankClass | undefined {
  return analysis.memory?.classes[analysis.memory.peak.classIndex];
}

/** True when the GPU is a guess: then no answer about fitting may sound certain. */
export function gpuIsAssumed(resolved: ResolvedPlan): boolean {
  return (resolved.plan.cluster.gpu?.origin ?? 'assumed') === 'assumed';
}

/** `71.2 of 80.0 GiB on rank 0, stage 0`; without a device only the size. */
export function memoryAnswer(analysis: Analysis): string | undefined {
  const peak = peakClass(analysis);
  const { resolved } = analysis;
  if (peak === undefined || resolved === undefined) return undefined;
  const size =
    peak.capacity === undefined ? `${gib(peak.total)} GiB` : `${gib(peak.total)} of ${gib(peak.capacity)} GiB`;
  const stage = peak.stages.length === 0 || (resolved.layout?.pipeline ?? 1) === 1 ? '' : `, ${stageList(peak.stages)}`;
  return `${size} on rank ${peak.example}${stage}`;
}

/** `DualPipe 8 × 32 · bubble 8.1 %` for a training pipeline of more than one stage; a lens has no room to say of what. */
export function pipelineAnswer(resolved: ResolvedPlan, room: 'hover' | 'lens' = 'hover'): string | undefined {
  const summary = pipelineSummary(resolved);
  if (summary === undefined) return undefined;
  const of = room === 'lens' ? '' : " of every rank's time, mean";
  return `${summary.title} · bubble ${percent(summary.bubble)}${of} · peak ${plural(summary.peakActivations, 'activation')}`;
}

function headsAnswer({ model }: ResolvedPlan, layout: LayoutSpec): string | undefined {
  if (model === undefined) return undefined;
  const ranks = attentionTensor(layout);
  if (!Number.isInteger(ranks) || model.heads % ranks !== 0) return undefined;
  const heads = `${count(model.heads)} heads: ${count(model.heads / ranks)} a rank`;
  if (model.attention === 'mla')
    return ranks === 1
      ? `${heads}; every rank keeps the MLA cache of its own requests`
      : `${heads}; the MLA cache is kept whole on each of ${plural(ranks, 'rank')}`;
  const copies = ranks / model.kvHeads;
  return copies > 1
    ? `${heads}; ${model.kvHeads} KV heads, each kept on ${plural(copies, 'rank')}`
    : `${heads}; ${model.kvHeads} KV heads: ${Math.max(1, model.kvHeads / ranks)} a rank`;
}

function expertsAnswer({ model, experts }: ResolvedPlan, layout: LayoutSpec): string | undefined {
  if (model?.experts === undefined || model.experts === 0) return undefined;
  const slots = model.experts + experts.redundant;
  const spread =
    slots % layout.expert === 0
      ? `${count(slots / layout.expert)} expert slots a rank`
      : `${count(slots)} slots over ${count(layout.expert)} ranks`;
  return `${count(model.experts)} experts${experts.redundant > 0 ? ` + ${count(experts.redundant)} redundant` : ''}: ${spread}`;
}

function batchAnswer({ batch, layout }: ResolvedPlan): string | undefined {
  if (batch === undefined || layout === undefined) return undefined;
  const tokens = batch.globalBatch * batch.sequenceLength;
  return `${count(batch.globalBatch)} samples · ${parameters(tokens)} tokens a step · ${plural(batch.microbatches, 'microbatch').replace(/hs$/, 'hes')} a data-parallel rank`;
}

function kvAnswer(analysis: Analysis): string | undefined {
  const kv = analysis.memory?.kvCache;
  if (kv === undefined) return undefined;
  const tokens = kv.tokens === undefined ? '' : ` · room for ${count(kv.tokens)} tokens an attention rank`;
  return `${count(kv.bytesPerToken)} B of KV cache a token${tokens}`;
}

/** What the model weighs: parameters, active ones, and the checkpoint. */
export function modelAnswer(resolved: ResolvedPlan): string | undefined {
  const totals = parameterTotals(resolved);
  if (totals === undefined) return undefined;
  const active = totals.active === totals.total ? '' : `, ${parameters(totals.active)} active`;
  return `${parameters(totals.total)} parameters${active} · checkpoint ${bytes(totals.checkpoint.bytes)}`;
}

/** Lines that answer what a person would ask of one field, nearest answer first. */
export function answersFor(analysis: Analysis, field: string): string[] {
  const { resolved } = analysis;
  if (resolved === undefined) return [];
  const { layout } = resolved;
  const [section = ''] = field.split('.');
  const lines: (string | undefined)[] = [];
  const memory = memoryAnswer(analysis);
  if (section === 'model' || section === 'quantization')
    lines.push(resolved.plan.task === 'model' ? undefined : memory, modelAnswer(resolved));
  else lines.push(memory);
  if (layout !== undefined && /^layout\.(tensor|attentionData)$/.test(field)) lines.push(headsAnswer(resolved, layout));
  if (layout !== undefined && (section === 'experts' || field === 'layout.expert' || field === 'layout.expertTensor'))
    lines.push(expertsAnswer(resolved, layout));
  if (section === 'batch') lines.push(batchAnswer(resolved));
  if (section === 'serving' || field === 'layout.attentionData') lines.push(kvAnswer(analysis));
  if (section === 'pipeline' || section === 'batch' || /^layout\.(pipeline|virtualPipeline|stageLayers)$/.test(field))
    lines.push(pipelineAnswer(resolved), ...scheduleAnswers(resolved, field));
  if (section === 'quantization' || /^precision\.(fp8|compute)/.test(field)) lines.push(...numericsAnswer(resolved));
  return lines.filter((line): line is string => line !== undefined);
}
