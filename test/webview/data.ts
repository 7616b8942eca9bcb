import type { PlacementView } from '../../server/src/protocol/placement';
import { encodeColumn } from '../../server/src/protocol/columns';
import type { SourceLink } from '../../server/src/protocol/common';
import type {
  FitOptionView,
  MemoryClassView,
  MemoryItemView,
  MemoryPartName,
  MemoryView,
  NumericsView,
} from '../../server/src/protocol/memory';
import type { TimelineView } from '../../server/src/protocol/timeline';
import { buildOrder } from '../../server/src/engine/schedule/build';
import { closedForm } from '../../server/src/engine/schedule/closed-form';
import { completeDurations } from '../../server/src/engine/schedule/durations';
import { memoryCurve } from '../../server/src/engine/schedule/memory-curve';
import { isRefusal } from '../../server/src/engine/schedule/refusal';
import { simulate } from '../../server/src/engine/schedule/simulate';
import type { Durations, ScheduleKind } from '../../server/src/engine/spec/training';

const GIB = 2 ** 30;
const URI = 'file:///ws/deepseek-v3.shardlens.yaml';

export function link(label: string, line: number): SourceLink {
  return { uri: URI, label, range: { start: { line, character: 2 }, end: { line, character: 2 + label.length } } };
}

export interface ScheduleChoice {
  readonly kind: ScheduleKind;
  readonly ranks: number;
  readonly microbatches: number;
  readonly chunks?: number;
  readonly durations?: Partial<Durations>;
  readonly unit?: 'unit' | 'ms';
  /** With bytes, capacity and static part, as when the model is known. */
  readonly bytes?: boolean;
  readonly stale?: string;
}

/** A view as the server would make it, from the engine's own schedule. */
export function timelineData(choice: ScheduleChoice): TimelineView {
  const durations = completeDurations(choice.durations ?? {});
  const spec = {
    kind: choice.kind,
    ranks: choice.ranks,
    microbatches: choice.microbatches,
    chunks: choice.chunks,
    durations,
  };
  const order = buildOrder(spec);
  if (isRefusal(order)) throw new Error(order.message);
  const timeline = simulate(order, durations);
  const curve = memoryCurve(timeline, { holdUntil: 'W' });
  const idle = [...timeline.idle];
  const formula = closedForm(spec);
  return {
    uri: URI,
    version: 1,
    title: 'Pipeline schedule · deepseek-v3.shardlens.yaml · DeepSeek-V3',
    assumptions: [
      { field: 'cluster.gpusPerNode', value: '8', origin: 'default', note: 'H800 nodes have 8 GPUs' },
      { field: 'pipeline.durations', value: 'F = I = W = 1', origin: 'assumed', note: 'no durations in the file' },
    ],
    ...(choice.stale === undefined ? {} : { stale: choice.stale }),
    kind: choice.kind,
    kinds: ['gpipe', '1f1b', 'interleaved', 'zb-h1', 'dualpipe', 'dualpipev'],
    ranks: order.ranks,
    microbatches: order.microbatches,
    chunks: order.chunks,
    stages: order.stages,
    bidirectional: order.bidirectional,
    unit: choice.unit ?? 'unit',
    durations,
    makespan: timeline.makespan,
    idle,
    peakActivations: [...timeline.peakActivations],
    bubble: idle.reduce((sum, value) => sum + value, 0) / idle.length / timeline.makespan,
    ...(formula === undefined ? {} : { formula }),
    columns: {
      rankStart: encodeColumn(order.rankStart),
      op: encodeColumn(order.op),
      stage: encodeColumn(order.stage),
      microbatch: encodeColumn(order.microbatch),
      direction: encodeColumn(order.direction),
      stage2: encodeColumn(order.stage2),
      microbatch2: encodeColumn(order.microbatch2),
      direction2: encodeColumn(order.direction2),
      start: encodeColumn(timeline.start),
      end: encodeColumn(timeline.end),
    },
    memory: {
      start: encodeColumn(curve.start),
      time: encodeColumn(curve.time),
      value: encodeColumn(curve.value),
      ...(choice.bytes === true
        ? {
            bytesPerUnit: 3.1 * GIB,
            staticBytes: Array.from({ length: order.ranks }, (_, rank) => (rank === 0 ? 31 : 27.5) * GIB),
            capacityBytes: 80 * GIB,
          }
        : {}),
    },
    links: [link('schedule', 20), link('pipeline_model_parallel_size', 8), link('num_microbatches', 11)],
  };
}

