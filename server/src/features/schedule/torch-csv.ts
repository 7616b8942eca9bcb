import type { ScheduleOrder } from '../../engine/schedule/order';
import type { TorchLine } from '../../engine/schedule/torch-lower';
import { deferReceipts, LINE, torchLines } from '../../engine/schedule/torch-lower';
import { OP } from '../../engine/schedule/order';
import type { OpCode } from '../../engine/schedule/order';
import { endRank, finishOrder, orderWriter, put, putBlock } from '../../engine/schedule/order-writer';
import { checkPasses } from './csv-check';
import { actionToken, orderTokens } from './tokens';

/** One fault of a CSV file; lines and characters from 0. */
export interface CsvProblem {
  readonly line: number;
  readonly character: number;
  readonly endCharacter: number;
  readonly message: string;
}

/** One pass as a file names it, with its place. */
export interface CsvPass {
  readonly op: OpCode;
  readonly stage: number;
  readonly microbatch: number;
  readonly direction: number;
}

export interface CsvAction {
  readonly passes: readonly [CsvPass] | readonly [CsvPass, CsvPass];
  readonly line: number;
  readonly character: number;
  readonly endCharacter: number;
}

export type CsvReading = { readonly order: ScheduleOrder } | { readonly problems: readonly CsvProblem[] };

/** Larger files than this are no schedule anyone runs. */
const MOST_ACTIONS = 4_000_000;
const MOST_PROBLEMS = 50;

/** The compute-only grid: a line a rank, no idle cells. torch reads it with `_load_csv(..., "compute_only")`. */
export function torchCsv(order: ScheduleOrder): string {
  return `${orderTokens(order)
    .map((rank) => rank.join(','))
    .join('\n')}\n`;
}

const LINE_NAME: Readonly<Record<number, string>> = {
  [LINE.sendF]: 'SEND_F',
  [LINE.receiveF]: 'RECV_F',
  [LINE.sendB]: 'SEND_B',
  [LINE.receiveB]: 'RECV_B',
  [LINE.unshard]: 'UNSHARD',
  [LINE.reshard]: 'RESHARD',
  [LINE.reduceGrad]: 'REDUCE_GRAD',
};

/** Token of one line of the schedule with communication. */
export function torchLineToken(order: ScheduleOrder, line: TorchLine): string {
  if (line.kind === LINE.compute) return actionToken(order, line.action);
  return `${line.stage}${LINE_NAME[line.kind] ?? ''}${line.microbatch < 0 ? '' : line.microbatch}`;
}

/**
 * The grid with sends, receipts, sharding and reduction as torch lowers it; `defer` is torch's `defer_pp_recv`.
 * Undefined for orders of two directions and for those torch calls malformed.
 */
export function torchCommCsv(order: ScheduleOrder, defer = false): string | undefined {
  const early = torchLines(order);
  if (early === undefined) return undefined;
  const lines = defer ? deferReceipts(order, early) : early;
  return `${lines.map((rank) => rank.map((item) => torchLineToken(order, item)).join(',')).join('\n')}\n`;
}

const PASS = /^([<>]?)(\d{1,7})(F|B|I|W)(\d{1,7})$/;
const BLOCK = /^\(\s*([<>]?\d{1,7}F\d{1,7})\s*;\s*([<>]?\d{1,7}B\d{1,7})\s*\)OVERLAP_F_B$/;
const TRANSFER = /^\d{1,7}(?:(?:SEND|RECV)_[FB]\d{1,7}|UNSHARD|RESHARD|REDUCE_GRAD)$/;
const OPS: Readonly<Record<string, OpCode>> = { F: OP.F, B: OP.B, I: OP.I, W: OP.W };

function passOf(token: string): CsvPass | undefined {
  const match = PASS.exec(token);
  if (match === null) return undefined;
  const [, arrow = '', stage = '', letter = '', microbatch = ''] = match;
  const op = OPS[letter];
  if (op === undefined) return undefined;
  return { op, stage: Number(stage), microbatch: Number(microbatch), direction: arrow === '<' ? 1 : 0 };
}

