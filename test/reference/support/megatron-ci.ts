import { sharedJson } from '../../shared';
import { estimateTraining } from '../../../server/src/engine/memory/training';
import type { TrainingDetails, TrainingInput } from '../../../server/src/engine/memory/input';
import type { ModelSpec } from '../../../server/src/engine/model/spec';
import type { RankReading } from './accuracy-ranks';
import { denseModel, layoutOf, megatronInput } from './memory-input';

/** One run of Megatron-LM's functional tests: its arguments, and what its last rank had allocated. */
export interface CiRow {
  readonly id: string;
  readonly platform: string;
  readonly world_size: number | null;
  readonly alloc_bytes: number;
  readonly peak_bytes: number;
  readonly peak_first_iter_bytes?: number;
  readonly env: Readonly<Record<string, string | number>>;
  readonly args: Readonly<Record<string, string | number | boolean>>;
}

type Args = CiRow['args'];

function count(args: Args, key: string, otherwise: number): number {
  const value = args[key];
  return value === undefined ? otherwise : Number(value);
}

/** Why a row is not a plain training run of a GPT model that these formulas describe; undefined when it is. */
export function leftOut(row: CiRow): string | undefined {
  const { args } = row;
  const has = (key: string): boolean => args[key] !== undefined && args[key] !== false;
  if (row.world_size === null) return 'the number of GPUs is not recorded';
  if (has('use-megatron-fsdp') || has('use-torch-fsdp2')) return 'Megatron FSDP';
  if (has('perform-rl-step') || row.id.includes('grpo'))
    return 'reinforcement learning with an inference engine beside';
  if (has('export-kd-cfg')) return 'distillation with a teacher model beside';
  if (row.id.includes('frozen')) return 'frozen parts of the model, which no argument names';
  if (
    args['hybrid-layer-pattern'] !== undefined ||
    args['hybrid-override-pattern'] !== undefined ||
    args['experimental-attention-variant'] !== undefined
  )
    return 'state-space layers';
  if (has('cuda-graph-impl')) return 'CUDA graphs';
  if (/\/(t5|bert|multimodal|mimo|nemotron|hybrid)/.test(row.id)) return 'not a GPT model';
  return undefined;
}

/**
 * The long-term-support container as first recorded (platform `lts` on the older A100 machine) has no deterministic fused attention:
 * asked for determinism and given the choice, Transformer Engine falls back on plain attention.
 */
export function withoutFusedAttention({ id, args, env }: CiRow): boolean {
  const choice = args['attention-backend'] === undefined || args['attention-backend'] === 'auto';
  return /\/lts_dgxa100/.test(id) && choice && Number(env['NVTE_ALLOW_NONDETERMINISTIC_ALGO'] ?? 0) === 0;
}

function modelOf(args: Args): ModelSpec {
  const h = count(args, 'hidden-size', 0);
  const heads = count(args, 'num-attention-heads', 1);
  const gated = args['swiglu'] === true;
  const ffn = count(args, 'ffn-hidden-size', gated ? Math.trunc((4 * h * 2) / 3 / 64) * 64 : 4 * h);
  const layers = count(args, 'num-layers', 1);
  const bias = args['disable-bias-linear'] !== true;
  const rms = args['normalization'] === 'RMSNorm';
  const kvHeads = args['group-query-attention'] === true ? count(args, 'num-query-groups', heads) : heads;
  const headDim = count(args, 'kv-channels', h / heads);
  const mla =
    args['multi-latent-attention'] === true
      ? {
          attention: 'mla' as const,
          qLoraRank: count(args, 'q-lora-rank', 0),
          kvLoraRank: count(args, 'kv-lora-rank', 32),
          qkNopeHeadDim: count(args, 'qk-head-dim', 128),
          qkRopeHeadDim: count(args, 'qk-pos-emb-head-dim', 64),
          vHeadDim: count(args, 'v-head-dim', 128),
        }
      : {};
  const experts = count(args, 'num-experts', 0);
  const freq = /\(\[0\]\*(\d+)\+\[1\]\*\d+\)/.exec(String(args['moe-layer-freq'] ?? ''));
  const firstDense = freq === null ? 0 : Number(freq[1]);
  const moe =
    experts > 0
      ? {
          experts,
          expertsPerToken: count(args, 'moe-router-topk', 2),
          expertIntermediateSize: count(args, 'moe-ffn-hidden-size', ffn),
          sharedExpertIntermediateSize: count(args, 'moe-shared-expert-intermediate-size', 0),
          expertBias: bias,
          moeLayers: Array.from({ length: layers }, (_, l) => l >= firstDense),
        }
      : {};
  const learned =
    (args['position-embedding-type'] ?? 'learned_absolute') === 'learned_absolute' &&
    args['use-rotary-position-embeddings'] !== true &&
    args['multi-latent-attention'] !== true;
  return denseModel({
    name: 'gpt',
    layers,
    hiddenSize: h,
    heads,
    kvHeads,
    headDim,
    intermediateSize: ffn,
    gatedMlp: gated,
    vocabSize: count(args, 'vocab-size', 50257),
    tiedEmbeddings: args['untie-embeddings-and-output-weights'] !== true,
    mlpBias: bias,
    qkvBias: bias || args['add-qkv-bias'] === true,
    attentionOutputBias: bias,
    normBias: !rms,
    qkNorm: args['qk-layernorm'] === true && mla.attention === undefined ? 'head' : 'none',
    mtpLayers: count(args, 'mtp-num-layers', 0),
    ...(learned ? { learnedPositions: count(args, 'max-position-embeddings', 0) } : {}),
    ...mla,
    ...moe,
  });
}

