import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { OptimizerSpec } from '../../../server/src/engine/spec/training';
import { sharedJson } from '../../shared';
import { denseModel, layoutOf, megatronInput } from './memory-input';

/** One measured job of a transformers model on an H100: a single process, FSDP, or DeepSpeed. */
export interface GpuHfRow {
  readonly id: string;
  readonly ok: boolean;
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly model: string;
    readonly mbs: number;
    readonly seq: number;
    readonly world?: number;
    readonly rank?: number;
  };
  readonly config?: Readonly<Record<string, unknown>>;
  readonly ds_config?: Readonly<Record<string, unknown>>;
  readonly phases: Readonly<Record<string, { readonly before: number; readonly after: number; readonly peak: number }>>;
  readonly peak_steady: number;
  readonly peak_phase: string;
  readonly attn_nodes?: Readonly<Record<string, number>>;
  readonly experts_implementation?: string;
}

export function gpuRows(file: string): GpuHfRow[] {
  const content = sharedJson<GpuHfRow[] | { rows: GpuHfRow[] }>('truth', file);
  return Array.isArray(content) ? content : content.rows;
}

/** Published sizes, for rows that did not record their config. */
const KNOWN: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'llama-3.2-1b': {
    hidden_size: 2048,
    intermediate_size: 8192,
    num_hidden_layers: 16,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 64,
    vocab_size: 128256,
    tie_word_embeddings: true,
  },
  'llama-3-8b': {
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    vocab_size: 128256,
    tie_word_embeddings: false,
  },
  'mixtral-8x7b': {
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    num_local_experts: 8,
    num_experts_per_tok: 2,
    vocab_size: 32000,
    tie_word_embeddings: false,
  },
};

/** The model of a row from its transformers config. */
export function gpuHfModel(row: GpuHfRow): ModelSpec {
  const config: Readonly<Record<string, unknown>> = {
    ...(KNOWN[row.spec.model] ?? {}),
    ...(row.config ?? {}),
    ...((row.spec['override'] ?? {}) as Record<string, unknown>),
  };
  const n = (key: string, otherwise = 0): number =>
    typeof config[key] === 'number' ? (config[key] as number) : otherwise;
  const layers = n('num_hidden_layers');
  const heads = n('num_attention_heads');
  const experts = n('n_routed_experts', n('num_local_experts', n('num_experts')));
  const mla = n('kv_lora_rank') > 0;
  const family = row.spec.model.startsWith('gemma-2') ? 'gemma2' : row.spec.model.startsWith('gemma') ? 'gemma' : '';
  return denseModel({
    name: row.spec.model,
    ...(family === '' ? {} : { family }),
    layers,
    hiddenSize: n('hidden_size'),
    intermediateSize: n('intermediate_size'),
    vocabSize: n('vocab_size'),
    heads,
    kvHeads: n('num_key_value_heads', heads),
    headDim: n('head_dim', n('hidden_size') / heads),
    tiedEmbeddings: config['tie_word_embeddings'] === true,
    qkNorm: row.spec.model.startsWith('qwen3') ? 'head' : 'none',
    normsPerLayer: family === 'gemma2' ? 4 : 2,
    ...(family === 'gemma2'
      ? { slidingWindow: 4096, slidingLayers: Array.from({ length: layers }, (_, layer) => layer % 2 === 0) }
      : {}),
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
    ...(experts > 0
      ? {
          experts,
          expertsPerToken: n('num_experts_per_tok'),
          expertIntermediateSize: n('moe_intermediate_size', n('intermediate_size')),
          sharedExperts: n('n_shared_experts'),
          routerCorrectionBias: mla,
          moeLayers: Array.from({ length: layers }, (_, layer) => layer >= n('first_k_dense_replace')),
        }
      : {}),
  });
}

/** A transformers job of one rank, before the stack's own settings. */
export function gpuHfBase(
  row: GpuHfRow,
  details: TrainingDetails,
  optimizer: Partial<OptimizerSpec>,
  microbatches = 1,
): TrainingInput {
  const world = row.spec.world ?? 1;
  const base = megatronInput(
    gpuHfModel(row),
    layoutOf({ worldSize: world }),
    { microBatch: row.spec.mbs, microbatches, sequenceLength: row.spec.seq },
    { vocabDivisor: 1, modelCode: 'transformers', ...details },
  );
  const ckpt = row.spec['ckpt'];
  return {
    ...base,
    optimizer: { ...base.optimizer, gradientAccumulationFusion: false, ...optimizer },
    recompute: { granularity: ckpt === null || ckpt === undefined || ckpt === false ? 'none' : 'full' },
  };
}

const OPTIMIZERS: Readonly<Record<string, OptimizerSpec['kind']>> = {
  adamw: 'adam',
  adam: 'adam',
  sgd: 'sgd',
  adafactor: 'adafactor',
  lion: 'lion',
};

