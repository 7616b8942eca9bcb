import type { Analysis, FileLookup } from '../analysis';
import { readPlacementFile, type PlacementFile } from './loads';

type Kind<K extends PlacementFile['kind']> = Extract<PlacementFile, { readonly kind: K }>;

/** Loads and a placement at hand for one document, with the files they come from. */
export interface PlacementSources {
  readonly loads?: Kind<'loads'>;
  readonly map?: Kind<'map'>;
  /** Last part of the path of the loads. */
  readonly loadsName?: string;
  readonly loadsUri?: string;
  /** The file of the placement, the document itself where it is one. */
  readonly mapUri?: string;
  /** Why a named file is of no use, with its name. */
  readonly refused?: string;
}

function nameOf(uri: string): string {
  const last = uri.split('/').at(-1) ?? uri;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}

function withFile(sources: PlacementSources, uri: string, file: PlacementFile): PlacementSources {
  switch (file.kind) {
    case 'loads':
      return sources.loads === undefined ? { ...sources, loads: file, loadsName: nameOf(uri), loadsUri: uri } : sources;
    case 'map':
      return sources.map === undefined ? { ...sources, map: file, mapUri: uri } : sources;
    case 'refused':
      return { ...sources, refused: sources.refused ?? `${nameOf(uri)}: ${file.reason}` };
  }
}

/**
 * What the document itself holds, what it names, and the recording that a comment or the workspace file names (`loads=`). Loads that somebody
 * named for the purpose go before those that the engine would start from.
 */
export function placementSources(analysis: Analysis, files: FileLookup): PlacementSources {
  const named = [...analysis.references].sort((a, b) => Number(b.kind === 'loads') - Number(a.kind === 'loads'));
  let sources: PlacementSources = {};
  if (analysis.dialect?.id === 'placement') sources = withFile(sources, analysis.uri, readPlacementFile(analysis.text));
  for (const { kind, uri } of named) {
    if (kind !== 'placement' && kind !== 'loads') continue;
    const text = files(uri);
    if (typeof text === 'string') sources = withFile(sources, uri, readPlacementFile(text));
    else if (text === null)
      sources = {
        ...sources,
        refused: sources.refused ?? `${nameOf(uri)} is not there, above 1 MB, or outside the workspace`,
      };
  }
  return sources;
}