/** Numbers in 0..1 that are the same in every run. */
export function random(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface PlacementChoice {
  readonly layers: number;
  readonly experts: number;
  readonly slots: number;
  readonly gpus: number;
  readonly nodes: number;
  readonly uniform?: boolean;
  /** Puts two replicas of one expert on one GPU in this layer. */
  readonly duplicateIn?: number;
}

/** Skewed loads as recorded dumps show them: a few experts get many times the mean. */
function layerLoads(choice: PlacementChoice, layer: number): Float64Array {
  const next = random(layer + 11);
  return Float64Array.from({ length: choice.experts }, () => (choice.uniform === true ? 1 : 40 + 400 * next() ** 4));
}

/** Swaps two replicas so that one GPU holds an expert twice. */
function bringTwins(held: number[][], copies: Int32Array): void {
  const expert = copies.findIndex((count) => count > 1);
  const [one, other] = held.filter((slots) => slots.includes(expert));
  const away = one?.findIndex((resident) => resident !== expert) ?? -1;
  if (one === undefined || other === undefined || away < 0) return;
  const moved = one[away] ?? 0;
  one[away] = expert;
  other[other.indexOf(expert)] = moved;
}

/** Copies for the heaviest experts, then each copy, heaviest first, to the least loaded GPU with a free slot and without that expert. */
function placeLayer(choice: PlacementChoice, loads: Float64Array, layer: number): Int32Array {
  const { slots, gpus, experts } = choice;
  const copies = new Int32Array(experts).fill(1);
  const share = (expert: number): number => (loads[expert] ?? 0) / (copies[expert] ?? 1);
  for (let spare = experts; spare < slots; spare += 1) {
    let best = 0;
    for (let expert = 1; expert < experts; expert += 1) if (share(expert) > share(best)) best = expert;
    copies[best] = (copies[best] ?? 0) + 1;
  }
  const items = [...copies].flatMap((count, expert) => Array.from({ length: count }, () => expert));
  items.sort((a, b) => share(b) - share(a));
  const perGpu = slots / gpus;
  const held: number[][] = Array.from({ length: gpus }, () => []);
  const load = new Float64Array(gpus);
  for (const expert of items) {
    const free = [...held.keys()].filter((gpu) => (held[gpu]?.length ?? 0) < perGpu);
    const apart = free.filter((gpu) => held[gpu]?.includes(expert) === false);
    const pool = apart.length > 0 ? apart : free;
    const gpu = pool.reduce(
      (best, candidate) => ((load[candidate] ?? 0) < (load[best] ?? 0) ? candidate : best),
      pool[0] ?? 0,
    );
    held[gpu]?.push(expert);
    load[gpu] = (load[gpu] ?? 0) + share(expert);
  }
  if (choice.duplicateIn === layer) bringTwins(held, copies);
  return Int32Array.from(held.flat());
}

export function placementData(choice: PlacementChoice): PlacementView {
  const { layers, experts, slots, gpus, nodes } = choice;
  const map = new Int32Array(layers * slots);
  const loads = new Float64Array(layers * experts);
  const gpuLoads = new Float64Array(layers * gpus);
  const meanOverMax: number[] = [];
  for (let layer = 0; layer < layers; layer += 1) {
    const own = layerLoads(choice, layer);
    const placed = placeLayer(choice, own, layer);
    const copies = new Int32Array(experts);
    for (const expert of placed) copies[expert] = (copies[expert] ?? 0) + 1;
    map.set(placed, layer * slots);
    loads.set(own, layer * experts);
    const row = gpuLoads.subarray(layer * gpus, (layer + 1) * gpus);
    placed.forEach((expert, slot) => {
      const gpu = Math.floor(slot / (slots / gpus));
      row[gpu] = (row[gpu] ?? 0) + (own[expert] ?? 0) / (copies[expert] ?? 1);
    });
    meanOverMax.push(row.reduce((sum, value) => sum + value, 0) / gpus / Math.max(...row));
  }
  return {
    uri: 'file:///ws/serving.yaml',
    version: 3,
    title: 'Expert placement · serving.yaml · DeepSeek-V3',
    assumptions:
      choice.uniform === true
        ? [{ field: 'experts.loads', value: 'equal', origin: 'assumed', note: 'no load file is named' }]
        : [],
    policy: 'eplb',
    policies: ['eplb', 'eplb-global', 'trivial'],
    layers,
    firstLayer: 3,
    experts,
    slots,
    gpus,
    nodes,
    groups: 8,
    uniformLoads: choice.uniform === true,
    columns: { physicalToLogical: encodeColumn(map), loads: encodeColumn(loads), gpuLoads: encodeColumn(gpuLoads) },
    meanOverMax,
    lowerBound: meanOverMax.map((value) => Math.min(1, value + 0.02)),
    links: [link('ep_num_redundant_experts', 12), link('ep_size', 6)],
  };
}

function items(stage: number, parts: Readonly<Record<MemoryPartName, number>>): readonly MemoryItemView[] {
  return [
    {
      part: 'weights',
      group: 'Routed experts',
      bytes: parts.weights * 0.9,
      formula: '4 layers × 4 experts × 3 × 7168 × 2048 × 1 B',
      links: [link('expert_parallel', 9), link('precision', 14)],
    },
    {
      part: 'weights',
      group: 'Attention',
      bytes: parts.weights * 0.1,
      formula: '4 layers × 187,105,280 × 1 B',
      links: [link('precision', 14)],
    },
    {
      part: 'gradients',
      group: 'All gradients',
      bytes: parts.gradients,
      formula: `stage ${stage}: parameters × 4 B`,
      links: [link('gradient_dtype', 16)],
    },
    {
      part: 'optimizer',
      group: 'Master weights and moments',
      bytes: parts.optimizer,
      formula: 'parameters ÷ DP × (4 + 2 + 2) B',
      links: [link('zero_stage', 17)],
    },
    {
      part: 'activations',
      group: 'In flight',
      bytes: parts.activations,
      formula: '17 chunks × 1.2 GiB',
      links: [link('recompute', 18)],
    },
    { part: 'buffers', group: 'EP dispatch', bytes: parts.buffers, formula: '4096 tokens × 8 × 7168 × 1 B', links: [] },
    { part: 'workspace', group: 'cuBLAS and NCCL', bytes: parts.workspace, formula: 'measured', links: [] },
  ];
}

function memoryClass(stage: number, capacity: number): MemoryClassView {
  const embedding = stage === 0 || stage === 15 ? 1.8 : 0;
  const gib = {
    weights: 12.1 + embedding,
    gradients: 14.2 + embedding,
    optimizer: 7.9,
    activations: 27.5 + (stage < 2 ? 12 : 0),
    kvCache: 0,
    buffers: 3.2,
    workspace: 1.1,
  };
  const parts = Object.fromEntries(Object.entries(gib).map(([name, value]) => [name, value * GIB])) as Record<
    MemoryPartName,
    number
  >;
  const allocated = Object.values(parts).reduce((sum, value) => sum + value, 0) - parts.workspace;
  const total = allocated * 1.05 + 2 * parts.workspace;
  return {
    label: `stage ${stage} + ${15 - stage} · ranks ${stage * 128}-${stage * 128 + 127}`,
    ranks: `${stage * 128}-${stage * 128 + 127}`,
    count: 128,
    example: stage * 128,
    coordinates: { pp: stage, tp: 0, ep: 0, dp: 0, cp: 0 },
    stages: [stage, 15 - stage],
    parts,
    items: items(stage, parts),
    allocated,
    reserved: allocated * 1.05,
    total,
    fits: total <= capacity,
  };
}

export function memoryData(stages = 16): MemoryView {
  const capacity = 80 * GIB;
  const classes = Array.from({ length: stages }, (_, stage) => memoryClass(stage, capacity));
  const worst = classes.reduce((best, entry, index) => (entry.total > (classes[best]?.total ?? 0) ? index : best), 0);
  return {
    uri: URI,
    version: 1,
    title: 'Memory · deepseek-v3.shardlens.yaml · DeepSeek-V3',
    assumptions: [
      { field: 'optimizer.gradientDtype', value: 'fp32', origin: 'default', note: 'the framework’s default' },
    ],
    task: 'training',
    model: { name: 'DeepSeek-V3', parameters: 671_026_404_352, activeParameters: 37_551_000_000 },
    gpu: { name: 'H800', capacityBytes: capacity },
    worldSize: 2048,
    classes,
    peak: { rank: classes[worst]?.example ?? 0, bytes: classes[worst]?.total ?? 0, classIndex: worst },
    checkpoint: {
      elements: 684_531_386_000,
      bytes: 688_574_839_360,
      elementsByDtype: { BF16: 3_918_786_560, F8_E4M3: 680_571_043_840, F32: 41_555_600 },
    },
  };
}

/** Single changes as the server computes them. */
export const OPTIONS: readonly FitOptionView[] = [
  {
    name: 'recompute',
    from: 'selective',
    to: 'full',
    bytes: 51.5 * GIB,
    saved: 35.2 * GIB,
    fits: true,
    cost: 'a third more compute: every layer runs twice',
    stepChange: 0.262,
    link: link('recompute', 18),
  },
  {
    name: 'optimizer states',
    from: 'GPU',
    to: 'CPU',
    bytes: 81.4 * GIB,
    saved: 5.3 * GIB,
    fits: false,
    cost: 'the update waits for the bus to the CPU',
  },
];

/** What blocks of 128 do to numbers on a Hopper GPU. */
export const NUMERICS: NumericsView = {
  recipe: 'E4M3, 1 × 128',
  formats: [
    { label: 'E4M3, 1 × 128', own: true, relative: 0.0253, flushed: 0 },
    { label: 'BF16', own: false, relative: 0.0017, flushed: 0 },
    { label: 'E4M3, one scale a tensor', own: false, relative: 0.0258, flushed: 0.0031 },
    { label: 'NVFP4', own: false, relative: 0.095, flushed: 0.128 },
  ],
  sums: [
    { length: 512, unpromoted: 0.0091, promoted: 0.0006 },
    { length: 2048, unpromoted: 0.0371, promoted: 0.0006 },
    { length: 7168, unpromoted: 0.131, promoted: 0.0007 },
  ],
  promotion: 'block-scaled kernels move the sum to FP32 every 128 products',
};

/** A serving view: one rank class, with a KV cache. */
export function servingMemoryData(): MemoryView {
  const base = memoryData(1);
  const [first] = base.classes;
  if (first === undefined) return base;
  const parts = {
    ...first.parts,
    gradients: 0,
    optimizer: 0,
    kvCache: 21 * GIB,
    activations: 3 * GIB,
    weights: 40 * GIB,
  };
  return {
    ...base,
    task: 'serving',
    worldSize: 32,
    classes: [
      {
        ...first,
        label: 'ranks 0-31',
        ranks: '0-31',
        count: 32,
        stages: [],
        parts,
        allocated: 66 * GIB,
        reserved: 68 * GIB,
        total: 71.2 * GIB,
        fits: true,
      },
    ],
    peak: { rank: 0, bytes: 71.2 * GIB, classIndex: 0 },
    kvCache: { bytesPerToken: 70_272, tokens: 320_871, maxConcurrency: 78.3 },
  };
}
