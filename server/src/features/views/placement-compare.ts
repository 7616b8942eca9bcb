import { judge, movedSlots, sampledTokens } from '../../engine/placement/judge';
import type { Placement } from '../../engine/placement/placement';
import { balance } from '../../engine/placement/place';
import type { PlacementCandidate } from '../../protocol/placement';
import type { ResolvedPlan } from '../../plan/plan';
import { expertBytes, routingOf, trafficOf } from '../placement/costs';
import { knownOf, plannedInTurns, tracesOf, type PlannedPlacement, type PlacementSizes } from '../placement/planned';
import type { PlacementSources } from '../placement/sources';

/** What is set against the placement in view; the robust one needs several recordings. */
const CANDIDATES = [
  'trivial',
  'eplb',
  'eplb-global',
  'optimized-anchored',
  'optimized-global',
  'optimized-affinity',
  'optimized-robust',
];

/** Weights come over the network when an expert changes its node, and over the slower of both links when nothing is known. */
function moveSeconds(resolved: ResolvedPlan, nodes: number, bytes: number): number | undefined {
  const { nicBandwidth, nvlinkBandwidth } = resolved.cluster ?? {};
  const bandwidth = nodes > 1 ? nicBandwidth : nvlinkBandwidth;
  return bandwidth === undefined || bandwidth <= 0 ? undefined : bytes / bandwidth;
}

function moveOf(
  resolved: ResolvedPlan,
  from: Placement,
  to: Placement,
): Pick<PlacementCandidate, 'movedSlots' | 'movedBytes' | 'movedSeconds'> {
  const move = movedSlots(from, to);
  const bytes = expertBytes(resolved);
  if (move === undefined) return {};
  if (bytes === undefined) return { movedSlots: move.slots };
  const seconds = moveSeconds(resolved, to.shape.nodes, move.busiest * bytes);
  return {
    movedSlots: move.slots,
    movedBytes: move.slots * bytes,
    ...(seconds === undefined ? {} : { movedSeconds: seconds }),
  };
}

/** The placement in view and the usual others, judged on the same loads. Yields between them, since some take a while. */
export function* comparePlacements(
  resolved: ResolvedPlan,
  sources: PlacementSources,
  current: PlannedPlacement,
  sizes: PlacementSizes,
): Generator<undefined, readonly PlacementCandidate[]> {
  const routing = routingOf(resolved);
  const { loads } = current;
  const traces = tracesOf(sources, knownOf(resolved));
  const tokens = routing === undefined ? undefined : sampledTokens(loads, routing, traces);
  const several = (sources.loads?.steps?.length ?? 0) > 1;
  const names = CANDIDATES.filter(
    (name) =>
      name !== current.placement.policy &&
      (several || name !== 'optimized-robust') &&
      (traces !== undefined || name !== 'optimized-affinity'),
  );
  const rows: PlacementCandidate[] = [];
  for (const policy of [current.placement.policy, ...names]) {
    yield undefined;
    const planned =
      policy === current.placement.policy ? current : yield* plannedInTurns(resolved, sources, policy, sizes);
    if (planned === undefined) continue;
    if ('rule' in planned) {
      rows.push({ policy, refusal: planned.message });
      continue;
    }
    const { placement } = planned;
    const { equal, fixed, lp, duplicates } = judge(placement, loads);
    const traffic = trafficOf(resolved, placement, loads, 1 / Math.max(1e-9, equal.mean), tokens);
    rows.push({
      policy,
      evenness: equal,
      fixed,
      lp,
      duplicates,
      meanOverMax: balance(placement, loads).meanOverMax,
      ...(traffic === undefined ? {} : { traffic }),
      ...(placement === current.placement ? {} : moveOf(resolved, current.placement, placement)),
    });
  }
  return rows;
}
