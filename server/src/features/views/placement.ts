import { evennessOf, judge } from '../../engine/placement/judge';
import { balance, PLACEMENT_POLICIES } from '../../engine/placement/place';
import { encodeColumn } from '../../protocol/columns';
import type { NoView } from '../../protocol/common';
import type { PlacementAnswer, PlacementCandidate, PlacementParams, PlacementView } from '../../protocol/placement';
import type { ResolvedPlan } from '../../plan/plan';
import type { Analysis, FileLookup } from '../analysis';
import { linksTo } from '../fields';
import { expertBytes, moeLayersOfRank, trafficOf } from '../placement/costs';
import { isTensorFile } from '../placement/loads';
import { placementShape, plannedInTurns, type PlannedPlacement, type PlacementSizes } from '../placement/planned';
import { placementSources, type PlacementSources } from '../placement/sources';
import { noView, viewFrame } from './frame';
import { comparePlacements } from './placement-compare';

const LINKED = [
  'layout.expert',
  'experts.redundant',
  'experts.algorithm',
  'experts.locationFile',
  'model.experts',
  'cluster.gpusPerNode',
];

/** Layers beyond this are judged under equal dispatch alone: the table of static dispatch has an entry for each rank, layer and expert. */
const MOST_STATIC = 8e6;

function flatten<Row extends Int32Array | Float64Array>(rows: readonly Row[], make: (length: number) => Row): Row {
  const width = rows[0]?.length ?? 0;
  const flat = make(rows.length * width);
  rows.forEach((row, index) => {
    flat.set(row, index * width);
  });
  return flat;
}

function judged(planned: PlannedPlacement): Pick<PlacementView, 'evenness' | 'fixed' | 'lp'> {
  const { placement, loads } = planned;
  const { gpus, experts } = placement.shape;
  if (gpus * experts * placement.physicalToLogical.length > MOST_STATIC)
    return { evenness: evennessOf(balance(placement, loads).gpuLoads) };
  const { equal, fixed, lp } = judge(placement, loads);
  return { evenness: equal, fixed, lp };
}

function view(
  analysis: Analysis,
  resolved: ResolvedPlan,
  planned: PlannedPlacement,
  sources: PlacementSources,
): PlacementView {
  const { placement, loads, uniformLoads, firstLayer, notes } = planned;
  const { shape } = placement;
  const { gpuLoads, meanOverMax, lowerBound } = balance(placement, loads);
  const own = judged(planned);
  const bytes = expertBytes(resolved);
  const traffic = trafficOf(resolved, placement, loads, 1 / Math.max(1e-9, own.evenness?.mean ?? 1));
  const { dispatch } = resolved.experts;
  const isText = sources.mapUri !== undefined && !isTensorFile(sources.mapUri);
  return {
    ...viewFrame(analysis, 'Experts'),
    policy: placement.policy,
    policies: sources.map === undefined ? PLACEMENT_POLICIES : ['file', ...PLACEMENT_POLICIES],
    layers: placement.physicalToLogical.length,
    firstLayer,
    experts: shape.experts,
    slots: shape.slots,
    gpus: shape.gpus,
    nodes: shape.nodes,
    groups: shape.groups,
    uniformLoads,
    notes: sources.refused === undefined ? notes : [...notes, `${sources.refused}.`],
    columns: {
      physicalToLogical: encodeColumn(flatten(placement.physicalToLogical, (length) => new Int32Array(length))),
      loads: encodeColumn(flatten(loads, (length) => new Float64Array(length))),
      gpuLoads: encodeColumn(flatten(gpuLoads, (length) => new Float64Array(length))),
    },
    meanOverMax,
    lowerBound,
    ...own,
    ...(resolved.model === undefined ? {} : { modelLayers: resolved.model.layers }),
    ...(uniformLoads || sources.loadsName === undefined ? {} : { loadsName: sources.loadsName }),
    ...(dispatch === undefined ? {} : { dispatch }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(bytes === undefined ? {} : { expertBytes: bytes, slotLayers: moeLayersOfRank(resolved) }),
    ...(placement.policy === 'file' && isText ? { mapUri: sources.mapUri } : {}),
    links: linksTo(analysis, LINKED),
  };
}

/** What-if sizes over those of the file; redundant experts are asked for, slots are placed. */
export function sizesOf(resolved: ResolvedPlan, params: PlacementParams, sources: PlacementSources): PlacementSizes {
  const { redundant, gpus, nodes } = params;
  const shape = placementShape(resolved, gpus === undefined ? {} : { gpus });
  const experts = shape?.experts ?? sources.loads?.loads[0]?.length;
  return {
    ...(redundant === undefined || experts === undefined ? {} : { slots: experts + redundant }),
    ...(gpus === undefined ? {} : { gpus }),
    ...(nodes === undefined ? {} : { nodes }),
  };
}

/** A placement with what it was made of. */
export interface AskedPlacement {
  readonly planned: PlannedPlacement;
  readonly resolved: ResolvedPlan;
  readonly sizes: PlacementSizes;
}

/** The placement that the panel asks for, or why there is none. */
export function* askedPlacement(
  analysis: Analysis,
  params: PlacementParams,
  sources: PlacementSources,
): Generator<undefined, AskedPlacement | NoView> {
  const { resolved, uri } = analysis;
  const isPlacement = analysis.dialect?.id === 'placement';
  if (resolved === undefined || (!isPlacement && (resolved.model === undefined || resolved.layout === undefined)))
    return noView(analysis, 'The model is not known.');
  const sizes = sizesOf(resolved, params, sources);
  const planned = yield* plannedInTurns(resolved, sources, params.policy, sizes);
  if (planned === undefined) {
    const { model } = resolved;
    const reason =
      isPlacement || model === undefined
        ? `This file gives no placement to draw${sources.refused === undefined ? '' : `: ${sources.refused}`}.`
        : (model.experts ?? 0) === 0
          ? `${model.name} has no routed experts.`
          : 'All experts sit on every rank: expert parallelism is 1 in this file.';
    return { empty: true, uri, reason };
  }
  return 'rule' in planned ? { empty: true, uri, reason: planned.message } : { planned, resolved, sizes };
}

/** Where every expert replica of the plan sits, with its load; a refusal comes back as its sentence. Yields while others are compared with it. */
export function* placementSteps(
  analysis: Analysis,
  params: PlacementParams,
  files: FileLookup,
): Generator<undefined, PlacementAnswer> {
  const sources = placementSources(analysis, files);
  const asked = yield* askedPlacement(analysis, params, sources);
  if ('empty' in asked) return asked;
  const { planned, resolved, sizes } = asked;
  const own = view(analysis, resolved, planned, sources);
  if (params.compare !== true) return own;
  const compare: readonly PlacementCandidate[] = yield* comparePlacements(resolved, sources, planned, sizes);
  return { ...own, compare };
}

/** The whole answer at once, for callers that may wait. */
export function placementView(analysis: Analysis, params: PlacementParams, files: FileLookup): PlacementAnswer {
  const steps = placementSteps(analysis, params, files);
  for (let step = steps.next(); ; step = steps.next()) if (step.done === true) return step.value;
}
