import type { TrainingInput } from '../../../server/src/engine/memory/input';
import type { ScheduleKind } from '../../../server/src/engine/spec/training';
import { sharedJson } from '../../shared';
import { denseModel, layoutOf, megatronInput } from './memory-input';

interface Toml {
  readonly model: { readonly name: string; readonly flavor: string };
  readonly training: {
    readonly local_batch_size?: number;
    readonly seq_len?: number;
    readonly enable_cpu_offload?: boolean;
  };
  readonly parallelism: Readonly<Record<string, number | string | boolean>>;
  readonly activation_checkpoint: { readonly mode?: string; readonly selective_ac_option?: string };
  readonly compile?: { readonly enable?: boolean; readonly components?: readonly string[] };
}

/** One measured rank of a torchtitan v0.2.2 job on an H100. */
export interface GpuTitanRow {
  readonly id: string;
  readonly ok: boolean;
  readonly spec: { readonly world: number; readonly rank: number; readonly toml: Toml };
  readonly model_args: Readonly<Record<string, unknown>>;
  readonly layers: readonly (readonly string[])[];
  readonly local_numel: number;
  readonly phases: Readonly<Record<string, { readonly before: number; readonly after: number; readonly peak: number }>>;
  readonly peak_steady: number;
  readonly peak_phase: string;
}

export function gpuTitanRows(): GpuTitanRow[] {
  const file = sharedJson<GpuTitanRow[] | { rows: GpuTitanRow[] }>('truth', 'gpu-titan.json');
  return Array.isArray(file) ? file : file.rows;
}

const SCHEDULES: Readonly<Record<string, ScheduleKind>> = {
  '1F1B': '1f1b',
  GPipe: 'gpipe',
  Interleaved1F1B: 'interleaved-torch',
  InterleavedZeroBubble: 'interleaved-zb-torch',
  ZBVZeroBubble: 'zbv-torch',
  DualPipeV: 'dualpipev',
  LoopedBFS: 'looped-bfs',
};

/** Inner width as Llama's code rounds it. */
function llamaInner(dim: number, multiple: number, factor: number | undefined): number {
  let hidden = Math.trunc((2 * 4 * dim) / 3);
  if (factor !== undefined) hidden = Math.trunc(factor * hidden);
  return multiple * Math.ceil(hidden / multiple);
}

/** The job of a row, from its TOML and the model arguments it recorded. */
export function gpuTitanInput(row: GpuTitanRow): TrainingInput {
  const { toml, world } = row.spec;
  const a = row.model_args;
  const n = (key: string, otherwise = 0): number => (typeof a[key] === 'number' ? a[key] : otherwise);
  const moeArgs = (a['moe_args'] ?? {}) as Record<string, number>;
  const p = (key: string, otherwise = 1): number =>
    typeof toml.parallelism[key] === 'number' ? (toml.parallelism[key] as number) : otherwise;
  const layers = n('n_layers');
  const dim = n('dim');
  const heads = n('n_heads');
  const mla = toml.model.name === 'deepseek_v3';
  const inner = mla
    ? n('inter_dim')
    : n(
        'hidden_dim',
        llamaInner(
          dim,
          n('multiple_of', 256),
          typeof a['ffn_dim_multiplier'] === 'number' ? a['ffn_dim_multiplier'] : undefined,
        ),
      );
  const isMoe = mla || a['moe_enabled'] === true;
  const model = denseModel({
    name: `${toml.model.name} ${toml.model.flavor}`,
    layers,
    hiddenSize: dim,
    intermediateSize: inner,
    vocabSize: n('vocab_size'),
    heads,
    kvHeads: n('n_kv_heads', heads),
    headDim: n('head_dim', dim / heads),
    tiedEmbeddings: a['enable_weight_tying'] === true,
    qkNorm: a['qk_norm'] === true ? 'head' : 'none',
    ...(mla
      ? {
          attention: 'mla' as const,
          qLoraRank: n('q_lora_rank'),
          kvLoraRank: n('kv_lora_rank'),
          qkNopeHeadDim: n('qk_nope_head_dim'),
          qkRopeHeadDim: n('qk_rope_head_dim'),
          vHeadDim: n('v_head_dim'),
        }
      : {}),
    ...(isMoe
      ? {
          experts: moeArgs['num_experts'] ?? 0,
          expertsPerToken: moeArgs['top_k'] ?? 0,
          expertIntermediateSize: n('moe_inter_dim'),
          sharedExperts: moeArgs['num_shared_experts'] ?? 0,
          moeLayers: Array.from({ length: layers }, (_, l) => l >= n('n_dense_layers')),
        }
      : {}),
  });
  const pipeline = p('pipeline_parallel_degree');
  const tensor = p('tensor_parallel_degree');
  const context = p('context_parallel_degree');
  const replicate = p('data_parallel_replicate_degree');
  const kind = SCHEDULES[String(toml.parallelism['pipeline_parallel_schedule'] ?? '1F1B')] ?? '1f1b';
  const virtualPipeline = pipeline > 1 ? row.layers.length : 1;
  const layout = layoutOf({
    worldSize: world,
    tensor,
    pipeline,
    context,
    virtualPipeline,
    expert: p('expert_parallel_degree'),
    expertTensor: p('expert_tensor_parallel_degree'),
    sequenceParallel: tensor > 1,
    dataReplicate: replicate,
    dataShard: world / (tensor * pipeline * replicate),
  });
  const batch = toml.training.local_batch_size ?? 8;
  const micro = pipeline > 1 ? p('pipeline_parallel_microbatch_size') : batch;
  const reshard = toml.parallelism['fsdp_reshard_after_forward'];
  const mode = toml.activation_checkpoint.mode ?? 'selective';
  const option = toml.activation_checkpoint.selective_ac_option ?? '2';
  const base = megatronInput(
    model,
    layout,
    {
      microBatch: micro,
      microbatches: pipeline > 1 ? batch / micro : 1,
      sequenceLength: toml.training.seq_len ?? 2048,
    },
    {
      vocabDivisor: 1,
      lossParallel: toml.parallelism['disable_loss_parallel'] !== true,
      selective: option === 'op' ? 'op' : Number(option),
      compile: toml.compile?.enable === true,
      ...(typeof reshard === 'string' ? { reshard: reshard as 'always' } : {}),
    },
  );
  return {
    ...base,
    precision: { ...base.precision, weights: 'F32', masterWeights: 'none' },
    optimizer: {
      ...base.optimizer,
      stack: 'fsdp2',
      zeroStage: 3,
      gradientAccumulationFusion: false,
      offloadOptimizer: toml.training.enable_cpu_offload === true,
      offloadParameters: toml.training.enable_cpu_offload === true,
    },
    recompute: { granularity: mode === 'none' ? 'none' : mode === 'full' ? 'full' : 'selective' },
    pipeline: { kind },
  };
}