/** What the arguments mean, with Megatron's defaults for those that are absent. */
export function ciInput(row: CiRow): TrainingInput {
  const { args } = row;
  const model = modelOf(args);
  const tensor = count(args, 'tensor-model-parallel-size', 1);
  const pipeline = count(args, 'pipeline-model-parallel-size', 1);
  const context = count(args, 'context-parallel-size', 1);
  const perChunk = args['num-layers-per-virtual-pipeline-stage'];
  const virtualPipeline =
    pipeline === 1
      ? 1
      : perChunk === undefined
        ? count(args, 'num-virtual-stages-per-pipeline-rank', 1)
        : model.layers / pipeline / Number(perChunk);
  const stages = pipeline * virtualPipeline;
  const accounted =
    (args['account-for-embedding-in-pipeline-split'] === true ? 1 : 0) +
    (args['account-for-loss-in-pipeline-split'] === true ? 1 : 0);
  const first = args['decoder-first-pipeline-num-layers'];
  let stageLayers: number[] | undefined;
  if (accounted > 0) {
    const each = (model.layers + accounted) / stages;
    stageLayers = Array.from(
      { length: stages },
      (_, s) =>
        each -
        (s === 0 && args['account-for-embedding-in-pipeline-split'] === true ? 1 : 0) -
        (s === stages - 1 && args['account-for-loss-in-pipeline-split'] === true ? 1 : 0),
    );
  } else if (first !== undefined) {
    const last = count(args, 'decoder-last-pipeline-num-layers', 0);
    stageLayers = Array.from({ length: stages }, (_, s) =>
      s === 0 ? Number(first) : s === stages - 1 ? last : (model.layers - Number(first) - last) / (stages - 2),
    );
  }
  const layout = layoutOf({
    worldSize: row.world_size ?? 1,
    tensor,
    pipeline,
    context,
    virtualPipeline,
    expert: count(args, 'expert-model-parallel-size', 1),
    expertTensor: count(args, 'expert-tensor-parallel-size', tensor),
    sequenceParallel: args['sequence-parallel'] === true && tensor > 1,
    ...(stageLayers === undefined ? {} : { stageLayers }),
  });
  const micro = count(args, 'micro-batch-size', 1);
  const microbatches = Math.max(
    1,
    Math.floor(count(args, 'global-batch-size', micro * layout.data) / (micro * layout.data)),
  );
  // A golden file whose name gives no GPU was recorded on the A100 machine (its bytes are those of the A100 file beside it).
  const unnamed = /\/(dev|lts)$/.test(row.id);
  const capability = unnamed || row.platform.includes('a100') ? 80 : row.platform.includes('gb200') ? 100 : 90;
  const fp16 = args['fp16'] === true;
  const fp8 = args['fp8-format'] !== undefined;
  const details: TrainingDetails = {
    transformerImpl: args['transformer-impl'] === 'local' ? 'local' : 'te',
    attentionKernel:
      args['attention-backend'] === 'unfused' || args['transformer-impl'] === 'local' || withoutFusedAttention(row)
        ? 'unfused'
        : 'flash',
    crossEntropy:
      args['cross-entropy-loss-fusion'] === true
        ? args['cross-entropy-fusion-impl'] === 'te'
          ? 'te-fused'
          : 'fused'
        : 'native',
    vocabDivisor: count(args, 'make-vocab-size-divisible-by', 128),
    hiddenDropout: count(args, 'hidden-dropout', 0.1) > 0,
    attentionDropout: count(args, 'attention-dropout', 0.1) > 0,
    dataloaderMask: args['no-create-attention-mask-in-dataloader'] !== true,
    optimizerInstances: count(args, 'num-distributed-optimizer-instances', 1),
    deferredHeadGradients: args['defer-embedding-wgrad-compute'] === true ? count(args, 'wgrad-deferral-limit', 0) : 0,
    groupedGemm: args['moe-grouped-gemm'] === true,
    tensorOverlap: args['tp-comm-overlap'] === true,
    positions: model.learnedPositions === undefined ? 'rope' : 'learned',
    ...(row.env['CUBLAS_WORKSPACE_CONFIG'] === ':4096:8' ? { cublasWorkspaceBytes: 32 * 2 ** 20 } : {}),
  };
  const base = megatronInput(
    model,
    layout,
    { microBatch: micro, microbatches, sequenceLength: count(args, 'seq-length', 1024) },
    details,
  );
  return {
    ...base,
    precision: {
      ...base.precision,
      ...(fp16 ? { weights: 'F16' as const, compute: 'F16' as const, gradients: 'F16' as const } : {}),
      ...(fp8
        ? {
            fp8Recipe: 'tensorwise' as const,
            fp8Weights: args['fp8-param-gather'] === true,
            compute: 'F8_E4M3' as const,
          }
        : {}),
      ...(args['bf16'] !== true && !fp16
        ? { weights: 'F32' as const, compute: 'F32' as const, masterWeights: 'none' as const }
        : {}),
    },
    optimizer: {
      ...base.optimizer,
      kind: args['optimizer'] === 'muon' ? 'muon' : 'adam',
      zeroStage: args['use-distributed-optimizer'] === true ? 1 : 0,
      gradientAccumulationFusion: args['no-gradient-accumulation-fusion'] !== true,
    },
    pipeline: {
      kind: virtualPipeline > 1 ? 'interleaved' : '1f1b',
      ...(args['microbatch-group-size-per-virtual-pipeline-stage'] === undefined
        ? {}
        : { groupSize: count(args, 'microbatch-group-size-per-virtual-pipeline-stage', pipeline) }),
    },
    cluster: {
      gpu: row.platform,
      memoryBytes: 80 * 2 ** 30,
      gpus: row.world_size ?? 1,
      gpusPerNode: 8,
      nodes: 1,
      computeCapability: capability,
    },
  };
}

