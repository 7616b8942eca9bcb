import type { DocumentLink, Location, Position } from 'vscode-languageserver-types';
import type { Analysis } from './analysis';

const TOOLTIP = {
  'model-config': 'Open the model config',
  quantization: 'Open the quantization config',
  placement: 'Open the expert placement',
  loads: 'Open the expert loads',
  schedule: 'Open the schedule',
  config: 'Open the config',
} as const;

/** Links from paths in the text to files that are there; a path nobody could read is no link. */
export function documentLinks(analysis: Analysis, exists: (uri: string) => boolean): DocumentLink[] {
  return analysis.references
    .filter(({ uri, at }) => at.uri === undefined && exists(uri))
    .map(({ at, uri, kind }) => ({ range: analysis.lines.rangeOf(at.span), target: uri, tooltip: TOOLTIP[kind] }));
}

/** The named file, when the position is on a path; the anchor, when it is on an alias. */
export function definition(analysis: Analysis, position: Position, exists: (uri: string) => boolean): Location | null {
  const offset = analysis.lines.offsetAt(position);
  const start = { line: 0, character: 0 };
  const reference = analysis.references.find(
    ({ at, uri }) => at.uri === undefined && offset >= at.span.start && offset <= at.span.end && exists(uri),
  );
  return reference === undefined ? null : { uri: reference.uri, range: { start, end: start } };
}
