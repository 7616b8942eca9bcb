import {
  fallsBackToGlobal,
  isPlacementRefusal,
  isPolicy,
  type PlacementPolicy,
  type PlacementRefusal,
} from '../../engine/placement/place';
import { placeInTurns } from '../../engine/placement/turns';
import type { Loads, Placement, PlacementShape } from '../../engine/placement/placement';
import type { RoutedTokens } from '../../engine/placement/router';
import type { ResolvedPlan } from '../../plan/plan';
import type { PlacementSources } from './sources';

/** A placement of a plan with the loads it was judged on. */
export interface PlannedPlacement {
  readonly placement: Placement;
  readonly loads: Loads;
  readonly uniformLoads: boolean;
  /** Model layer of the first row. */
  readonly firstLayer: number;
  /** What happened that nobody asked for: a policy that gave up its groups, GPUs that were guessed. */
  readonly notes: readonly string[];
}

/** Sizes that the caller sets over those of the plan. */
export type PlacementSizes = Partial<Pick<PlacementShape, 'slots' | 'gpus' | 'nodes' | 'groups'>>;

/** The part of a plan that placements need; a placement file has no plan of its own. */
export interface Known {
  readonly experts: number;
  readonly groups: number;
  readonly layers: number;
  readonly moeLayers: readonly boolean[];
}

export function knownOf({ model }: ResolvedPlan): Known | undefined {
  return model?.experts === undefined || model.experts <= 0
    ? undefined
    : {
        experts: model.experts,
        groups: model.expertGroups ?? 1,
        layers: model.layers,
        moeLayers: model.moeLayers ?? [],
      };
}

function moeRows(known: Known | undefined): { readonly first: number; readonly count: number } {
  const pattern = known?.moeLayers ?? [];
  return { first: Math.max(0, pattern.indexOf(true)), count: pattern.filter(Boolean).length };
}

/** Rows that belong to MoE layers: SGLang's files have a row for every dense layer as well. */
function moeOnly<Row>(rows: readonly Row[], known: Known | undefined): readonly Row[] {
  const { first, count } = moeRows(known);
  return count > 0 && rows.length === known?.layers && count < rows.length ? rows.slice(first, first + count) : rows;
}

/** GPUs for a file that says nothing of them: as many as give each an even part of the redundant slots, at most 64. */
function guessedGpus(slots: number, experts: number): number {
  const fits = [64, 32, 16, 8, 4, 2].filter((gpus) => slots % gpus === 0 && slots / gpus >= 2);
  return fits.find((gpus) => slots > experts && (slots - experts) % gpus === 0) ?? fits[0] ?? 1;
}

/** Slots, GPUs, nodes and groups of a plan; undefined without routed experts over more than one rank. */
export function placementShape(resolved: ResolvedPlan, sizes: PlacementSizes = {}): PlacementShape | undefined {
  const { model, layout, experts, cluster } = resolved;
  const gpus = sizes.gpus ?? layout?.expert ?? 1;
  if (model?.experts === undefined || model.experts <= 0 || gpus <= 1) return undefined;
  const perNode = cluster?.gpusPerNode ?? gpus;
  return {
    layers: moeRows(knownOf(resolved)).count,
    experts: model.experts,
    slots: model.experts + experts.redundant,
    gpus,
    nodes: nodesOf(gpus, perNode),
    groups: model.expertGroups ?? 1,
    ...sizes,
  };
}

function nodesOf(gpus: number, perNode: number): number {
  return Math.max(1, gpus % perNode === 0 ? gpus / perNode : 1);
}

/** No model has as many experts, slots or GPUs as this; what a slip of the keyboard asks for is not laid out. */
const LARGEST_SHAPE = 65_536;

