import { place, type PlacementPolicy, PLACEMENT_POLICIES, refuseShape } from '../../server/src/engine/placement/place';
import type { PlacementShape } from '../../server/src/engine/placement/placement';
import { against, percentile, rounded, type Row } from './rows';

/** A fixed stream of numbers (mulberry32), so that every run places the same loads. */
function randomStream(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Token counts as routers give them: log-normal, sigma 0.7 (Box and Muller's transform). */
function loadsOf(layers: number, experts: number): Float64Array[] {
  const random = randomStream(7);
  return Array.from({ length: layers }, () =>
    Float64Array.from({ length: experts }, () => {
      const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
      return Math.round(1000 * Math.exp(0.7 * normal));
    }),
  );
}

interface Case {
  readonly shape: PlacementShape;
  /** Milliseconds that EPLB's own code (PyTorch on CPU, one thread, 2 cores) took for these sizes, measured once beside this code. */
  readonly reference: Partial<Readonly<Record<PlacementPolicy, number>>>;
}

const CASES: readonly Case[] = [
  {
    shape: { layers: 58, experts: 256, slots: 288, gpus: 32, nodes: 4, groups: 8 },
    reference: { eplb: 802, 'eplb-global': 795 },
  },
  {
    shape: { layers: 100, experts: 1024, slots: 1280, gpus: 128, nodes: 16, groups: 8 },
    reference: { 'eplb-global': 19_456 },
  },
];
const RUNS = 40;
/** What a policy of our own may take on DeepSeek-V3's sizes. */
const OWN_GOAL_MS = 100;

function timed(work: () => unknown): number {
  const from = performance.now();
  work();
  return performance.now() - from;
}

function rowsOf({ shape, reference }: Case, policy: PlacementPolicy, first: boolean): Row[] {
  const { layers, experts, slots, gpus } = shape;
  const name = `placement ${layers} x ${experts} -> ${slots} on ${gpus}, ${policy}`;
  const loads = loadsOf(layers, experts);
  // Some policies take no redundant slots at all.
  if (refuseShape(shape, policy) !== undefined) return [];
  const cold = timed(() => place(loads, shape, policy));
  const times = Array.from({ length: layers * experts > 50_000 ? 5 : RUNS }, () =>
    timed(() => place(loads, shape, policy)),
  );
  const known = reference[policy];
  const goal = known ?? (policy === 'trivial' ? undefined : OWN_GOAL_MS);
  const row: Row = {
    name,
    value: rounded(percentile(times, 0.5)),
    unit: 'ms',
    ...(goal === undefined ? {} : { goal }),
  };
  const peer = { name: 'EPLB, measured before', value: known ?? 0 };
  const warm = known === undefined ? row : { ...against(row, peer), atLeast: 1 };
  return first ? [{ name: `${name}, cold`, value: rounded(cold), unit: 'ms' }, warm] : [warm];
}

/** Every placement policy on DeepSeek-V3's sizes; the reference's figures are quoted, because it needs PyTorch. */
export function run(): Promise<Row[]> {
  const rows = CASES.flatMap((one, at) =>
    PLACEMENT_POLICIES.filter((policy) => at === 0 || one.reference[policy] !== undefined).flatMap((policy) =>
      rowsOf(one, policy, at === 0 && policy === PLACEMENT_POLICIES[0]),
    ),
  );
  return Promise.resolve(rows);
}
