import type { SyntaxEdit } from '../../syntax/edits';
import type { ResolvedPlan } from '../../plan/plan';
import { writeField } from '../advise/write-field';
import type { Analysis } from '../analysis';
import { planField } from '../fields';
import { durationEdits } from './duration-edits';
import { passFactor } from './planned';
import { isLooped, planUnder, type ScheduleAsk } from './variant';

/** All that a switch to another schedule writes, and what it touches besides the schedule's own word. */
export interface SwitchEdits {
  readonly edits: readonly SyntaxEdit[];
  readonly also: readonly string[];
}

/** Ten digits keep every time exact that a person would type, and no digits of binary fractions. */
const EXACT = 10;

/** Chunks a rank that the file has to state, take back or leave as they are (undefined). */
function chunkEdits(
  analysis: Analysis,
  resolved: ResolvedPlan,
  asked: ResolvedPlan,
): readonly SyntaxEdit[] | undefined {
  const [own, wanted] = [resolved.layout?.virtualPipeline, asked.layout?.virtualPipeline];
  const said = resolved.plan.layout.virtualPipeline?.origin === 'file';
  if (own === wanted || wanted === undefined) return [];
  if (isLooped(asked.pipeline.kind)) return said || resolved.plan.dialect === 'shardlens' ? write(wanted) : [];
  return said ? write(undefined) : [];

  function write(value: number | undefined): readonly SyntaxEdit[] | undefined {
    return writeField(analysis, 'layout.virtualPipeline', value);
  }
}

/** A split of layers made by hand belongs to its number of stages, and is made anew for another. */
function splitEdits(
  analysis: Analysis,
  resolved: ResolvedPlan,
  asked: ResolvedPlan,
): readonly SyntaxEdit[] | undefined {
  const [own, wanted] = [resolved.layout?.stageLayers, asked.layout?.stageLayers];
  if (String(own) === String(wanted) || planField(resolved.plan, 'layout.stageLayers')?.origin !== 'file') return [];
  return writeField(analysis, 'layout.stageLayers', wanted);
}

/**
 * Everything that has to change in a file besides the schedule's own word, so that the file afterwards is the plan that was tried:
 * typed times, chunks a rank and a stated split of layers. Undefined where one of them has no place in the text.
 */
export function editsBeside(analysis: Analysis, resolved: ResolvedPlan, ask: ScheduleAsk): SwitchEdits | undefined {
  const asked = planUnder(resolved, ask);
  const parts: readonly (readonly [string, readonly SyntaxEdit[] | undefined])[] = [
    ['durations', durationEdits(analysis, { passes: passFactor(resolved, asked), transfers: 1 }, EXACT)],
    ['chunks', chunkEdits(analysis, resolved, asked)],
    ['layers a stage', splitEdits(analysis, resolved, asked)],
  ];
  const edits: SyntaxEdit[] = [];
  const also: string[] = [];
  for (const [name, own] of parts) {
    if (own === undefined) return undefined;
    edits.push(...own);
    if (own.length > 0) also.push(name);
  }
  return { edits, also };
}
