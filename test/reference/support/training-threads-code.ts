import type { ServingThread } from './serving-thread';

/** Threads about what builds batches and sequences in code, where the configuration is no more than its input. */
export const CODE_THREADS: readonly ServingThread[] = [
  {
    thread: 'NVIDIA-NeMo/RL#1126',
    kind: 'pull',
    symptom: 'fewer microbatches than an interleaved pipeline takes',
    file: 'grpo.yaml',
    text: 'policy:\n  train_global_batch_size: 64\n',
    because: 'Microbatches are packed from generated samples while training; no file holds their number.',
  },
  {
    thread: 'NVIDIA-NeMo/RL#3563',
    kind: 'pull',
    symptom: 'sequences are padded to too large or too small a multiple',
    file: 'grpo.yaml',
    text: 'policy:\n  make_sequence_length_divisible_by: 64\n',
    because: 'A fault of the padding code; the configuration is right.',
  },
  {
    thread: 'alibaba/ROLL#325',
    symptom: 'the first dimension is not divisible by the tensor-parallel size',
    file: 'agent.yaml',
    text: 'sequence_length: 8000\nactor_train:\n  strategy_args: { strategy_name: megatron_train }\n',
    because: 'A framework whose files are not read here.',
  },
];
