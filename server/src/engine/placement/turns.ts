import { isPlacementRefusal, place, type PlacementPolicy, type PlacementRefusal } from './place';
import type { Loads, Placement, PlacementOptions, PlacementShape } from './placement';

/** Layers placed between two turns: a few milliseconds to a few tens, by policy. */
const LAYERS_A_TURN = 2;

/** Policies that search, layer by layer and each on its own; the others are done before anybody would want a turn. */
function isSlow(policy: PlacementPolicy): boolean {
  return policy.startsWith('optimized');
}

function part(options: PlacementOptions, from: number, to: number): PlacementOptions {
  const { profiles, traces, ...rest } = options;
  return {
    ...rest,
    ...(profiles === undefined ? {} : { profiles: profiles.map((profile) => profile.slice(from, to)) }),
    ...(traces === undefined ? {} : { traces: traces.slice(from, to) }),
  };
}

/** The same as `place`, in turns: yields between layers, so that others get the thread and a caller may stop. The answer does not depend on it. */
export function* placeInTurns(
  loads: Loads,
  shape: PlacementShape,
  policy: PlacementPolicy,
  options: PlacementOptions = {},
): Generator<undefined, Placement | PlacementRefusal> {
  if (!isSlow(policy) || loads.length <= LAYERS_A_TURN) return place(loads, shape, policy, options);
  const rows: Int32Array[] = [];
  const counts: Int32Array[] = [];
  let name: string = policy;
  for (let from = 0; from < loads.length; from += LAYERS_A_TURN) {
    const to = Math.min(loads.length, from + LAYERS_A_TURN);
    const placed = place(loads.slice(from, to), { ...shape, layers: to - from }, policy, part(options, from, to));
    // What one part is refused for, all of it would be; only the number of the layer may differ.
    if (isPlacementRefusal(placed)) return place(loads, shape, policy, options);
    rows.push(...placed.physicalToLogical);
    counts.push(...placed.replicaCounts);
    name = placed.policy;
    yield undefined;
  }
  return { policy: name, shape, physicalToLogical: rows, replicaCounts: counts };
}