/** Sizes of a placement file: its own widths, the model and GPUs that comment or workspace file give it, else a guess that is told. */
function fileShape(
  resolved: ResolvedPlan,
  { map, loads }: PlacementSources,
  sizes: PlacementSizes,
): { readonly shape: PlacementShape; readonly notes: string[] } | undefined {
  const known = knownOf(resolved);
  const { gpus: total, nodes, gpusPerNode } = resolved.plan.cluster;
  const width = map?.physicalToLogical[0]?.length;
  const highest = map?.physicalToLogical.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), -1) ?? -1;
  // Every expert has a slot in each row: a number that the slots cannot reach is a slip and no expert.
  const experts = known?.experts ?? loads?.loads[0]?.length ?? Math.min(highest + 1, width ?? 0);
  const slots = sizes.slots ?? width ?? experts;
  const product = nodes === undefined || gpusPerNode === undefined ? undefined : nodes.value * gpusPerNode.value;
  const stated = sizes.gpus ?? map?.gpus ?? total?.value ?? product;
  const gpus = stated ?? guessedGpus(slots, experts);
  if (experts <= 0 || gpus <= 1 || Math.max(experts, slots, gpus) > LARGEST_SHAPE) return undefined;
  const rows = map?.physicalToLogical.length ?? loads?.loads.length ?? 0;
  const shape = {
    layers: rows,
    experts,
    slots,
    gpus,
    nodes: nodesOf(gpus, gpusPerNode?.value ?? 8),
    groups: known?.groups ?? 1,
    ...sizes,
  };
  return {
    shape,
    notes:
      stated === undefined ? [`${gpus} GPUs are assumed: a placement file does not say how many share its slots.`] : [],
  };
}

/** A placement from rows that somebody wrote; undefined where they do not fit the shape. */
export function placementOf(rows: readonly Int32Array[], shape: PlacementShape, policy: string): Placement | undefined {
  const fits = rows.every(
    (row) => row.length === shape.slots && row.every((expert) => expert >= 0 && expert < shape.experts),
  );
  if (!fits || shape.slots % shape.gpus !== 0) return undefined;
  const replicaCounts = rows.map((row) => {
    const counts = new Int32Array(shape.experts);
    for (const expert of row) counts[expert] = (counts[expert] ?? 0) + 1;
    return counts;
  });
  return { policy, shape: { ...shape, layers: rows.length }, physicalToLogical: rows, replicaCounts };
}

/** The policy that the plan names; a placement read from a file has none. */
export function policyOf(resolved: ResolvedPlan): PlacementPolicy {
  const { algorithm } = resolved.experts;
  return isPolicy(algorithm) ? algorithm : 'eplb';
}

/** Recorded tokens of the MoE layers, where a recording has them. */
export function tracesOf(sources: PlacementSources, known: Known | undefined): readonly RoutedTokens[] | undefined {
  const { traces } = sources.loads ?? {};
  return traces === undefined ? undefined : moeOnly(traces, known);
}

function loadsFor(
  sources: PlacementSources,
  known: Known | undefined,
  shape: PlacementShape,
): { readonly loads: Loads; readonly uniform: boolean } {
  const stated = sources.loads === undefined ? undefined : moeOnly(sources.loads.loads, known);
  const fits = stated !== undefined && stated.every((row) => row.length === shape.experts);
  const even = (): Float64Array => new Float64Array(shape.experts).fill(1);
  return fits
    ? { loads: stated, uniform: false }
    : { loads: Array.from({ length: shape.layers }, even), uniform: true };
}

/** Says that a policy gave up its groups; empty where it did not. */
export function fallbackNote(shape: PlacementShape, policy: PlacementPolicy): string[] {
  return fallsBackToGlobal(shape, policy)
    ? [
        `${shape.groups} expert groups do not divide over ${shape.nodes} nodes, so ${policy} places globally and ignores them.`,
      ]
    : [];
}

/** The originals pack one slot a GPU in the order of the slots, whatever the loads are. */
export function singleNote({ slots, gpus, experts }: PlacementShape, policy: PlacementPolicy): string[] {
  return slots === gpus && slots > experts && /^(?:eplb|sglang-deepseek|vllm)/.test(policy)
    ? [`With one slot a GPU ${policy} does not balance: slots are dealt out in order.`]
    : [];
}

/** TensorRT-LLM counts its slots in the placement file alone. */
function withFileSlots(
  shape: PlacementShape | undefined,
  { plan }: ResolvedPlan,
  width: number | undefined,
): PlacementShape | undefined {
  const counted = plan.dialect === 'tensorrt-llm' && plan.experts.redundant === undefined;
  return shape !== undefined && counted && width !== undefined && width > shape.slots
    ? { ...shape, slots: width }
    : shape;
}

