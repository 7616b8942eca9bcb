import type { LayoutSpec } from '../spec/layout';
import type { TrainingStack } from '../spec/training';
import type { TrainingInput } from './input';
import { MIB } from './ledger';

/** CUDA context with kernels of a training process on an H100 without NCCL, measured (837 MiB). */
const CONTEXT = 837 * MIB;
/** NCCL's first communicator of a process and each further one, measured with one rank: a lower bound. */
const FIRST_COMMUNICATOR = 564 * MIB;
const NEXT_COMMUNICATOR = 390 * MIB;

/** Groups with more than one member: each opens a communicator. */
export function communicatorsOf(layout: LayoutSpec): number {
  const inStage = layout.worldSize / layout.pipeline;
  const groups = [
    layout.tensor,
    layout.pipeline,
    layout.context,
    layout.data,
    layout.expert,
    inStage / (layout.expert * layout.expertTensor),
  ];
  const own = groups.filter((size, index) => size > 1 && (index < 5 || layout.expert > 1)).length;
  return layout.worldSize > 1 ? Math.max(1, own) : 0;
}

/** Bytes a rank holds outside the framework's allocator: context and communicators. */
export function outsideAllocator(layout: LayoutSpec, communicators = communicatorsOf(layout)): number {
  return CONTEXT + (communicators > 0 ? FIRST_COMMUNICATOR + (communicators - 1) * NEXT_COMMUNICATOR : 0);
}

/** What decides how well freed blocks fit the next request. */
type Reserving = Pick<TrainingInput, 'optimizer' | 'layout' | 'pipeline'>;

/**
 * Median of reserved over allocated peak, measured a stack (152 Megatron ranks on B200, 206 rows on H100). A stage that runs one chunk again
 * and again asks for the same sizes in the same order: torch pipelines of one chunk a rank left 1.10 to 1.24, all others up to 1.48.
 */
export function reservedFactor({ optimizer: { stack }, layout, pipeline }: Reserving): number {
  if (stack === 'fsdp2' && layout.pipeline > 1 && (pipeline.kind === '1f1b' || pipeline.kind === 'gpipe')) return 1.11;
  const factors: Readonly<Record<TrainingStack, number>> = {
    megatron: 1.04,
    'hai-llm': 1.04,
    nanotron: 1.04,
    ddp: 1.06,
    deepspeed: 1.13,
    fsdp1: 1.38,
    fsdp2: 1.24,
  };
  return factors[stack];
}

/** Largest reserved over allocated peak of the same rows: what fragmentation did at worst. */
export function reservedMost(stack: TrainingStack): number {
  const factors: Readonly<Record<TrainingStack, number>> = {
    megatron: 1.27,
    'hai-llm': 1.27,
    nanotron: 1.27,
    ddp: 1.26,
    deepspeed: 1.66,
    fsdp1: 1.61,
    fsdp2: 1.48,
  };
  return factors[stack];
}
