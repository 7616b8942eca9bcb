import type { StageContent } from '../layout/stages';
import type { Dims } from './dims';
import type { TrainingInput } from './input';
import type { Ledger } from './ledger';
import { MIB, num, put } from './ledger';

/** What these need to know of a plan. */
interface Job {
  readonly input: TrainingInput;
  readonly d: Dims;
}

/**
 * Library scratch memory. PyTorch gives the forward and the autograd thread one cuBLAS workspace each (32 MiB on sm_90, or where
 * CUBLAS_WORKSPACE_CONFIG=:4096:8 is set; 8.125 MiB before; 16 MiB measured on sm_100), Transformer Engine has its own
 * (32 MiB from sm_90, 4 MiB before), its grouped GEMM four more of that size, one a stream, and overlapped tensor parallelism three.
 */
export function putWorkspace(ledger: Ledger, plan: Job, stages: readonly StageContent[]): void {
  const { input } = plan;
  const capability = input.cluster?.computeCapability ?? 90;
  const usual = capability >= 100 ? 16 * MIB : capability >= 90 ? 32 * MIB : 8.125 * MIB;
  const cublas = input.details?.cublasWorkspaceBytes ?? usual;
  put(ledger, 'workspace', 'cuBLAS workspaces', 2 * cublas, `2 threads × ${num(cublas)} B`, ['cluster.gpu']);
  if (input.details?.transformerImpl === 'local' || input.optimizer.stack !== 'megatron') return;
  const te = capability >= 90 ? 32 * MIB : 4 * MIB;
  const grouped = input.details?.groupedGemm !== false && stages.some(({ moeLayers }) => moeLayers > 0) ? 4 : 0;
  // Overlapped communication has workspaces beside (transformer_engine/pytorch/cpp_extensions/gemm.py, get_cublas_workspace).
  const overlapped = input.details?.tensorOverlap === true && input.layout.tensor > 1 ? 3 : 0;
  const streams = 1 + grouped + overlapped;
  put(ledger, 'workspace', 'Transformer Engine workspaces', streams * te, `${num(streams)} × ${num(te)} B`, [
    'cluster.gpu',
    'details.groupedGemm',
  ]);
}

/**
 * Buffers that live as long as the job: the shared gather buffer of sequence parallelism and of unfused attention
 * (Megatron-LM core/utils.py, GlobalMemoryBuffer), and the received input of every chunk, which the
 * decoder keeps a reference to (core/transformer/transformer_block.py, set_input_tensor).
 */
export function putLasting(ledger: Ledger, plan: Job, stages: readonly StageContent[]): void {
  const { d, input } = plan;
  const received = stages.filter(({ embedding }) => !embedding).length;
  const hidden = (2 * d.T * d.h) / d.sp;
  put(
    ledger,
    'buffers',
    'received activations',
    received * hidden,
    `${num(received)} chunks × 2 × ${num(d.T)} × ${num(d.h / d.sp)} B`,
    ['layout.pipeline', 'layout.virtualPipeline', 'batch.microBatch'],
  );
  if (input.optimizer.stack !== 'megatron') return;
  // Transformer Engine's linears gather into their own buffers, so that there only the head uses the shared one.
  const local = input.details?.transformerImpl === 'local';
  const gather = d.sp > 1 && (local || stages.some(({ head }) => head)) ? 2 * d.T * d.h : 0;
  const scores = unfusedLocal(input) ? 2 * d.heads * d.microBatch * d.S * d.S : 0;
  put(ledger, 'buffers', 'shared gather buffer', Math.max(gather, scores), `${num(Math.max(gather, scores))} B`, [
    'layout.sequenceParallel',
    'details.attentionKernel',
  ]);
}

/** Megatron's own attention module, which writes its scores into one buffer for life. */
function unfusedLocal(input: TrainingInput): boolean {
  return input.details?.transformerImpl === 'local' && input.details.attentionKernel !== 'flash';
}

/** Megatron's plain MoE layers leave two hidden-wide tensors a layer allocated after a step with full recompute (measured, cause unknown). */
export function strayRecompute(plan: Job, stages: readonly StageContent[]): number {
  const { input, d } = plan;
  if (input.details?.transformerImpl !== 'local' || input.recompute.granularity !== 'full') return 0;
  return stages.reduce((sum, { moeLayers }) => sum + moeLayers, 0) * ((4 * d.T * d.h) / d.sp);
}
