import type { RankReading } from './accuracy-ranks';

/** Why estimates of these rows are off, by row; the first that fits. Each names what is not modelled or not known, never a fitted number. */
const REASONS: readonly (readonly [row: RegExp, reason: string])[] = [
  [/^titan\/.*DualPipeV/, 'not known; an overlapped block may keep tensors of both its halves'],
  [/^titan\//, 'sizes of temporary tensors inside one backward pass'],
  [
    /cross_entropy_loss_fusion\/(?:dev_dgx_a100|lts_dgxa100)/,
    'the first iteration is the fullest, while the fused loss is compiled and runs unfused; later ones, which are lower, are not recorded',
  ],
  [
    /multi_dist_optimizer_instances\/dev_dgx_(?:h100|gb200)_2nd/,
    'the first iteration after resuming is the fullest; later ones, which are lower, are not recorded',
  ],
  [
    /swiglu\/lts_dgx_a100/,
    'looks as if attention scores were kept (within 4 % then), which no argument of the row says',
  ],
  [
    /multi_dist_optimizer_instances\/lts_dgx_a100/,
    'recorded before the number of optimizer instances took effect, with attention scores kept (−2 % then)',
  ],
  [
    /cross_entropy_loss_fusion\/dev_dgx_h100_2nd/,
    '176 MiB more between steps than the same arguments in the run before',
  ],
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
    'allocator slack: what is reserved is taken as 1.24 times what is allocated, the median of eager runs; a small compiled job with room to spare leaves less',
  ],
  [/Megatron-Bridge/, 'uneven routing of an untrained model, and graphs of which the page names no buffers'],
  [/Megatron-SWIFT/, 'a rounded figure of the author; uneven routing'],
  [
    /M0461/,
    "65 GB at two samples a microbatch stands beside 56 GB at four in the same table: one of the page's figures is wrong",
  ],
  [
    /Megatron-DeepSpeed/,
    'a rounded figure of a device, with the context and the allocator of PyTorch 1.10; heads, and some layers, are derived',
  ],
];

function first(table: readonly (readonly [RegExp, string])[], text: string): string {
  return table.find(([pattern]) => pattern.test(text))?.[1] ?? 'not known';
}

/** Why a row misses. */
export function missReason({ id }: Pick<RankReading, 'id'>): string {
  return first(REASONS, id);
}

/** Why a published figure misses. */
export function publishedReason(id: string, stack: string): string {
  return first(PUBLISHED, `${id} ${stack}`);
}
