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

type Field = PlacementRefusal['field'];
type Size = 'experts' | 'slots' | 'gpus' | 'nodes' | 'groups';

/** A rule that does not hold, before its nearest legal values are looked for. */
interface Fault {
  readonly rule: string;
  readonly field: Size;
  readonly what: string;
  /** The rule itself for other values of the field. */
  readonly holds: (value: number) => boolean;
  readonly condition?: string;
}

function words(values: readonly number[]): string {
  if (values.length === 0) return '';
  return values.length === 1
    ? `; the nearest legal number is ${values[0] ?? ''}`
    : `; the nearest legal numbers are ${values.join(' and ')}`;
}

function refuse(
  rule: string,
  field: Field,
  value: number,
  nearest: readonly number[],
  what: string,
  condition?: string,
): PlacementRefusal {
  return {
    rule,
    field,
    value: Number.isFinite(value) ? value : 0,
    nearest,
    message: `${what}${words(nearest)}.`,
    ...(condition === undefined ? {} : { condition }),
  };
}

/** More slots than any system has; beyond it an answer would take minutes. */
const MOST_SLOTS = 65_536;

function sizeFault({ experts, slots, gpus, nodes, groups }: PlacementShape): Fault | undefined {
  const sizes = { experts, slots, gpus, nodes, groups };
  for (const [field, value] of Object.entries(sizes) as [Size, number][]) {
    if (!Number.isSafeInteger(value) || value <= 0)
      return { rule: 'not-a-size', field, what: `${field} must be a positive whole number`, holds: () => true };
  }
  if (slots > MOST_SLOTS)
    return {
      rule: 'too-many-slots',
      field: 'slots',
      what: `at most ${MOST_SLOTS} slots are placed`,
      holds: (value) => value <= MOST_SLOTS,
    };
  return undefined;
}

function slotFault({ experts, slots, gpus }: PlacementShape, { noCopies, source }: Demands): Fault | undefined {
  const fits = (value: number): boolean =>
    noCopies === true ? value === experts : value >= experts && value % gpus === 0;
  if (slots < experts)
    return {
      rule: 'too-few-slots',
      field: 'slots',
      what: `${slots} slots cannot hold ${experts} experts: every expert needs at least one slot`,
      holds: fits,
      condition: `num_phy >= num_log (${source})`,
    };
  if (noCopies === true && slots !== experts)
    return {
      rule: 'no-redundancy',
      field: 'slots',
      what: `This policy places each of ${experts} experts once and cannot fill ${slots} slots`,
      holds: fits,
      condition: `num_redundant_experts == 0 (${source})`,
    };
  if (slots % gpus !== 0)
    return {
      rule: 'slots-not-divisible',
      field: noCopies === true ? 'gpus' : 'slots',
      what: `${slots} slots cannot be split over ${gpus} GPUs`,
      holds: noCopies === true ? (value) => slots % value === 0 : fits,
      condition: `num_physical_experts % num_gpus == 0 (${source})`,
    };
  return undefined;
}

function nodeFault(shape: PlacementShape, demands: Demands): Fault | undefined {
  const { experts, slots, gpus, groups } = shape;
  const { hierarchy, source } = demands;
  const nodes = demands.lenientNodes === true && gpus % shape.nodes !== 0 ? 1 : shape.nodes;
  const divides = groups % nodes === 0;
  if (hierarchy === 'never' || (hierarchy === 'where-groups-divide' && !divides)) return undefined;
  if (!divides)
    return {
      rule: 'groups-not-divisible',
      field: 'nodes',
      what: `${groups} expert groups cannot be split over ${nodes} nodes`,
      holds: (value) => groups % value === 0,
      condition: `num_groups % num_nodes == 0 (${source})`,
    };
  if (experts % groups !== 0)
    return {
      rule: 'experts-not-in-groups',
      field: 'groups',
      what: `${experts} experts cannot be split into ${groups} groups of equal size`,
      holds: (value) => experts % value === 0,
      condition: `num_logical_experts % num_groups == 0 (${source})`,
    };
  if (gpus % nodes !== 0)
    return {
      rule: 'gpus-not-divisible',
      field: 'gpus',
      what: `${gpus} GPUs cannot be split over ${nodes} nodes`,
      holds: (value) => value % nodes === 0,
      condition: `num_gpus % num_nodes == 0 (${source})`,
    };
  if (demands.evenChunks === true && (slots - experts) % nodes !== 0)
    return {
      rule: 'redundancy-not-divisible',
      field: 'slots',
      what: `${slots - experts} redundant experts cannot be split over ${nodes} nodes`,
      holds: (value) => value >= experts && (value - experts) % nodes === 0,
      condition: `num_redundancy_experts % num_chunks == 0 (${source})`,
    };
  return undefined;
}

function faultOf(shape: PlacementShape, demands: Demands): Fault | undefined {
  return sizeFault(shape) ?? slotFault(shape, demands) ?? nodeFault(shape, demands);
}

/** How far nearest legal values are looked for. */
const REACH = 4096;

/** The whole number next to `given` on each side that passes `legal`. */
function around(given: number, legal: (value: number) => boolean): number[] {
  const out: number[] = [];
  let below = Math.ceil(given) - 1;
  while (below > 0 && given - below <= REACH && !legal(below)) below -= 1;
  if (below > 0 && legal(below)) out.push(below);
  let above = Math.max(1, Math.floor(given) + 1);
  while (above - given <= REACH && !legal(above)) above += 1;
  if (legal(above)) out.push(above);
  return out;
}

/**
 * The values next to the wrong one that make the whole shape legal, found by trying them, so that the advice never contradicts the rules;
 * where another field is wrong as well, those that at least keep this rule.
 */
function nearestFor(shape: PlacementShape, demands: Demands, { field, holds }: Fault): number[] {
  const given = shape[field];
  const start = Number.isFinite(given) ? Math.min(Math.max(0, given), MOST_SLOTS + 1) : 0;
  // Going on without groups is legal for some policies, and no advice for who has groups that the nodes divide.
  const hierarchical = demands.hierarchy === 'where-groups-divide' && shape.groups % shape.nodes === 0;
  const strict: Demands = hierarchical ? { ...demands, hierarchy: 'always' } : demands;
  const legal = around(start, (value) => faultOf({ ...shape, [field]: value }, strict) === undefined);
  return legal.length > 0 ? legal : around(start, holds);
}

/** Conditions that the frameworks assert, mostly without a message. Undefined when the shape is legal for the policy. */
export function refuseShapeFor(shape: PlacementShape, demands: Demands): PlacementRefusal | undefined {
  const fault = faultOf(shape, demands);
  if (fault === undefined) return undefined;
  const { rule, field, what, condition } = fault;
  return refuse(rule, field, shape[field], nearestFor(shape, demands, fault), what, condition);
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
