import { LSPErrorCodes, ResponseError, type CancellationToken } from 'vscode-languageserver';

/** How long an answer may work before others get their turn: a keystroke must not wait for it. */
const TURN_MS = 12;

function turn(): Promise<void> {
  return new Promise((done) => {
    setTimeout(done, 0);
  });
}

/**
 * Runs an answer that takes seconds in short turns, and stops it when nobody wants it any more. Undefined when `begin` has nothing
 * to run. `told` hears of what the work gives in between, once a turn.
 */
export async function slowAnswer<T, P = unknown>(
  token: CancellationToken,
  begin: () => Generator<P, T> | undefined,
  now: () => number = () => performance.now(),
  told?: (progress: P) => void,
): Promise<T | undefined | ResponseError<void>> {
  const work = begin();
  if (work === undefined) return undefined;
  let until = now() + TURN_MS;
  for (let step = work.next(); ; step = work.next()) {
    if (step.done === true) return step.value;
    if (now() < until) continue;
    told?.(step.value);
    await turn();
    if (token.isCancellationRequested) return new ResponseError(LSPErrorCodes.RequestCancelled, 'cancelled');
    until = now() + TURN_MS;
  }
}
