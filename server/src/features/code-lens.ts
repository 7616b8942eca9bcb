import type { CodeLens, Command } from 'vscode-languageserver-types';
import { FIND_LAYOUT } from './advise/action';
import type { Analysis } from './analysis';
import { gpuIsAssumed, memoryAnswer, modelAnswer, pipelineAnswer } from './answers';
import { compareAnalyses, comparisonLine } from './compare';
import { costTitle } from './cost';
import { fieldsInDocument } from './fields';
import { count } from './format';
import { placementTitle } from './placement/lens';
import { servingCostTitle } from './serving-cost';
import { whyUncounted } from './uncounted';

/** Line of the parallel section: the first place where a degree stands, else the first value that we read, else the top. */
function lensLine(analysis: Analysis): number {
  if (analysis.resolved === undefined) return 0;
  const fields = fieldsInDocument(analysis.resolved.plan);
  const degrees = fields.filter(({ field }) => field.startsWith('layout.'));
  const places = (degrees.length > 0 ? degrees : fields).map(({ at }) => (at.keySpan ?? at.span).start);
  return places.length === 0 ? 0 : analysis.lines.positionAt(Math.min(...places)).line;
}

function expertTitle(analysis: Analysis): string | undefined {
  const { model, layout, experts } = analysis.resolved ?? {};
  if (model?.experts === undefined || layout === undefined || experts === undefined || layout.expert <= 1)
    return undefined;
  const slots = model.experts + experts.redundant;
  return `EP ${count(layout.expert)}: ${count(Math.ceil(slots / layout.expert))} expert slots a rank`;
}

/** One lens that tells what the change since the last commit does; none where neither memory nor time moved. */
export function headLenses(analysis: Analysis, head: Analysis): CodeLens[] {
  const title = comparisonLine(compareAnalyses(head, analysis));
  if (title === undefined) return [];
  const line = lensLine(analysis);
  const range = { start: { line, character: 0 }, end: { line, character: 0 } };
  const command = {
    title: `Since the last commit: ${title}`,
    command: 'shardlens.openChange',
    arguments: [analysis.uri],
  };
  return [{ range, command }];
}

/** One line of lenses above the parallel section, each opening its panel. Their number depends on the kind of file, not on its values, so that nothing jumps while typing. */
export function codeLenses(analysis: Analysis): CodeLens[] {
  const { resolved } = analysis;
  if (resolved === undefined) return [];
  const line = lensLine(analysis);
  const range = { start: { line, character: 0 }, end: { line, character: 0 } };
  const lens = (title: string, command: string): CodeLens => {
    const target: Command = { title, command, arguments: [analysis.uri] };
    return { range, command: target };
  };
  const placement = placementTitle(analysis);
  if (placement !== undefined) return [lens(placement, 'shardlens.openPlacement')];
  const memory = resolved.plan.task === 'model' ? modelAnswer(resolved) : memoryAnswer(analysis);
  const guess = resolved.plan.task !== 'model' && gpuIsAssumed(resolved) ? ' (GPU assumed)' : '';
  const lenses = [
    lens(
      memory === undefined
        ? `Memory not counted: ${whyUncounted(analysis) ?? 'its sizes are not known'}`
        : `${memory}${guess}`,
      'shardlens.openMemory',
    ),
  ];
  const pipeline = resolved.plan.task === 'training' ? pipelineAnswer(resolved, 'lens') : undefined;
  if (pipeline !== undefined) lenses.push(lens(pipeline, 'shardlens.openTimeline'));
  const cost = resolved.plan.task === 'training' ? costTitle(analysis) : undefined;
  if (cost !== undefined) lenses.push(lens(`${cost}${guess}`, FIND_LAYOUT));
  const served = resolved.plan.task === 'serving' ? servingCostTitle(analysis) : undefined;
  if (served !== undefined) lenses.push(lens(`${served}${guess}`, 'shardlens.openMemory'));
  const experts = expertTitle(analysis);
  if (experts !== undefined) lenses.push(lens(experts, 'shardlens.openPlacement'));
  return lenses;
}
