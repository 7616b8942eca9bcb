import type { Finding } from '../../plan/finding';
import type { ResolvedPlan } from '../../plan/plan';
import { placementShape, fallbackNote, policyOf, singleNote } from './planned';

/** True where the file itself asks for balanced experts. */
function isBalanced({ plan, experts }: ResolvedPlan): boolean {
  const { algorithm } = plan.experts;
  const stated = algorithm !== undefined && (algorithm.origin === 'file' || algorithm.origin === 'derived');
  return experts.algorithm !== 'custom' && experts.algorithm !== 'trivial' && (stated || experts.redundant > 0);
}

/**
 * What a balancer will do with the sizes of a serving config without a word: leave expert groups aside where nodes do not divide them, and
 * not balance at all with one slot a GPU. Only on sizes that the file states.
 */
export function placementRemarks(resolved: ResolvedPlan): readonly Finding[] {
  const { plan } = resolved;
  const { nodes } = plan.cluster;
  const { expert } = plan.layout;
  if (plan.task !== 'serving' || expert === undefined || expert.origin === 'assumed' || !isBalanced(resolved))
    return [];
  const shape = placementShape(resolved);
  if (shape === undefined || shape.slots % shape.gpus !== 0) return [];
  const policy = policyOf(resolved);
  const remark = (rule: string, notes: readonly string[], at: Finding['at']): Finding[] =>
    notes.map((message) => ({ rule, severity: 'information', message, ...(at === undefined ? {} : { at }) }));
  const stated = nodes !== undefined && nodes.origin !== 'assumed' && nodes.value === shape.nodes;
  return [
    ...(stated ? remark('expert-groups-left-aside', fallbackNote(shape, policy), nodes.at ?? expert.at) : []),
    ...remark('experts-not-balanced', singleNote(shape, policy), plan.experts.redundant?.at ?? expert.at),
  ];
}
