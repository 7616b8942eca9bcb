import { balance, isPlacementRefusal, place, type PlacementPolicy } from '../../server/src/engine/placement/place';
import type { Loads, PlacementOptions, PlacementShape } from '../../server/src/engine/placement/placement';
import { pythonRandom } from '../../server/src/engine/placement/python-random';
import { against, percentile, rounded, type Row } from './rows';

const MODEL: PlacementShape = { layers: 58, experts: 256, slots: 288, gpus: 32, nodes: 4, groups: 8 };

interface Size {
  readonly shape: PlacementShape;
  readonly policy: PlacementPolicy;
  readonly goal?: number;
  /** Best of two or three runs of the original on two shared EPYC cores, torch 1.13.1 on one thread or numpy, the same sizes and loads of the same kind. */
  readonly peer?: { readonly name: string; readonly value: number };
}

const QWEN: PlacementShape = { layers: 94, experts: 128, slots: 160, gpus: 32, nodes: 4, groups: 1 };
const KIMI: PlacementShape = { layers: 60, experts: 384, slots: 416, gpus: 32, nodes: 4, groups: 1 };
const LARGE: PlacementShape = { layers: 100, experts: 512, slots: 640, gpus: 64, nodes: 8, groups: 8 };
const HUGE: PlacementShape = { layers: 100, experts: 1024, slots: 1280, gpus: 128, nodes: 16, groups: 1 };

function original(value: number): { readonly name: string; readonly value: number } {
  return { name: 'deepseek-ai/EPLB, measured earlier', value };
}

const SIZES: readonly Size[] = [
  { shape: MODEL, policy: 'eplb', goal: 8, peer: original(802) },
  { shape: MODEL, policy: 'eplb-global', goal: 8, peer: original(795) },
  { shape: { ...MODEL, gpus: 72, nodes: 9 }, policy: 'eplb', peer: original(1437) },
  { shape: { ...MODEL, slots: 320, gpus: 64, nodes: 8 }, policy: 'eplb', peer: original(385) },
  { shape: QWEN, policy: 'eplb', peer: original(641) },
  { shape: KIMI, policy: 'eplb', peer: original(1656) },
  { shape: LARGE, policy: 'eplb', goal: 60, peer: original(6509) },
  { shape: HUGE, policy: 'eplb', peer: original(19_456) },
  {
    shape: MODEL,
    policy: 'sglang-deepseek-hierarchical',
    peer: { name: 'SGLang deepseek_hierarchical, measured earlier', value: 36 },
  },
  { shape: MODEL, policy: 'sglang-deepseek-vec', peer: { name: 'SGLang deepseek_vec, measured earlier', value: 10 } },
  { shape: MODEL, policy: 'vllm', peer: { name: 'vLLM default policy, measured earlier', value: 61 } },
  {
    shape: MODEL,
    policy: 'tensorrt-llm',
    peer: { name: 'TensorRT-LLM C++ with text input, measured earlier', value: 12 },
  },
  { shape: MODEL, policy: 'optimized-global', goal: 100 },
  { shape: MODEL, policy: 'optimized', goal: 100 },
];

/** Log-normal loads, sigma 0.7, whole counts: the fit to recorded DeepSeek-V3 dumps is 0.56 to 0.82. */
function loadsFor({ layers, experts }: PlacementShape, seed: number): Loads {
  const random = pythonRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random.random())) * Math.cos(2 * Math.PI * random.random());
  return Array.from({ length: layers }, () =>
    Float64Array.from({ length: experts }, () => Math.round(100_000 * Math.exp(0.7 * normal()))),
  );
}

function once(loads: Loads, { shape, policy }: Size, options: PlacementOptions): number {
  const began = performance.now();
  const placement = place(loads, shape, policy, options);
  const took = performance.now() - began;
  if (isPlacementRefusal(placement)) throw new Error(placement.message);
  // A figure for a placement that nobody looked at could be one of nothing.
  if (!((balance(placement, loads).meanOverMax[0] ?? 0) > 0.2)) throw new Error(`${policy} placed nothing`);
  return took;
}

function measure(size: Size, runs: number, options: PlacementOptions = {}): Row {
  const { shape, policy, goal, peer } = size;
  const loads = loadsFor(shape, 7);
  for (let warm = 0; warm < 2; warm += 1) once(loads, size, options);
  const times = Array.from({ length: runs }, () => once(loads, size, options));
  const name = `place ${policy} ${shape.layers}x${shape.experts}->${shape.slots} on ${shape.gpus} GPUs`;
  const row: Row = {
    name,
    value: rounded(percentile(times, 0.5)),
    unit: 'ms',
    ...(goal === undefined ? {} : { goal }),
  };
  return peer === undefined ? row : against(row, peer);
}

/** Every policy at the sizes that others published or that were measured on their code; medians of warm runs. */
export function run(): Promise<Row[]> {
  const rows = SIZES.map((size) => measure(size, 9));
  const profiles = [7, 8, 9, 10].map((seed) => loadsFor(MODEL, seed));
  const robust = measure({ shape: MODEL, policy: 'optimized-robust', goal: 2000 }, 3, { profiles });
  return Promise.resolve([...rows, { ...robust, name: `${robust.name}, 4 workloads` }]);
}
