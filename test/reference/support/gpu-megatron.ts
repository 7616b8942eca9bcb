import type { TrainingInput } from '../../../server/src/engine/memory/input';
import { sharedJson } from '../../shared';
import { denseModel, layoutOf, megatronInput } from './memory-input';

/** One measured rank of a Megatron-LM core job on an H100. */
export interface GpuMegatronRow {
  readonly id: string;
  readonly ok: boolean;
  readonly spec: {
    readonly world: number;
    readonly rank: number;
    readonly mbs: number;
    readonly seq: number;
    readonly nmb?: number;
    readonly core?: string;
    readonly ce_fusion?: boolean;
    readonly routing?: string;
    readonly rc?: string;
    readonly rc_method?: string;
    readonly rc_layers?: number;
    readonly rc_modules?: readonly string[];
    readonly par: {
      readonly tp?: number;
      readonly pp?: number;
      readonly vpp?: number;
      readonly ep?: number;
      readonly etp?: number;
      readonly sp?: boolean;
    };
    readonly ddp?: Readonly<Record<string, unknown>>;
  };
  readonly transformer_config: Readonly<Record<string, string>>;
  readonly padded_vocab: number;
  readonly params: readonly {
    readonly numel_local: number;
    readonly bytes_by_name: Readonly<Record<string, number>>;
  }[];
  readonly local_numel: number;
  readonly phases: Readonly<Record<string, { readonly before: number; readonly after: number; readonly peak: number }>>;
  readonly peak_steady: number;
  readonly peak_phase: string;
  readonly saved?: { readonly total: number; readonly tensors: Readonly<Record<string, number>> };
}

export function gpuMegatronRows(): GpuMegatronRow[] {
  const file = sharedJson<GpuMegatronRow[] | { rows: GpuMegatronRow[] }>('truth', 'gpu-megatron.json');
  return Array.isArray(file) ? file : file.rows;
}

/** The job of a row, from the configuration object it recorded. */
export function gpuMegatronInput(row: GpuMegatronRow): TrainingInput {
  const c = row.transformer_config;
  const n = (key: string, otherwise = 0): number =>
    c[key] === undefined || c[key] === 'None' ? otherwise : Number(c[key]);
  const yes = (key: string): boolean => c[key] === 'True';
  const { spec } = row;
  const { tp = 1, pp = 1, vpp = 1, ep = 1, sp = false } = spec.par;
  const heads = n('num_attention_heads');
  const experts = n('num_moe_experts');
  const layers = n('num_layers');
  const freq = c['moe_layer_freq'];
  const moeLayers =
    freq?.startsWith('[') === true
      ? (JSON.parse(freq) as number[]).map((flag) => flag === 1)
      : Array.from({ length: layers }, () => true);
  const mla = yes('multi_latent_attention');
  const bias = yes('add_bias_linear');
  const learned =
    Object.keys(row.params[0]?.bytes_by_name ?? {}).some((name) => name.includes('position_embeddings')) ||
    row.id.includes('gpt3');
  const model = denseModel({
    name: row.id,
    layers,
    hiddenSize: n('hidden_size'),
    intermediateSize: n('ffn_hidden_size'),
    vocabSize: row.padded_vocab,
    heads,
    kvHeads: n('num_query_groups', heads),
    headDim: n('kv_channels', n('hidden_size') / heads),
    gatedMlp: yes('gated_linear_unit'),
    mlpBias: bias,
    qkvBias: bias || yes('add_qkv_bias'),
    attentionOutputBias: bias,
    normBias: c['normalization'] === 'LayerNorm',
    qkNorm: yes('qk_layernorm') && !mla ? 'head' : 'none',
    ...(mla
      ? {
          attention: 'mla' as const,
          qLoraRank: n('q_lora_rank'),
          kvLoraRank: n('kv_lora_rank'),
          qkNopeHeadDim: n('qk_head_dim'),
          qkRopeHeadDim: n('qk_pos_emb_head_dim'),
          vHeadDim: n('v_head_dim'),
        }
      : {}),
    ...(experts > 0
      ? {
          experts,
          expertsPerToken: n('moe_router_topk'),
          expertIntermediateSize: n('moe_ffn_hidden_size', n('ffn_hidden_size')),
          sharedExpertIntermediateSize: n('moe_shared_expert_intermediate_size'),
          moeLayers,
        }
      : {}),
    ...(learned ? { learnedPositions: spec.seq } : {}),
    tiedEmbeddings: false,
  });
  const layout = layoutOf({
    worldSize: spec.world,
    tensor: tp,
    pipeline: pp,
    virtualPipeline: vpp,
    expert: ep,
    expertTensor: spec.par.etp ?? n('expert_tensor_parallel_size', tp),
    sequenceParallel: sp && tp > 1,
  });
  const base = megatronInput(
    model,
    layout,
    { microBatch: spec.mbs, microbatches: spec.nmb ?? 1, sequenceLength: spec.seq },
    {
      transformerImpl: 'local',
      attentionKernel: spec.core === 'local' ? 'unfused' : 'flash',
      crossEntropy: spec.ce_fusion === true ? 'fused' : 'native',
      groupedGemm: false,
      vocabDivisor: 1,
      positions: learned ? 'learned' : 'rope',
      dispatcher: 'alltoall',
      ropeFusion: false,
    },
  );
  return {
    ...base,
    optimizer: { ...base.optimizer, gradientAccumulationFusion: false },
    recompute:
      spec.rc === undefined
        ? { granularity: 'none' }
        : {
            granularity: spec.rc as 'full',
            ...(spec.rc_method === undefined ? {} : { method: spec.rc_method as 'uniform' }),
            ...(spec.rc_layers === undefined ? {} : { layers: spec.rc_layers }),
            ...(spec.rc_modules === undefined ? {} : { modules: spec.rc_modules }),
          },
  };
}
