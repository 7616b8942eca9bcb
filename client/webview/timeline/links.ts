import type { Blocks } from './model';

/** Who feeds whom. A block has one role, an overlapped block two. */
export interface BlockLinks {
  /** Blocks whose output block `index` reads, other ranks' first. */
  readonly producers: (index: number) => readonly number[];
  /** Blocks that read the output of block `index`. */
  readonly consumers: (index: number) => readonly number[];
  /** The producer that block `index` waited for, when it starts later than the block before it on its rank ended. */
  readonly waitsFor: (index: number) => number | undefined;
}

type Role = 'forward' | 'backward' | 'weight';

interface Part {
  readonly role: Role;
  readonly stage: number;
  readonly microbatch: number;
  readonly direction: number;
}

/** What a block does: one part, or for F&B a forward and a backward part. */
export function partsOf(blocks: Blocks, index: number): readonly Part[] {
  const op = blocks.op[index] ?? 0;
  const first: Omit<Part, 'role'> = {
    stage: blocks.stage[index] ?? 0,
    microbatch: blocks.microbatch[index] ?? 0,
    direction: blocks.direction[index] ?? 0,
  };
  if (op === 0) return [{ role: 'forward', ...first }];
  if (op === 3) return [{ role: 'weight', ...first }];
  if (op !== 4) return [{ role: 'backward', ...first }];
  const second: Part = {
    role: 'backward',
    stage: blocks.stage2[index] ?? 0,
    microbatch: blocks.microbatch2[index] ?? 0,
    direction: blocks.direction2[index] ?? 0,
  };
  return [{ role: 'forward', ...first }, second];
}

interface Index {
  readonly find: (role: Role, stage: number, microbatch: number, direction: number) => number;
}

/** Largest look-up table we make: 64 M entries would be half a gigabyte, and no schedule needs a tenth of it. */
const MAX_CELLS = 16_000_000;

function buildIndex(blocks: Blocks, stages: number, directions: number): Index {
  let microbatches = 0;
  for (let at = 0; at < blocks.count; at += 1) {
    microbatches = Math.max(microbatches, (blocks.microbatch[at] ?? 0) + 1, (blocks.microbatch2[at] ?? -1) + 1);
  }
  const cells = stages * microbatches * directions;
  if (cells <= 0 || cells > MAX_CELLS) return { find: () => -1 };
  const tables: Readonly<Record<Role, Int32Array>> = {
    forward: new Int32Array(cells).fill(-1),
    backward: new Int32Array(cells).fill(-1),
    weight: new Int32Array(cells).fill(-1),
  };
  const cell = (stage: number, microbatch: number, direction: number): number =>
    (direction * stages + stage) * microbatches + microbatch;
  const put = (table: Int32Array, stage: number, microbatch: number, direction: number, at: number): void => {
    if (stage >= 0 && stage < stages && microbatch >= 0 && direction < directions)
      table[cell(stage, microbatch, direction)] = at;
  };
  for (let at = 0; at < blocks.count; at += 1) {
    const op = blocks.op[at] ?? 0;
    const table = op === 0 || op === 4 ? tables.forward : op === 3 ? tables.weight : tables.backward;
    put(table, blocks.stage[at] ?? -1, blocks.microbatch[at] ?? -1, blocks.direction[at] ?? 0, at);
    if (op === 4)
      put(tables.backward, blocks.stage2[at] ?? -1, blocks.microbatch2[at] ?? -1, blocks.direction2[at] ?? 0, at);
  }
  return {
    find: (role, stage, microbatch, direction) => {
      if (stage < 0 || stage >= stages || microbatch < 0 || microbatch >= microbatches || direction >= directions)
        return -1;
      return tables[role][cell(stage, microbatch, direction)] ?? -1;
    },
  };
}

function sources(index: Index, part: Part, stages: number): readonly number[] {
  const { stage, microbatch, direction } = part;
  if (part.role === 'forward') return [index.find('forward', stage - 1, microbatch, direction)];
  if (part.role === 'weight') return [index.find('backward', stage, microbatch, direction)];
  // The backward of the last stage starts from the loss, which is its own forward.
  return stage === stages - 1
    ? [index.find('forward', stage, microbatch, direction)]
    : [index.find('backward', stage + 1, microbatch, direction)];
}

function targets(index: Index, part: Part, stages: number): readonly number[] {
  const { stage, microbatch, direction } = part;
  if (part.role === 'weight') return [];
  if (part.role === 'forward') {
    return stage === stages - 1
      ? [index.find('backward', stage, microbatch, direction)]
      : [index.find('forward', stage + 1, microbatch, direction)];
  }
  return [index.find('backward', stage - 1, microbatch, direction), index.find('weight', stage, microbatch, direction)];
}

/** Dependencies of a schedule, from what its blocks are: stage s feeds s + 1 forward and s - 1 backward, per direction. */
export function buildLinks(blocks: Blocks, stages: number, directions: number): BlockLinks {
  // Made on the first question: a picture that nobody points at needs no index.
  let index: Index | undefined;
  const collect = (at: number, step: typeof sources): readonly number[] => {
    const made = (index ??= buildIndex(blocks, stages, directions));
    const found = partsOf(blocks, at).flatMap((part) => step(made, part, stages));
    return [...new Set(found.filter((other) => other >= 0 && other !== at))];
  };
  const producers = (at: number): readonly number[] => collect(at, sources);
  return {
    producers,
    consumers: (at) => collect(at, targets),
    waitsFor: (at) => {
      const start = blocks.start[at] ?? 0;
      const first = blocks.rankStart.includes(at);
      const free = first ? 0 : (blocks.end[at - 1] ?? 0);
      const slack = 1e-9 * Math.max(1, Math.abs(start));
      if (start <= free + slack) return undefined;
      const late = producers(at).filter((other) => (blocks.end[other] ?? 0) > free + slack);
      return late.sort((a, b) => (blocks.end[b] ?? 0) - (blocks.end[a] ?? 0))[0];
    },
  };
}
