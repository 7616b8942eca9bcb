import type { StageContent } from '../layout/stages';
import type { Dims } from './dims';
import type { TrainingInput } from './input';
import { num, put } from './ledger';
import type { Ledger } from './ledger';
import type { StateBytes } from './optimizer-state';

/** DeepSpeed's pipeline engine over Megatron's modules (Megatron-DeepSpeed, GPT-NeoX). */
export function deepspeedPipe({ optimizer, layout }: TrainingInput): boolean {
  return optimizer.stack === 'deepspeed' && layout.pipeline > 1;
}

/**
 * Tensors of one microbatch that the engine keeps beside what autograd saves: the input that it received, of which the first layer reads a
 * copy, and the output, which the backward pass starts from (DeepSpeed runtime/pipe/engine.py, `_exec_forward_pass`, `pipe_buffers`).
 */
export function pipeTensors(input: TrainingInput, stage: StageContent): number {
  return deepspeedPipe(input) ? (stage.embedding ? 0 : 1) + (stage.head ? 0 : 1) : 0;
}

/** Writes those of `count` microbatches. */
export function putPipeTensors(
  ledger: Ledger,
  input: TrainingInput,
  d: Dims,
  stage: StageContent,
  count: number,
): void {
  const tensors = pipeTensors(input, stage);
  const what = `stage ${num(stage.stage)}: inputs and outputs of the pipeline engine`;
  const formula = `${num(count)} in flight × ${num(tensors)} × 2 × ${num(d.T)} × ${num(d.h / d.sp)} B`;
  put(ledger, 'activations', what, (count * tensors * 2 * d.T * d.h) / d.sp, formula, [
    'layout.pipeline',
    'batch.microBatch',
    'pipeline.kind',
  ]);
}

/**
 * BF16 gradients stand beside the FP32 ones that they are added to (DeepSpeed runtime/bf16_optimizer.py, `update_hp_grads`). Tensor or pipeline
 * parallelism only: without, the replay of a transformers model counts them moment by moment.
 */
export function withNarrowGradients(input: TrainingInput, bytes: StateBytes): StateBytes {
  if (input.optimizer.stack !== 'deepspeed' || bytes.gradient <= bytes.weight) return bytes;
  return { ...bytes, gradient: bytes.gradient + bytes.weight };
}

/** The bucket that ZeRO 1 and 2 copy gradients to before they are reduced; `overlap_comm` has two (runtime/zero/stage_1_and_2.py). */
export function putReduceBucket(ledger: Ledger, { optimizer, details }: TrainingInput, bytes: StateBytes): void {
  if (optimizer.stack !== 'deepspeed' || optimizer.zeroStage === 0 || bytes.gradient > bytes.weight) return;
  const bucket = details?.reduceBucketSize ?? 5e8;
  const buckets = details?.overlapComm === true ? 2 : 1;
  const formula = `${num(buckets)} × ${num(bucket)} × ${num(bytes.weight)} B`;
  put(ledger, 'buffers', 'reduce bucket', buckets * bucket * bytes.weight, formula, [
    'details.reduceBucketSize',
    'optimizer.zeroStage',
  ]);
}
