import { keyInfo, type KeyInfo } from '../dialects/schema';
import type { Span } from '../syntax/tree';
import type { Analysis } from './analysis';

/** What the argument of a command at `offset` means to the program that gets it. */
export function argumentInfo({ reading }: Analysis, offset: number): KeyInfo | undefined {
  const inside = ({ start, end }: Span): boolean => offset >= start && offset <= end;
  const word = reading?.words?.find(({ keySpan, span }) => inside(keySpan) || inside(span));
  return word === undefined ? undefined : keyInfo(word.dialect, word.path);
}
