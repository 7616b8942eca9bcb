import type { Loads } from '../../engine/placement/placement';

/** What a placement file turned out to hold. */
export type PlacementFile =
  /** `firstLayer` is the model layer of the first row, where the file says it. */
  | {
      readonly kind: 'loads';
      readonly loads: Loads;
      /** The single time steps where the file keeps them apart; `loads` is their sum. */
      readonly steps?: readonly Loads[];
      readonly firstLayer?: number;
    }
  | { readonly kind: 'map'; readonly physicalToLogical: readonly Int32Array[] }
  | { readonly kind: 'refused'; readonly reason: string };

type Rows = readonly (readonly number[])[];

function isRows(value: unknown): value is Rows {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row) => Array.isArray(row) && row.length > 0 && row.every((cell) => typeof cell === 'number'))
  );
}

/** Sums a recorder dump over its steps: [steps][layers][experts] -> [layers][experts]. */
function sumSteps(steps: readonly Rows[]): number[][] {
  const first = steps[0] ?? [];
  return first.map((row, layer) =>
    row.map((_, expert) => steps.reduce((sum, step) => sum + (step[layer]?.[expert] ?? 0), 0)),
  );
}

function refused(reason: string): PlacementFile {
  return { kind: 'refused', reason };
}

function loadsOf(rows: Rows): PlacementFile {
  const width = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd >= 0) return refused(`layer ${odd} has ${rows[odd]?.length ?? 0} experts where layer 0 has ${width}`);
  const bad = rows.findIndex((row) => row.some((load) => !(load >= 0 && load < Infinity)));
  if (bad >= 0) return refused(`layer ${bad} has a load that is negative or not a number`);
  return { kind: 'loads', loads: rows.map((row) => Float64Array.from(row)) };
}

function mapOf(rows: Rows): PlacementFile {
  const width = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== width);
  if (odd >= 0) return refused(`layer ${odd} has ${rows[odd]?.length ?? 0} slots where layer 0 has ${width}`);
  const bad = rows.findIndex((row) => row.some((expert) => !Number.isInteger(expert) || expert < 0));
  if (bad >= 0) return refused(`layer ${bad} has a slot that holds no expert number`);
  return { kind: 'map', physicalToLogical: rows.map((row) => Int32Array.from(row)) };
}

function stepsOf(steps: readonly Rows[]): PlacementFile {
  const layers = steps[0]?.length ?? 0;
  const odd = steps.findIndex((step) => step.length !== layers);
  if (odd >= 0) return refused(`step ${odd} has ${steps[odd]?.length ?? 0} layers where step 0 has ${layers}`);
  const apart: Loads[] = [];
  for (const [index, step] of steps.entries()) {
    const read = loadsOf(step);
    if (read.kind !== 'loads') return read.kind === 'refused' ? refused(`step ${index}: ${read.reason}`) : read;
    if (read.loads[0]?.length !== apart[0]?.[0]?.length && index > 0)
      return refused(`step ${index} has another number of experts than step 0`);
    apart.push(read.loads);
  }
  const sum = loadsOf(sumSteps(steps));
  return sum.kind === 'loads' ? { ...sum, steps: apart } : sum;
}

/**
 * Loads or a placement from JSON: plain rows, SGLang's `logical_count` ([layers][experts], or with leading steps), or its `physical_to_logical_map`.
 * Source of the shapes: sgl-project/sglang, srt/eplb/expert_location.py, compute_initial_expert_location_metadata.
 */
export function readPlacementFile(text: string): PlacementFile {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return refused('the file is not JSON');
  }
  if (isRows(data)) return loadsOf(data);
  if (typeof data !== 'object' || data === null)
    return refused('the file holds neither rows of loads nor an SGLang placement');
  const { physical_to_logical_map: map, logical_count: count } = data as Readonly<Record<string, unknown>>;
  // SGLang looks for the map first.
  if (isRows(map)) return mapOf(map);
  if (isRows(count)) return loadsOf(count);
  if (Array.isArray(count) && count.length > 0 && count.every(isRows)) return stepsOf(count);
  return refused('the file has neither a logical_count nor a physical_to_logical_map with rows of numbers');
}
