import { judge, type Evenness } from '../engine/placement/judge';
import { balance } from '../engine/placement/place';
import type { Loads, Placement } from '../engine/placement/placement';
import { count, plural } from '../features/format';
import { facts, table, type Column } from './table';

const COLUMNS: readonly Column[] = [
  { title: 'layer', align: 'right' },
  { title: 'mean/max', align: 'right' },
  { title: 'best possible', align: 'right' },
  { title: 'busiest GPU', align: 'right' },
  { title: 'load', align: 'right' },
  { title: 'of mean', align: 'right' },
  { title: 'most replicas', align: 'right' },
  { title: 'copies on one GPU', align: 'right' },
];

/** Slots that hold an expert which the same GPU already has: they take memory and share nothing. */
function wastedSlots(row: Int32Array, gpus: number): number {
  const perGpu = row.length / gpus;
  let wasted = 0;
  for (let gpu = 0; gpu < gpus; gpu += 1) {
    wasted += perGpu - new Set(row.subarray(gpu * perGpu, (gpu + 1) * perGpu)).size;
  }
  return wasted;
}

function mean(values: ArrayLike<number>): number {
  return values.length === 0 ? 0 : Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

/** What is printed: a placement, the loads it was judged on, and what happened that nobody asked for. */
export interface PlacedText {
  readonly placement: Placement;
  readonly loads: Loads;
  readonly uniformLoads: boolean;
  readonly rows: { readonly firstLayer: number };
  readonly notes: readonly string[];
  /** A second recording that it was judged on. */
  readonly judged?: { readonly name: string; readonly loads: Loads };
}

function evennessText({ mean: even, worst }: Evenness): string {
  return `${even.toFixed(3)} mean/max, ${worst.toFixed(3)} in the worst layer`;
}

/** The same balance as each framework prints it, and under each dispatch. */
function judgementFacts(placement: Placement, loads: Loads): (readonly [string, string])[] {
  const { equal, fixed, lp, bound } = judge(placement, loads);
  return [
    [
      'Printed',
      `${equal.sglang.toFixed(3)} by SGLang, ${equal.vllm.toFixed(3)} by vLLM, imbalance ${equal.tensorrtLlm.toFixed(3)} by TensorRT-LLM`,
    ],
    [
      'Dispatch',
      `${equal.mean.toFixed(3)} random copies, ${fixed.toFixed(3)} static (SGLang), ${lp.toFixed(3)} best split (LP), ${bound.toFixed(3)} any placement`,
    ],
  ];
}

/** Layers without load are even under every placement, which lifts the means over layers. */
function idleNote(loads: Loads): string[] {
  const idle = loads.filter((row) => row.every((load) => load === 0)).length;
  return idle === 0 || idle === loads.length
    ? []
    : [`${plural(idle, 'layer')} without any load ${idle === 1 ? 'counts' : 'count'} as even.`];
}

/** For people: the sizes, how even the layers are, and a row a layer. */
export function placementText({
  placement,
  loads,
  rows: { firstLayer },
  uniformLoads: uniform,
  notes,
  judged,
}: PlacedText): string {
  const { shape, policy, physicalToLogical, replicaCounts } = placement;
  const { gpuLoads, meanOverMax, lowerBound } = balance(placement, loads);
  const rows = physicalToLogical.map((row, layer) => {
    const sums = gpuLoads[layer] ?? new Float64Array(0);
    const most = sums.reduce((a, b) => Math.max(a, b), 0);
    const average = mean(sums);
    return [
      String(firstLayer + layer),
      (meanOverMax[layer] ?? 0).toFixed(3),
      (lowerBound[layer] ?? 0).toFixed(3),
      String(sums.indexOf(most)),
      count(Math.round(most)),
      average > 0 ? `${(most / average).toFixed(2)}×` : '',
      String((replicaCounts[layer] ?? new Int32Array(0)).reduce((a, b) => Math.max(a, b), 0)),
      String(wastedSlots(row, shape.gpus)),
    ];
  });
  const spare = shape.slots - shape.experts;
  const head = facts([
    ['Policy', policy],
    ['Experts', `${shape.experts} + ${spare} redundant = ${shape.slots} slots, ${shape.slots / shape.gpus} a GPU`],
    ['GPUs', `${shape.gpus} on ${plural(shape.nodes, 'node')}, ${plural(shape.groups, 'expert group')}`],
    ['Loads', uniform ? 'assumed equal: no file gives any' : 'as given'],
    ...[...notes, ...idleNote(loads)].map((note): [string, string] => ['Note', note]),
    ['Mean/max', `${mean(meanOverMax).toFixed(3)} over ${physicalToLogical.length} layers (1 is even)`],
    ...judgementFacts(placement, loads),
    ...(judged === undefined
      ? []
      : [
          ['On', judged.name] as const,
          ['', evennessText(judge(placement, judged.loads).equal)] as const,
          ...judgementFacts(placement, judged.loads),
        ]),
  ]);
  return `${head}\n${table(COLUMNS, rows)}`;
}
