import type { Analysis } from '../features/analysis';
import type { SyntaxEdit } from '../syntax/edits';

/** The field `edits` of an answer as JSON: places count lines and UTF-16 units from 0, as the language server does. */
export function editsJson(analysis: Analysis, edits: readonly SyntaxEdit[] | undefined): object {
  if (edits === undefined) return {};
  return {
    edits: edits.map(({ span, newText }) => {
      const { start, end } = analysis.lines.rangeOf(span);
      return {
        line: start.line,
        character: start.character,
        endLine: end.line,
        endCharacter: end.character,
        newText,
      };
    }),
  };
}