interface LeanRow {
  readonly dir: string;
  readonly golden: string;
  readonly platform: string | null;
  readonly world: number | null;
  readonly mem_max_allocated_bytes: number | null;
  readonly mem_allocated_bytes: number | null;
  readonly args: Readonly<Record<string, string | number | boolean>>;
}

/**
 * All recorded runs: those with every argument, then those of the shorter list that are not among them. The shorter list does
 * not say whether weight-gradient fusion is off; it is in nearly all runs of the suite (it is not deterministic), so it is taken as off.
 */
export function ciRows(): CiRow[] {
  const full = sharedJson<CiRow[]>('truth', 'measured-memory.json').filter(({ id }) =>
    id.startsWith('megatron-golden'),
  );
  const known = new Set(full.map(({ alloc_bytes, peak_bytes }) => `${String(alloc_bytes)}/${String(peak_bytes)}`));
  // The shorter list has no environment either: it is that of the same test on another machine.
  const envs = new Map(full.map(({ id, env }) => [id.slice(0, id.lastIndexOf('/')), env]));
  const lean = sharedJson<LeanRow[]>('truth', 'megatron-ci.json').flatMap((row): CiRow[] => {
    const { mem_allocated_bytes: alloc, mem_max_allocated_bytes: peak } = row;
    if (alloc === null || peak === null || known.has(`${String(alloc)}/${String(peak)}`)) return [];
    const args: Record<string, string | number | boolean> = { 'no-gradient-accumulation-fusion': true };
    for (const [key, value] of Object.entries(row.args)) args[key.replace(/^--/, '')] = value;
    const name = row.golden.replace(/^golden_values_|\.json$/g, '');
    const id = `megatron-golden/${row.dir.split('test_cases/')[1] ?? row.dir}/${name}`;
    return [
      {
        id,
        platform: row.platform ?? 'unknown',
        world_size: row.world,
        alloc_bytes: alloc,
        peak_bytes: peak,
        env: envs.get(id.slice(0, id.lastIndexOf('/'))) ?? { CUBLAS_WORKSPACE_CONFIG: ':4096:8' },
        args,
      },
    ];
  });
  return [...full, ...lean];
}

export interface CiReading extends RankReading {
  /** Predicted less measured bytes between steps, in MiB. */
  readonly staticMiB: number;
}

/** Estimate of the last rank, which is the one whose bytes the suite records. */
export function ciReading(row: CiRow): CiReading {
  const last = estimateTraining(ciInput(row)).classes.at(-1);
  const predicted = last?.allocated ?? 0;
  const resting = last?.resting ?? 0;
  return {
    id: row.id,
    measured: row.peak_bytes,
    predicted,
    percent: 100 * (predicted / row.peak_bytes - 1),
    staticMiB: (resting - row.alloc_bytes) / 2 ** 20,
    parts: {
      resting: { measured: row.alloc_bytes, predicted: resting },
      working: { measured: row.peak_bytes - row.alloc_bytes, predicted: predicted - resting },
    },
  };
}
