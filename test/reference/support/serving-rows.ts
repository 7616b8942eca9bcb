import { findGpu } from '../../../server/src/dialects/presets';
import { machineOf } from '../../../server/src/engine/cost/rates';
import { servingPass, type PassInput } from '../../../server/src/engine/cost/serving-pass';
import type { ServingInput } from '../../../server/src/engine/memory/input';
import type { ClusterSpec } from '../../../server/src/engine/spec/cluster';
import type { ServingSpec } from '../../../server/src/engine/spec/serving';
import type { Planned } from '../../../server/src/plan/plan';
import type { AccuracyRow } from './throughput-rows';
import { layoutOf } from './memory-input';
import { presetSpec } from './throughput-models';

/** One published throughput of a server, with the setting it was measured in. */
interface ServingRow {
  readonly id: string;
  readonly source: string;
  readonly model: string;
  readonly gpu: string;
  /** GPUs, each an attention group of its own; experts are spread over all of them. */
  readonly gpus: number;
  readonly fp8: boolean;
  readonly redundant: number;
  readonly pass: PassInput;
  /** Tokens a second and GPU. */
  readonly measured: number;
}

// The profile of DeepSeek routes its tokens evenly; a deployment with real requests does not, by what SGLang's report states:
// 59,337 tokens/s with an ideal balance against 50,302.
const UNEVEN = 1.4;
const PROFILE = 'deepseek-ai/profile-data README, as InferSim (alibaba/InferSim README) reads it';
// InferSim's table does not state how long its prompts are: 4,096 tokens, those of its example, are taken.
const INFERSIM = 'alibaba/InferSim README, measured with SGLang; prompt length taken from its example';
const SGLANG = 'LMSYS, Deploying DeepSeek with PD disaggregation and large-scale EP on 96 H100 GPUs (2025-05-05)';

const V3 = { model: 'deepseek-ai/DeepSeek-V3', fp8: true } as const;
const PREFILL = { phase: 'prefill', context: 0 } as const;
const DECODE = { phase: 'decode', tokens: 1 } as const;

/** Published throughputs whose setting is known: model, GPUs, batch, lengths. */
const ROWS: readonly ServingRow[] = [
  {
    ...V3,
    id: 'S1',
    source: PROFILE,
    gpu: 'H800',
    gpus: 32,
    redundant: 32,
    pass: { ...PREFILL, sequences: 4, tokens: 4096, twoBatches: true },
    measured: 7839,
  },
  {
    ...V3,
    id: 'S2',
    source: PROFILE,
    gpu: 'H800',
    gpus: 128,
    redundant: 0,
    pass: { ...DECODE, sequences: 128, context: 4096, twoBatches: true },
    measured: 2324,
  },
  {
    ...V3,
    id: 'S3',
    source: SGLANG,
    gpu: 'H100',
    gpus: 32,
    redundant: 32,
    pass: { ...PREFILL, sequences: 4, tokens: 4096, twoBatches: true, imbalance: UNEVEN },
    measured: 50_302 / 8,
  },
  {
    ...V3,
    id: 'S4',
    source: SGLANG,
    gpu: 'H100',
    gpus: 72,
    redundant: 32,
    pass: { ...DECODE, sequences: 256, context: 2000, twoBatches: true, imbalance: UNEVEN },
    measured: 22_282 / 8,
  },
  {
    ...V3,
    id: 'S8',
    source: `${SGLANG}, balance simulated`,
    gpu: 'H100',
    gpus: 32,
    redundant: 32,
    pass: { ...PREFILL, sequences: 4, tokens: 4096, twoBatches: true },
    measured: 59_337 / 8,
  },
  {
    id: 'S5',
    source: INFERSIM,
    model: 'Qwen/Qwen3-8B',
    gpu: 'H20',
    gpus: 1,
    fp8: true,
    redundant: 0,
    pass: { ...PREFILL, sequences: 4, tokens: 4096 },
    measured: 15_061,
  },
  {
    id: 'S6',
    source: INFERSIM,
    model: 'Qwen/Qwen3-30B-A3B',
    gpu: 'H20',
    gpus: 4,
    fp8: false,
    redundant: 0,
    pass: { ...DECODE, sequences: 100, context: 5120 },
    measured: 2749,
  },
  {
    id: 'S7',
    source: INFERSIM,
    model: 'Qwen/Qwen3-30B-A3B',
    gpu: 'H20',
    gpus: 4,
    fp8: false,
    redundant: 0,
    pass: { ...PREFILL, sequences: 4, tokens: 4096 },
    measured: 16_594,
  },
];

const SERVING: ServingSpec = {
  stack: 'sglang',
  kvDType: 'BF16',
  kvLayout: 'plain',
  pageSize: 64,
  sharedTensor: 1,
  denseTensor: 1,
  dataParallelLmHead: true,
};

function clusterOf(name: string, gpus: number): ClusterSpec {
  const preset = findGpu(name);
  if (preset === undefined) throw new Error(`${name} is no preset`);
  const { cluster } = preset as { cluster: Planned<ClusterSpec> };
  const values = Object.fromEntries(Object.entries(cluster).map(([key, { value }]) => [key, value]));
  return { ...values, gpu: name, gpus, nodes: Math.ceil(gpus / 8) } as unknown as ClusterSpec;
}

function inputOf({ model, gpu, gpus, fp8, redundant }: ServingRow): ServingInput {
  const experts = presetSpec(model).experts ?? 0;
  return {
    model: presetSpec(model),
    layout: layoutOf({ worldSize: gpus, tensor: gpus, attentionData: gpus, expert: experts > 0 ? gpus : 1 }),
    serving: SERVING,
    cluster: clusterOf(gpu, gpus),
    experts: { redundant, algorithm: 'eplb' },
    ...(fp8 ? { quantization: { method: 'fp8-block', baseDType: 'BF16', blockRows: 128, blockColumns: 128 } } : {}),
  };
}

/** Every published serving throughput with its prediction. */
export function servingRows(): readonly (AccuracyRow & { readonly source: string })[] {
  return ROWS.map((row) => {
    const input = inputOf(row);
    const machine = machineOf(input.cluster ?? clusterOf(row.gpu, row.gpus));
    if ('missing' in machine) throw new Error(`${row.gpu} lacks ${machine.missing}`);
    const { seconds } = servingPass(input, machine, row.pass);
    const { phase, sequences, tokens, context } = row.pass;
    return {
      id: row.id,
      stack: 'serving',
      model: row.model,
      gpu: row.gpu,
      source: row.source,
      plan: `${row.gpus} GPUs, ${phase}, ${sequences} sequences a GPU, ${phase === 'prefill' ? tokens : context} tokens`,
      measured: row.measured,
      predicted: (sequences * tokens) / seconds,
    };
  });
}
