import { OP } from '../../engine/schedule/order';
import type { CsvAction, CsvPass, CsvProblem } from './torch-csv';

/** What has been seen of one pass: forward, backward or its input half, weight half. */
const SEEN = { forward: 1, full: 2, input: 4, weight: 8 } as const;
const BIT: Readonly<Record<number, number>> = {
  [OP.F]: SEEN.forward,
  [OP.B]: SEEN.full,
  [OP.I]: SEEN.input,
  [OP.W]: SEEN.weight,
};
const LETTER: Readonly<Record<number, string>> = { [OP.F]: 'F', [OP.B]: 'B', [OP.I]: 'I', [OP.W]: 'W' };

/** More cells than this cannot be tracked, and no file that small in actions fills them. */
const MOST_CELLS = 16_000_000;

function fault(pass: CsvPass, seen: number): string | undefined {
  const name = `${pass.stage}${LETTER[pass.op] ?? ''}${pass.microbatch}`;
  const bit = BIT[pass.op] ?? 0;
  if ((seen & bit) !== 0) return `${name} runs twice.`;
  if (pass.op === OP.F) return undefined;
  const what = `stage ${pass.stage}, microbatch ${pass.microbatch}`;
  if ((seen & SEEN.forward) === 0) return `${name} runs without the forward of ${what} before it.`;
  if (pass.op === OP.W && (seen & SEEN.input) === 0)
    return `${name} runs without the input half I of ${what} before it.`;
  const other = pass.op === OP.B ? SEEN.input : SEEN.full;
  return (seen & other) !== 0 ? `${name}: ${what} has both a full backward and a split one.` : undefined;
}

function place(action: CsvAction, message: string): CsvProblem {
  return { line: action.line, character: action.character, endCharacter: action.endCharacter, message };
}

/** Passes that are missing: every stage runs every microbatch forward and backward once. */
function missing(seen: Uint8Array, stages: number, microbatches: number, directions: number): CsvProblem[] {
  const out: CsvProblem[] = [];
  for (let line = 0; line < stages * directions && out.length < 50; line += 1) {
    let forwards = 0;
    let backwards = 0;
    for (let m = 0; m < microbatches; m += 1) {
      const bits = seen[line * microbatches + m] ?? 0;
      if ((bits & SEEN.forward) !== 0) forwards += 1;
      if ((bits & SEEN.full) !== 0 || (bits & (SEEN.input | SEEN.weight)) === (SEEN.input | SEEN.weight))
        backwards += 1;
    }
    if (forwards === microbatches && backwards === microbatches) continue;
    const message = `Stage ${line % stages} runs ${forwards} forwards and ${backwards} whole backwards of ${microbatches} microbatches.`;
    out.push({ line: 0, character: 0, endCharacter: 0, message });
  }
  return out;
}

/**
 * The rules torch checks before it runs a schedule: a stage belongs to one rank, each microbatch runs once forward and
 * once backward (whole, or split into I then W) on every stage, forward first.
 * Source: torch 2.14.1 pipelining/schedules.py `_validate_schedule`.
 */
export function checkPasses(
  ranks: readonly (readonly CsvAction[])[],
  stages: number,
  microbatches: number,
  directions: number,
): CsvProblem[] {
  const cells = stages * microbatches * directions;
  if (cells > MOST_CELLS) {
    const message = `${stages} stages × ${microbatches} microbatches is more than the actions in the file can cover.`;
    return [{ line: 0, character: 0, endCharacter: 0, message }];
  }
  const seen = new Uint8Array(cells);
  const owner = new Int32Array(stages * directions).fill(-1);
  const problems: CsvProblem[] = [];
  ranks.forEach((rank, r) => {
    for (const action of rank) {
      for (const pass of action.passes) {
        const line = pass.direction * stages + pass.stage;
        const at = line * microbatches + pass.microbatch;
        const held = owner[line] ?? -1;
        if (held >= 0 && held !== r)
          problems.push(place(action, `Stage ${pass.stage} is on rank ${held} and on rank ${r}.`));
        owner[line] = r;
        const message = fault(pass, seen[at] ?? 0);
        if (message !== undefined) problems.push(place(action, message));
        seen[at] = (seen[at] ?? 0) | (BIT[pass.op] ?? 0);
        if (problems.length >= 50) return;
      }
    }
  });
  return problems.length > 0 ? problems : missing(seen, stages, microbatches, directions);
}
