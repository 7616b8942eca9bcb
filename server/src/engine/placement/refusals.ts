import type { Loads, PlacementShape } from './placement';

/** Why a placement cannot be made: the rule, the value, the nearest legal ones, and the framework's own condition. */
export interface PlacementRefusal {
  readonly rule: string;
  readonly message: string;
  readonly field: 'experts' | 'slots' | 'gpus' | 'nodes' | 'groups' | 'loads' | 'alive';
  readonly value: number;
  readonly nearest: readonly number[];
  /** The condition as the framework's source has it. */
  readonly condition?: string;
}

/** How a policy treats groups and nodes, which decides what sizes it accepts. */
export type Hierarchy =
  /** Groups to nodes where they divide, else global. */
  | 'where-groups-divide'
  /** Groups to nodes, or no placement at all. */
  | 'always'
  | 'never';

/** What a policy demands of the sizes. */
export interface Demands {
  readonly hierarchy: Hierarchy;
  /** Copies are given out per node, the same number to each. */
  readonly evenChunks?: boolean;
  /** Slots are the experts: the policy knows no copies. */
  readonly noCopies?: boolean;
  /** Nodes that do not divide the GPUs count as one node. */
  readonly lenientNodes?: boolean;
  readonly source: string;
}

function around(value: number, step: number, least = 1): number[] {
  const below = Math.floor(value / step) * step;
  return [below, below + step].filter((candidate) => candidate >= least && candidate !== value);
}

function divisorsAround(value: number, total: number): number[] {
  let below = value;
  while (below > 0 && total % below !== 0) below -= 1;
  let above = value;
  while (above < total && total % above !== 0) above += 1;
  return [...new Set([below, above])].filter((candidate) => candidate > 0 && candidate !== value);
}

function words(values: readonly number[]): string {
  if (values.length === 0) return '';
  return values.length === 1
    ? `; the nearest legal number is ${values[0] ?? ''}`
    : `; the nearest legal numbers are ${values.join(' and ')}`;
}

function refuse(
  rule: string,
  field: PlacementRefusal['field'],
  value: number,
  nearest: readonly number[],
  what: string,
  condition?: string,
): PlacementRefusal {
  return {
    rule,
    field,
    value,
    nearest,
    message: `${what}${words(nearest)}.`,
    ...(condition === undefined ? {} : { condition }),
  };
}

/** More slots than any system has; beyond it an answer would take minutes. */
const MOST_SLOTS = 65_536;

function refuseSizes(shape: PlacementShape): PlacementRefusal | undefined {
  const { experts, slots, gpus, nodes, groups } = shape;
  const sizes = { experts, slots, gpus, nodes, groups };
  for (const [field, value] of Object.entries(sizes) as [keyof typeof sizes, number][]) {
    if (!Number.isSafeInteger(value) || value <= 0)
      return refuse(
        'not-a-size',
        field,
        Number.isFinite(value) ? value : 0,
        [1],
        `${field} must be a positive whole number`,
      );
  }
  if (slots > MOST_SLOTS)
    return refuse('too-many-slots', 'slots', slots, [MOST_SLOTS], `at most ${MOST_SLOTS} slots are placed`);
  return undefined;
}

function refuseSlots({ experts, slots, gpus }: PlacementShape, demands: Demands): PlacementRefusal | undefined {
  const enough = Math.ceil(experts / gpus) * gpus;
  if (slots < experts)
    return refuse(
      'too-few-slots',
      'slots',
      slots,
      [enough],
      `${slots} slots cannot hold ${experts} experts: every expert needs at least one slot`,
      `num_phy >= num_log (${demands.source})`,
    );
  if (slots % gpus !== 0)
    return refuse(
      'slots-not-divisible',
      'slots',
      slots,
      around(slots, gpus, enough),
      `${slots} slots cannot be split over ${gpus} GPUs`,
      `num_physical_experts % num_gpus == 0 (${demands.source})`,
    );
  if (demands.noCopies === true && slots !== experts)
    return refuse(
      'no-redundancy',
      'slots',
      slots,
      [experts],
      `This policy places each of ${experts} experts once and cannot fill ${slots} slots`,
      `num_redundant_experts == 0 (${demands.source})`,
    );
  return undefined;
}