/**
 * Which row of the loads belongs to the first row of a placement that somebody wrote, where there are more of them: by the layers that both
 * name, else after the rows without any load, which are SGLang's for dense layers.
 */
function firstRowOf({ map, loads }: PlacementSources, given: Loads, count: number): number {
  const more = given.length - count;
  if (more <= 0) return 0;
  if (map?.firstLayer !== undefined) return Math.min(more, Math.max(0, map.firstLayer - (loads?.firstLayer ?? 0)));
  return given.slice(0, more).every((row) => row.every((load) => load === 0)) ? more : 0;
}

/** Says that a placement somebody wrote is not the one in view. */
function misfitNote({ slots, experts, gpus }: PlacementShape, policy: PlacementPolicy): string {
  return `The placement of the file does not fit ${slots} slots of ${experts} experts on ${gpus} GPUs; this is what ${policy} would place.`;
}

/** Places the experts of a plan under its own or the asked policy, on the loads at hand or, without any, on equal loads; all at once. */
export function plannedPlacement(
  resolved: ResolvedPlan,
  sources: PlacementSources,
  asked?: string,
  sizes: PlacementSizes = {},
): PlannedPlacement | PlacementRefusal | undefined {
  const turns = plannedInTurns(resolved, sources, asked, sizes);
  for (let turn = turns.next(); ; turn = turns.next()) if (turn.done === true) return turn.value;
}

/** The same in turns, for those who must not be kept waiting. */
export function* plannedInTurns(
  resolved: ResolvedPlan,
  sources: PlacementSources,
  asked?: string,
  sizes: PlacementSizes = {},
): Generator<undefined, PlannedPlacement | PlacementRefusal | undefined> {
  const known = knownOf(resolved);
  const own = resolved.plan.dialect === 'placement' ? fileShape(resolved, sources, sizes) : undefined;
  const rows = sources.map === undefined ? undefined : moeOnly(sources.map.physicalToLogical, known);
  const planned = placementShape(resolved, sizes);
  const shape =
    own?.shape ?? (sizes.slots === undefined ? withFileSlots(planned, resolved, rows?.[0]?.length) : planned);
  if (shape === undefined) return undefined;
  const wantsFile = asked === undefined || asked === 'file';
  const fixed = rows !== undefined && wantsFile ? placementOf(rows, shape, 'file') : undefined;
  const { loads, uniform } = loadsFor(sources, known, fixed?.shape ?? shape);
  const policy = asked !== undefined && isPolicy(asked) ? asked : policyOf(resolved);
  const profiles = sources.loads?.steps?.map((step) => moeOnly(step, known));
  const traces = tracesOf(sources, known);
  const options = { ...(profiles === undefined ? {} : { profiles }), ...(traces === undefined ? {} : { traces }) };
  const placement = fixed ?? (yield* placeInTurns(loads, { ...shape, layers: loads.length }, policy, options));
  if (isPlacementRefusal(placement)) return placement;
  const count = placement.physicalToLogical.length;
  const from = uniform ? 0 : firstRowOf(sources, loads, count);
  const named = count === rows?.length ? sources.map?.firstLayer : undefined;
  const first = named ?? (sources.loads?.firstLayer ?? 0) + from;
  return {
    placement,
    loads: Array.from(
      { length: count },
      (_, layer) => loads[from + layer] ?? loads[0] ?? new Float64Array(shape.experts),
    ),
    uniformLoads: uniform,
    firstLayer: known === undefined ? first : moeRows(known).first,
    notes: [
      ...(own?.notes ?? []),
      ...(!uniform && loads.length > count
        ? [`Of ${loads.length} rows of loads, ${from + 1} to ${from + count} belong to the ${count} layers placed.`]
        : []),
      ...(rows !== undefined && wantsFile && fixed === undefined ? [misfitNote(shape, policy)] : []),
      ...(fixed === undefined
        ? [...fallbackNote(placement.shape, policy), ...singleNote(placement.shape, policy)]
        : []),
    ],
  };
}