/** Passes of one cell; undefined when the cell is not in the grammar, an empty list for cells without compute. */
function cellPasses(token: string): readonly CsvPass[] | undefined {
  if (token === '' || TRANSFER.test(token)) return [];
  const single = passOf(token);
  if (single !== undefined) return [single];
  const block = BLOCK.exec(token);
  if (block === null) return undefined;
  const passes = [passOf(block[1] ?? ''), passOf(block[2] ?? '')].filter((pass) => pass !== undefined);
  return passes.length === 2 ? passes : undefined;
}

interface Grid {
  readonly ranks: CsvAction[][];
  readonly problems: CsvProblem[];
  readonly arrows: boolean;
}

function readRow(text: string, line: number, problems: CsvProblem[]): CsvAction[] {
  const actions: CsvAction[] = [];
  let character = 0;
  for (const cell of text.split(',')) {
    const lead = cell.length - cell.trimStart().length;
    // Python's csv module may quote a cell; the quotes are no part of the token.
    const token = cell
      .trim()
      .replace(/^"(.*)"$/, '$1')
      .trim();
    const from = character + lead;
    const to = from + cell.trim().length;
    const passes = cellPasses(token);
    if (passes === undefined) {
      const message = `"${token.slice(0, 40)}" is no action: expected [stage][F|I|W|B][microbatch] such as 2F0, or (5F4;2B0)OVERLAP_F_B.`;
      if (problems.length < MOST_PROBLEMS) problems.push({ line, character: from, endCharacter: to, message });
    } else {
      const [first, second] = passes;
      if (first !== undefined) {
        actions.push({
          passes: second === undefined ? [first] : [first, second],
          line,
          character: from,
          endCharacter: to,
        });
      }
    }
    character += cell.length + 1;
  }
  return actions;
}

function readGrid(text: string): Grid {
  const problems: CsvProblem[] = [];
  const rows = text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/);
  while (rows.length > 0 && (rows[rows.length - 1] ?? '').trim() === '') rows.pop();
  const ranks = rows.map((row, line) => readRow(row, line, problems));
  return { ranks, problems, arrows: /[<>]/.test(text) };
}

function writeOrder(grid: Grid, stages: number, perDirection: number): ScheduleOrder {
  const capacity = grid.ranks.reduce((sum, rank) => sum + rank.length, 0);
  const w = orderWriter(grid.ranks.length, capacity);
  let chunks = 1;
  for (const rank of grid.ranks) {
    const own = new Set<number>();
    for (const { passes } of rank) {
      const [a, b] = passes;
      for (const pass of passes) own.add(pass.direction * stages + pass.stage);
      if (b === undefined) put(w, a.op, a.stage, a.microbatch, a.direction);
      else putBlock(w, a.stage, a.microbatch, b.stage, b.microbatch, a.direction, b.direction);
    }
    chunks = Math.max(chunks, own.size);
    endRank(w);
  }
  return finishOrder(w, {
    kind: 'custom',
    ranks: grid.ranks.length,
    microbatches: perDirection * (grid.arrows ? 2 : 1),
    chunks,
    stages,
    bidirectional: grid.arrows,
  });
}

/**
 * Reads a schedule in torch's CSV grammar, compute-only or with communication (whose extra lines are checked for
 * grammar and left out), and with this project's `>` and `<` for two directions. Answers with an order of kind
 * `custom` or with every fault and its place; whether the order can finish is the simulator's to say.
 */
export function readTorchCsv(text: string): CsvReading {
  const grid = readGrid(text);
  if (grid.problems.length > 0) return { problems: grid.problems };
  const count = grid.ranks.reduce((sum, rank) => sum + rank.length, 0);
  if (count === 0 || count > MOST_ACTIONS) {
    const message = count === 0 ? 'The file holds no actions.' : `The file holds more than ${MOST_ACTIONS} actions.`;
    return { problems: [{ line: 0, character: 0, endCharacter: 0, message }] };
  }
  let stages = 0;
  let perDirection = 0;
  for (const rank of grid.ranks) {
    for (const { passes } of rank) {
      for (const pass of passes) {
        stages = Math.max(stages, pass.stage + 1);
        perDirection = Math.max(perDirection, pass.microbatch + 1);
      }
    }
  }
  const problems = checkPasses(grid.ranks, stages, perDirection, grid.arrows ? 2 : 1).slice(0, MOST_PROBLEMS);
  return problems.length > 0 ? { problems } : { order: writeOrder(grid, stages, perDirection) };
}