/** The job of a row of gpu-hf_train.json. */
export function gpuHfTrainInput(row: GpuHfRow): TrainingInput {
  const { spec } = row;
  const opt = String(spec['opt']);
  const kind = OPTIMIZERS[opt.split('_')[0] ?? ''] ?? 'adam';
  const stateless = opt === 'none' || opt === 'sgd';
  const dtype = spec['param_dtype'] === 'fp32' ? 'F32' : 'BF16';
  const amp = spec['amp'] === true;
  const lora = typeof spec['lora'] === 'number' ? spec['lora'] : undefined;
  const ddp = typeof spec['ddp'] === 'number' ? spec['ddp'] : 1;
  const attention = spec['attn'] === 'eager' ? 'unfused' : dtype === 'F32' && !amp ? 'math' : 'flash';
  const details: TrainingDetails = {
    autocast: amp,
    attentionKernel: attention,
    optimizerStep: opt.endsWith('foreach') ? 'foreach' : opt.endsWith('forloop') ? 'for-loop' : 'fused',
    gradientBucketView: spec['gabv'] === true,
    ...(spec['experts'] === 'eager' ? { groupedGemm: false } : {}),
    ...(lora === undefined
      ? {}
      : {
          lora: {
            rank: lora,
            ...(Array.isArray(spec['lora_targets']) ? { targets: spec['lora_targets'] as string[] } : {}),
          },
        }),
  };
  const base = gpuHfBase({ ...row, spec: { ...spec, world: ddp } }, details, {
    stack: 'ddp',
    kind: stateless ? 'adafactor' : kind,
    zeroStage: 0,
  });
  const moment = lora === undefined ? dtype : 'F32';
  return {
    ...base,
    precision: {
      ...base.precision,
      weights: dtype,
      compute: amp || dtype === 'BF16' ? 'BF16' : 'F32',
      gradients: dtype,
      masterWeights: 'none',
      firstMoment: moment,
      secondMoment: moment,
    },
  };
}

/** The job of a row of gpu-hf_fsdp.json. */
export function gpuHfFsdpInput(row: GpuHfRow): TrainingInput {
  const { spec } = row;
  const dtype = spec['param_dtype'] === 'fp32' ? 'F32' : 'BF16';
  const strategy = String(spec['strategy'] ?? '');
  const world = spec.world ?? 1;
  const hybrid = strategy.startsWith('HYBRID');
  const stays = strategy === 'SHARD_GRAD_OP' || spec['reshard'] === false || strategy === '_HYBRID_SHARD_ZERO2';
  const base = gpuHfBase(
    row,
    { optimizerStep: 'fused', lowPrecisionBytes: 2, reduceBytes: spec['reduce_bf16'] === true ? 2 : 4 },
    { stack: spec['api'] === 'fsdp1' ? 'fsdp1' : 'fsdp2', zeroStage: 3, reshardAfterForward: !stays },
  );
  return {
    ...base,
    // A hybrid job shards inside the 8 GPUs of a host.
    layout: { ...base.layout, dataShard: hybrid ? Math.min(8, world) : world, dataReplicate: hybrid ? world / 8 : 1 },
    precision: {
      ...base.precision,
      weights: dtype,
      gradients: dtype,
      masterWeights: 'none',
      firstMoment: dtype,
      secondMoment: dtype,
    },
  };
}

/** The job of a row of gpu-deepspeed.json. */
export function gpuDeepspeedInput(row: GpuHfRow): TrainingInput {
  const config = (row.ds_config ?? row.spec['ds'] ?? {}) as Readonly<Record<string, unknown>>;
  const zero = (config['zero_optimization'] ?? {}) as Readonly<Record<string, unknown>>;
  const n = (key: string): number | undefined => (typeof zero[key] === 'number' ? zero[key] : undefined);
  const stage = n('stage') ?? 0;
  const given = <K extends string>(key: K, value: number | undefined): { [key in K]?: number } =>
    (value === undefined ? {} : { [key]: value }) as { [key in K]?: number };
  const steps = config['gradient_accumulation_steps'];
  const offload = (key: string): boolean => {
    const device = ((zero[key] ?? {}) as Readonly<Record<string, unknown>>)['device'];
    return device === 'cpu' || device === 'nvme';
  };
  const base = gpuHfBase(
    row,
    {
      optimizerStep: 'fused',
      ...given('reduceBucketSize', n('reduce_bucket_size')),
      ...given('prefetchBucketSize', n('stage3_prefetch_bucket_size')),
      ...given('persistenceThreshold', n('stage3_param_persistence_threshold')),
      ...given('maxLiveParameters', n('stage3_max_live_parameters')),
      ...given('maxReuseDistance', n('stage3_max_reuse_distance')),
      overlapComm: zero['overlap_comm'] === true,
    },
    {
      stack: 'deepspeed',
      zeroStage: stage as 0,
      offloadOptimizer: offload('offload_optimizer'),
      offloadParameters: offload('offload_param'),
    },
    typeof steps === 'number' ? steps : 1,
  );
  return { ...base, precision: { ...base.precision, gradients: 'BF16' } };
}
