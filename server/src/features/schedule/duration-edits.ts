import { meanDurations, scaleDurations } from '../../engine/schedule/scale';
import { completeDurations } from '../../engine/schedule/durations';
import { replaceValue, scalarText, type SyntaxEdit } from '../../syntax/edits';
import type { ConfigNode, MapNode } from '../../syntax/tree';
import type { ResolvedPlan } from '../../plan/plan';
import type { Analysis } from '../analysis';
import { planTimes, type PlanTimes } from './planned';

/** The mapping whose key begins at `start`, where it stands in the text itself. */
function mapAt(node: ConfigNode, start: number): MapNode | undefined {
  if (node.definition !== undefined) return undefined;
  if (node.kind === 'list') return node.items.map((item) => mapAt(item, start)).find((found) => found !== undefined);
  if (node.kind !== 'map') return undefined;
  const own = node.entries.find(({ keySpan }) => keySpan.start === start)?.value;
  if (own !== undefined) return own.kind === 'map' && own.definition === undefined ? own : undefined;
  const around = node.entries.find(({ value }) => value.span.start <= start && start < value.span.end);
  return around === undefined ? undefined : mapAt(around.value, start);
}

/** How typed times change: passes by one factor, transfers by another. */
export interface DurationFactors {
  readonly passes: number;
  readonly transfers: number;
}

function timesWithoutTyped(plan: ResolvedPlan): PlanTimes {
  const { durations: _, ...pipeline } = plan.pipeline;
  return planTimes({ ...plan, pipeline });
}

/** What the cost model makes of typed times under other sizes: the share of them that it sees. Undefined where it times nothing. */
export function modelledFactors(own: ResolvedPlan, next: ResolvedPlan): DurationFactors | undefined {
  const [before, after] = [timesWithoutTyped(own), timesWithoutTyped(next)];
  if (before.origin !== 'model' || after.origin !== 'model') return undefined;
  const share = (a: number, b: number): number => (a > 0 && b > 0 ? b / a : 1);
  return { passes: share(before.mean.F, after.mean.F), transfers: share(before.mean.comm, after.mean.comm) };
}

/** Typed-in durations belong to the file's own sizes: other sizes take the share of them that the cost model sees. */
export function withScaledDurations(own: ResolvedPlan, next: ResolvedPlan): ResolvedPlan {
  const stated = next.pipeline.durations;
  const factors = stated === undefined ? undefined : modelledFactors(own, next);
  if (stated === undefined || factors === undefined) return next;
  const scaled = scaleDurations(completeDurations(stated), factors.passes, factors.transfers);
  return { ...next, pipeline: { ...next.pipeline, durations: meanDurations(scaled) } };
}

/**
 * Edits that scale the times typed into a file, kept to so many digits; none where none are typed or nothing changes, undefined
 * where they do not stand in the text as plain numbers.
 */
export function durationEdits(
  { resolved, tree, text }: Analysis,
  { passes, transfers }: DurationFactors,
  digits: number,
): SyntaxEdit[] | undefined {
  const stated = resolved?.plan.pipeline.durations;
  if (stated === undefined || (passes === 1 && transfers === 1)) return [];
  const at = stated.at?.uri === undefined ? stated.at?.keySpan : undefined;
  const [root] = tree.documents;
  const map = at === undefined || root === undefined ? undefined : mapAt(root, at.start);
  const numbers = map?.entries.filter(({ key }) => (key === 'comm' ? transfers : passes) !== 1);
  const edits = numbers?.flatMap(({ key, value }): SyntaxEdit[] => {
    if (value.kind !== 'scalar' || typeof value.value !== 'number' || value.definition !== undefined) return [];
    const scaled = Number((value.value * (key === 'comm' ? transfers : passes)).toPrecision(digits));
    return [replaceValue(value, scalarText(scaled, tree.language), text)];
  });
  return edits?.length === numbers?.length ? edits : undefined;
}

/** As many digits as a measured time has. */
const MEASURED = 4;

/** Edits that let typed times follow a changed layout, as pictures of tried values do; none where the cost model times nothing. */
export function followingDurations(analysis: Analysis, next: ResolvedPlan | undefined): readonly SyntaxEdit[] {
  const { resolved } = analysis;
  if (resolved?.plan.pipeline.durations === undefined || next === undefined) return [];
  const factors = modelledFactors(resolved, next);
  return factors === undefined ? [] : (durationEdits(analysis, factors, MEASURED) ?? []);
}
