import { balance, PLACEMENT_POLICIES } from '../../engine/placement/place';
import { encodeColumn } from '../../protocol/columns';
import type { PlacementAnswer, PlacementParams, PlacementView } from '../../protocol/placement';
import type { Analysis, FileLookup } from '../analysis';
import { linksTo } from '../fields';
import { placementSources } from '../placement/sources';
import { plannedPlacement, type PlannedPlacement } from '../placement/planned';
import { noView, viewFrame } from './frame';

const LINKED = [
  'layout.expert',
  'experts.redundant',
  'experts.algorithm',
  'experts.locationFile',
  'model.experts',
  'cluster.gpusPerNode',
];

function flatten(rows: readonly Float64Array[]): Float64Array {
  const width = rows[0]?.length ?? 0;
  const flat = new Float64Array(rows.length * width);
  rows.forEach((row, index) => {
    flat.set(row, index * width);
  });
  return flat;
}

function flattenInts(rows: readonly Int32Array[]): Int32Array {
  const width = rows[0]?.length ?? 0;
  const flat = new Int32Array(rows.length * width);
  rows.forEach((row, index) => {
    flat.set(row, index * width);
  });
  return flat;
}

function view(analysis: Analysis, planned: PlannedPlacement, fromFile: boolean): PlacementView {
  const { placement, loads, uniformLoads, firstLayer } = planned;
  const { shape } = placement;
  const { gpuLoads, meanOverMax, lowerBound } = balance(placement, loads);
  return {
    ...viewFrame(analysis, 'Experts'),
    policy: placement.policy,
    policies: fromFile ? ['file', ...PLACEMENT_POLICIES] : PLACEMENT_POLICIES,
    layers: placement.physicalToLogical.length,
    firstLayer,
    experts: shape.experts,
    slots: shape.slots,
    gpus: shape.gpus,
    nodes: shape.nodes,
    groups: shape.groups,
    uniformLoads,
    columns: {
      physicalToLogical: encodeColumn(flattenInts(placement.physicalToLogical)),
      loads: encodeColumn(flatten(loads)),
      gpuLoads: encodeColumn(flatten(gpuLoads)),
    },
    meanOverMax,
    lowerBound,
    links: linksTo(analysis, LINKED),
  };
}

/** Where every expert replica of the plan sits, with its load; a refusal comes back as its sentence. */
export function placementView(analysis: Analysis, params: PlacementParams, files: FileLookup): PlacementAnswer {
  const { resolved } = analysis;
  if (resolved?.model === undefined || resolved.layout === undefined)
    return noView(analysis, 'The model is not known.');
  const sources = placementSources(analysis, files);
  const planned = plannedPlacement(resolved, sources, params.policy);
  const { uri } = analysis;
  if (planned === undefined) {
    const dense = (resolved.model.experts ?? 0) === 0;
    return {
      empty: true,
      uri,
      reason: dense
        ? `${resolved.model.name} has no routed experts.`
        : 'All experts sit on every rank: expert parallelism is 1 in this file.',
    };
  }
  if ('rule' in planned) return { empty: true, uri, reason: planned.message };
  return view(analysis, planned, sources.map !== undefined);
}
