import type { TrainingDetails } from '../../engine/memory/input';
import type { MapNode } from '../../syntax/tree';
import { childOf, textOf } from '../common/nodes';

/** `:4096:8` or `:16:8:4096:2`: pairs of KiB and count. */
const WORKSPACES = /^(?::\d+:\d+)+$/;

/**
 * What the variables of the launch change in memory. cuBLAS takes the sum of the named buffers for each handle.
 * Source: PyTorch aten/src/ATen/cuda/CublasHandlePool.cpp, `parseChosenWorkspaceSize`.
 */
export function environmentDetails(root: MapNode): TrainingDetails {
  const text = textOf(childOf(childOf(root, 'ENV_VARS'), 'CUBLAS_WORKSPACE_CONFIG'));
  if (text === undefined || !WORKSPACES.test(text)) return {};
  const numbers = text.slice(1).split(':').map(Number);
  const kib = numbers.reduce((sum, size, i) => (i % 2 === 0 ? sum + size * (numbers[i + 1] ?? 0) : sum), 0);
  return { cublasWorkspaceBytes: kib * 1024 };
}
