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

/** Tokens that one channel of DeepEP receives at once inside a host and over the network, for a group of so many ranks. */
function receivedAtOnce(ranks: number): { readonly inside: number; readonly between: number } {
  if (ranks <= 8) return { inside: 256, between: 0 };
  if (ranks <= 64) return { inside: 288, between: ranks <= 16 ? 140 : 128 };
  return { inside: ranks <= 96 ? 480 : ranks <= 128 ? 560 : 720, between: 132 };
}

/**
 * Buffers of DeepEP's normal kernels on one rank, which it takes from the device itself: 20 multiprocessors, two a channel, each with room for
 * tokens in BF16 and 128 experts and scales a token (DeepEP deep_ep/buffers/legacy.py, `get_dispatch_config`, `get_combine_config`; csrc config.hpp,
 * `get_nvl_buffer_size_hint`, `get_rdma_buffer_size_hint`; Megatron-LM core/transformer/moe/fused_a2a.py).
 */
export function dispatchBuffers({ model, layout, optimizer, details }: TrainingInput): number {
  const used = details?.dispatcher === 'deepep' || (optimizer.stack === 'hai-llm' && details?.dispatcher === undefined);
  const ranks = layout.expert * layout.expertTensor;
  if (!used || (model.experts ?? 0) === 0 || ranks < 2) return 0;
  const { inside, between } = receivedAtOnce(ranks);
  const channels = 10;
  const token = 2 * model.hiddenSize + 8 + 128 * (8 + 4 + 4);
  return channels * Math.min(ranks, 8) * inside * token + channels * (ranks / 8) * between * 2 * (token + 16);
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
