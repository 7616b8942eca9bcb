import type { RankReading } from './accuracy-ranks';

/** Why estimates of these rows are off, by row; the first that fits. Each names what is not modelled or not known, never a fitted number. */
const REASONS: readonly (readonly [row: RegExp, reason: string])[] = [
  [/^titan\/.*DualPipeV/, 'not known; an overlapped block may keep tensors of both its halves'],
  [/^titan\//, 'sizes of temporary tensors inside one backward pass'],
  [
    /cross_entropy_loss_fusion\/dev_dgx_a100|swiglu\/lts_dgx_a100|multi_dist_optimizer_instances\/dev_dgx_h100_2nd/,
    'looks as if attention scores were kept (within 4 % then), which no argument of the row says',
  ],
  [
    /cross_entropy_loss_fusion\/lts_dgxa100/,
    'attention scores, and a fused loss of an older release, which kept more (−15 % with the scores alone)',
  ],
  [
    /multi_dist_optimizer_instances\/lts_dgx_a100/,
    'recorded before the number of optimizer instances took effect, with attention scores kept (−2 % then)',
  ],
  [
    /cross_entropy_loss_fusion\/dev_dgx_h100_2nd/,
    '176 MiB more between steps than the same arguments in the run before',
  ],
  [/multi_dist_optimizer_instances\/dev_dgx_gb200_2nd/, 'not known: the first step after resuming is the fullest'],
  [/a2a_ovlp/, 'overlapped expert communication holds two microbatches of dispatched tokens'],
  [/muon/, 'buffers of the Newton–Schulz iteration'],
  [
    /overlap_grad_reduce\/lts_dgx_a100_2nd/,
    '139 MiB more between steps than the same arguments on the same machine a release earlier',
  ],
  [/\/moe\//, 'routing of an untrained model is not balanced; the estimate is'],
  [/cp2.*etp4|cp2_etp4/, '42 MiB less between steps than newer runs of the same arguments'],
  [/cp2/, 'not known; 35 MiB more between steps than on an H100'],
  [/tp4_pp2_resume_torch_dist_reshard/, '75 MiB less between steps than newer runs of the same arguments'],
  [/megatron-golden/, 'not known'],
];

const PUBLISHED: readonly (readonly [row: RegExp, reason: string])[] = [
  [
    /torchtitan/,
    'settings that the row leaves out (recomputation, what is compiled), and allocator slack: what is reserved is taken as 1.24 times what is allocated, the median of eager runs',
  ],
  [
    /Megatron-Bridge/,
    'what an FP8 recipe keeps in FP8 for the backward pass, and settings of the recipe that the table leaves out',
  ],
  [/Megatron-SWIFT/, 'a rounded figure of the author, with a peak of the longest sample of a varying batch'],
  [
    /Megatron-DeepSpeed/,
    'the pipeline engine of DeepSpeed in 2022: its own buffers, the allocator and the context of PyTorch 1.10, none of which is modelled; layers and heads are derived',
  ],
];

function first(table: readonly (readonly [RegExp, string])[], text: string): string {
  return table.find(([pattern]) => pattern.test(text))?.[1] ?? 'not known';
}

/** Why a row misses. */
export function missReason({ id }: Pick<RankReading, 'id'>): string {
  return first(REASONS, id);
}

/** Why a published figure of a stack misses; `plan` holds its precision. */
export function publishedReason(stack: string, plan: string): string {
  return first(PUBLISHED, `${stack} ${plan}`);
}
