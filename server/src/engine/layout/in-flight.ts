import type { PipelineSpec } from '../spec/training';
import { isVShaped } from './stages';

/** One set of microbatches alive together on a rank: a count for each of its local stages, in the order of `stagesOfRank`. */
export type InFlight = readonly number[];

interface Shape {
  readonly pipeline: number;
  readonly virtualPipeline: number;
  readonly microbatches: number;
}

/**
 * Sets of live microbatches that can be the fullest moment of a rank. More than one is returned where which set is
 * fullest depends on how heavy each chunk is (interleaved schedules).
 *
 * Sources: Megatron-LM core/pipeline_parallel/schedules.py (warm-up counts), torch.distributed.pipelining schedules.py,
 * DualPipe README (PP + 1 activations), zero-bubble paper (arXiv 2401.10241) for ZB-H1/H2, arXiv 2405.15362 for V schedules.
 */
export function inFlightSets(pipeline: PipelineSpec, shape: Shape, rank: number): readonly InFlight[] {
  const { pipeline: p, virtualPipeline: v, microbatches: m } = shape;
  const cap = (n: number): number => Math.max(1, Math.min(m, n));
  if (p === 1 && v === 1 && !isVShaped(pipeline.kind)) return [[1]];
  switch (pipeline.kind) {
    case 'gpipe':
    case 'looped-bfs':
      return [Array.from({ length: v }, () => m)];
    case '1f1b':
      return v > 1 ? interleavedSets(shape, pipeline.groupSize ?? p, 2 * (p - rank - 1)) : [[cap(p - rank)]];
    case 'zb-h1':
      return [[cap(p)]];
    case 'zb-h2':
      return [[cap(2 * p - 1)]];
    case 'dualpipe':
      // Microbatches are counted over both directions; a direction cannot hold more than its half.
      return [[Math.min(p - rank, Math.ceil(m / 2)), Math.min(rank + 1, Math.ceil(m / 2))]];
    case 'dualpipev':
      return [[cap(2 * p - rank), cap(rank + 1)]];
    case 'zb-v':
    case 'zbv-torch':
      return [[cap(2 * p - 1 - rank), cap(rank + 1)]];
    case 'v-half':
      return [splitV(p + 2, rank, p, m)];
    case 'v-min':
      return [splitV(2 * Math.ceil((p + 2) / 3), rank, p, m)];
    case 'interleaved':
      return interleavedSets(shape, pipeline.groupSize ?? p, 2 * (p - rank - 1));
    case '1f1b-ep-overlap':
      return interleavedSets(shape, pipeline.groupSize ?? p, 2 * (p - rank - 1) + 1);
    case 'interleaved-torch':
      return interleavedSets(shape, torchGroup(shape), 2 * (p - rank - 1));
    case 'interleaved-zb-torch':
      return interleavedSets(shape, torchGroup(shape), p - 1);
  }
}

/** torch.distributed.pipelining runs M in rounds of this many microbatches a chunk. */
function torchGroup(shape: Shape): number {
  const rounds = Math.max(1, Math.floor(shape.microbatches / shape.pipeline));
  return Math.max(1, Math.floor(shape.microbatches / rounds));
}

/** Spreads a V schedule's half-chunk budget over the descending and the ascending chunk of a rank. */
function splitV(budget: number, rank: number, p: number, m: number): InFlight {
  const down = Math.max(1, Math.round((budget * (2 * p - rank)) / (2 * p + 1)));
  return [Math.min(m, down), Math.min(m, Math.max(1, budget - down))];
}

/** Chunk counts of all sets of one rank together; real schedules stay far below. */
const MOST_LISTED = 500_000;

/**
 * Live chunks of an interleaved schedule after each forward of the steady state. The schedule table lists, for every group
 * of `group` microbatches, chunk after chunk; backwards take the chunks in reverse. Peak total is
 * min(2(P-r-1) + (V-1)N + 1, MV) chunks; which chunks they are decides the bytes.
 */
function interleavedSets(shape: Shape, group: number, lead: number): readonly InFlight[] {
  const { virtualPipeline: v, microbatches: m } = shape;
  const n = Math.max(1, Math.min(group, m));
  const total = m * v;
  const warmup = Math.min(lead + (v - 1) * n, total);
  const live = Array.from({ length: v }, () => 0);
  const chunkAt = (k: number): number => {
    const start = Math.floor(k / (n * v)) * n * v;
    const size = Math.min(n, m - Math.floor(k / (n * v)) * n);
    return Math.floor((k - start) / size);
  };
  const seen = new Map<string, InFlight>();
  // One more forward than the warm-up runs before the first backward; a period of group x V steps shows every mix.
  const last = Math.min(total, warmup + 1 + 2 * n * v);
  // With thousands of chunks neighbouring mixes differ by one of them: then not each is listed.
  const stride = Math.ceil(((last - warmup) * v) / MOST_LISTED);
  for (let k = 0; k < last; k += 1) {
    const chunk = chunkAt(k);
    live[chunk] = (live[chunk] ?? 0) + 1;
    if (k >= warmup || k === last - 1) {
      if (stride <= 1 || k % stride === 0 || k === last - 1) seen.set(live.join(), [...live]);
      const back = v - 1 - chunkAt(k - warmup);
      if (k >= warmup) live[back] = (live[back] ?? 0) - 1;
    }
  }
  return [...seen.values()];
}
