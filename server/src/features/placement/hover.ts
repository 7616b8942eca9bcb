import { mean } from '../../engine/placement/judge';
import { balance } from '../../engine/placement/place';
import type { Analysis, FileLookup } from '../analysis';
import { bytes, count, gib, plural } from '../format';
import { moeLayersOfRank, slotBytes, trafficOf } from './costs';
import { plannedPlacement, type PlannedPlacement } from './planned';
import { placementSources } from './sources';

/** Fields whose hover tells of placement. */
const FIELDS = /^(?:experts\.|layout\.expert$)/;

function balanceLine(planned: PlannedPlacement, best: PlannedPlacement | undefined, loadsName: string): string {
  const even = mean(balance(planned.placement, planned.loads).meanOverMax);
  const other =
    best === undefined ? '' : `, ${mean(balance(best.placement, best.loads).meanOverMax).toFixed(3)} optimised`;
  return `Balance on ${loadsName}: ${even.toFixed(3)} mean/max (${planned.placement.policy})${other}`;
}

function trafficLine(analysis: Analysis, planned: PlannedPlacement): string | undefined {
  const { resolved } = analysis;
  const { placement, loads } = planned;
  const even = mean(balance(placement, loads).meanOverMax);
  const traffic = resolved === undefined ? undefined : trafficOf(resolved, placement, loads, 1 / Math.max(1e-9, even));
  if (traffic === undefined) return undefined;
  const { gpus, nodes } = placement.shape;
  const sent = traffic.dispatchBytes + traffic.combineBytes;
  const over = sent > 0 ? `${bytes(sent)} over the network, there and back` : 'all joined by NVLink';
  const network = nodes === 1 ? '' : ` and ${traffic.nodes.toFixed(1)} of ${count(nodes)} nodes, ${over}`;
  return `A token reaches ${traffic.gpus.toFixed(1)} of ${plural(gpus, 'GPU')}${network}, a layer`;
}

/** What one more slot on every rank costs, in all its layers. */
function slotLine(analysis: Analysis): string | undefined {
  const { resolved } = analysis;
  const one = resolved === undefined ? undefined : slotBytes(resolved);
  if (resolved === undefined || one === undefined) return undefined;
  return `One more expert slot a rank: ${gib(one)} GiB in ${plural(moeLayersOfRank(resolved), 'MoE layer')}`;
}

function planned(analysis: Analysis, files: FileLookup): string[] {
  const { resolved } = analysis;
  if (resolved === undefined) return [];
  const sources = placementSources(analysis, files);
  const current = plannedPlacement(resolved, sources);
  if (current === undefined) return [];
  if ('rule' in current)
    return [`No placement: ${current.message}${current.condition === undefined ? '' : ` (${current.condition})`}`];
  const best = current.uniformLoads ? undefined : plannedPlacement(resolved, sources, 'optimized');
  const lines = [
    current.uniformLoads
      ? 'Balance: no recording of loads is known; name one with `# shardlens: loads=…`'
      : balanceLine(current, best === undefined || 'rule' in best ? undefined : best, sources.loadsName ?? 'the loads'),
    trafficLine(analysis, current),
    ...current.notes,
  ];
  return lines.filter((line): line is string => line !== undefined);
}

/** Lines about the placement of experts for the hover of a field: expected balance, where tokens go, what a slot costs. */
export function placementLines(analysis: Analysis, field: string, files: FileLookup): string[] {
  if (
    !FIELDS.test(field) ||
    analysis.resolved?.model?.experts === undefined ||
    analysis.resolved.plan.task !== 'serving'
  )
    return [];
  const slot = field === 'experts.redundant' || field === 'layout.expert' ? slotLine(analysis) : undefined;
  return [...planned(analysis, files), ...(slot === undefined ? [] : [slot])];
}