function refuseNodes(shape: PlacementShape, demands: Demands): PlacementRefusal | undefined {
  const { experts, slots, gpus, groups } = shape;
  const nodes = demands.lenientNodes === true && gpus % shape.nodes !== 0 ? 1 : shape.nodes;
  const divides = groups % nodes === 0;
  if (demands.hierarchy === 'never' || (demands.hierarchy === 'where-groups-divide' && !divides)) return undefined;
  if (!divides)
    return refuse(
      'groups-not-divisible',
      'nodes',
      nodes,
      divisorsAround(nodes, groups),
      `${groups} expert groups cannot be split over ${nodes} nodes`,
      `num_groups % num_nodes == 0 (${demands.source})`,
    );
  if (experts % groups !== 0)
    return refuse(
      'experts-not-in-groups',
      'groups',
      groups,
      divisorsAround(groups, experts),
      `${experts} experts cannot be split into ${groups} groups of equal size`,
      `num_logical_experts % num_groups == 0 (${demands.source})`,
    );
  if (gpus % nodes !== 0)
    return refuse(
      'gpus-not-divisible',
      'gpus',
      gpus,
      around(gpus, nodes),
      `${gpus} GPUs cannot be split over ${nodes} nodes`,
      `num_gpus % num_nodes == 0 (${demands.source})`,
    );
  if (demands.evenChunks === true && (slots - experts) % nodes !== 0)
    return refuse(
      'redundancy-not-divisible',
      'slots',
      slots,
      around(slots - experts, nodes, 0).map((redundant) => experts + redundant),
      `${slots - experts} redundant experts cannot be split over ${nodes} nodes`,
      `num_redundancy_experts % num_chunks == 0 (${demands.source})`,
    );
  return undefined;
}

/** Conditions that the frameworks assert, mostly without a message. Undefined when the shape is legal for the policy. */
export function refuseShapeFor(shape: PlacementShape, demands: Demands): PlacementRefusal | undefined {
  return refuseSizes(shape) ?? refuseSlots(shape, demands) ?? refuseNodes(shape, demands);
}

/** Living ranks whose slots do not hold every expert, which the original asserts without a message. `alive` has one entry a GPU. */
export function refuseAlive(
  { experts, slots, gpus }: PlacementShape,
  { source }: Demands,
  alive: readonly boolean[],
): PlacementRefusal | undefined {
  const living = alive.filter(Boolean).length;
  const perGpu = slots / gpus;
  if (alive.length !== gpus)
    return refuse('not-an-entry-a-gpu', 'alive', alive.length, [gpus], `${gpus} GPUs need as many entries of alive`);
  if (living * perGpu >= experts) return undefined;
  return refuse(
    'too-few-living-gpus',
    'alive',
    living,
    [Math.ceil(experts / perGpu)],
    `${living} living GPUs of ${perGpu} slots cannot hold ${experts} experts`,
    `num_local_experts * num_active_ranks >= num_logical_experts (${source})`,
  );
}

/** Rows of the wrong width, and loads that are negative or no number: the originals would give such an expert all redundancy without a word. */
export function refuseLoads(loads: Loads, experts: number): PlacementRefusal | undefined {
  for (const [layer, row] of loads.entries()) {
    if (row.length !== experts)
      return refuse(
        'wrong-expert-count',
        'loads',
        row.length,
        [experts],
        `Layer ${layer} has loads of ${row.length} experts, not of ${experts}`,
      );
    const bad = row.findIndex((load) => !(load >= 0 && load < Infinity));
    if (bad >= 0)
      return refuse(
        'load-not-a-number',
        'loads',
        0,
        [],
        `The load of expert ${bad} in layer ${layer} is negative or not a finite number`,
      );
  }
  return undefined;
}
