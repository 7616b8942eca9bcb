import { RequestType, type CancellationToken, type CodeAction } from 'vscode-languageserver';
import { PLACEMENT_TEXTS, type PlacementTextFormat } from '../protocol/placement-text';
import { placementFileText } from '../features/placement/export';
import { placementSources } from '../features/placement/sources';
import { placementEdits } from '../features/placement/text-edit';
import { isWriteAction, resolveWriteAction } from '../features/placement/write-action';
import { askedPlacement, placementSteps } from '../features/views/placement';
import type { Analysis } from '../features/analysis';
import type { NoView } from '../protocol/common';
import type {
  PlacementAnswer,
  PlacementEditAnswer,
  PlacementEditParams,
  PlacementParams,
  PlacementTextAnswer,
  PlacementTextParams,
} from '../protocol/placement';
import { REQUEST } from '../protocol/requests';
import { syntaxFault } from './documents';
import { slowAnswer } from './slow-answer';
import type { ServerState } from './state';

const COMPARE = new RequestType<PlacementParams, PlacementAnswer, void>(REQUEST.placementCompare);
const EDIT = new RequestType<PlacementEditParams, PlacementEditAnswer, void>(REQUEST.placementEdit);
const TEXT = new RequestType<PlacementTextParams, PlacementTextAnswer, void>(REQUEST.placementText);

function closed(uri: string): NoView {
  return { empty: true, uri, reason: 'The document is not open.' };
}

function isFormat(name: string): name is PlacementTextFormat {
  return Object.hasOwn(PLACEMENT_TEXTS, name);
}

function textOf(state: ServerState, analysis: Analysis, params: PlacementTextParams): PlacementTextAnswer {
  const asked = askedPlacement(analysis, params, placementSources(analysis, state.files.lookup));
  if ('empty' in asked) return asked;
  if (!isFormat(params.format))
    return { empty: true, uri: params.uri, reason: `${params.format} is no format of placements.` };
  const { planned, resolved } = asked;
  const layers = resolved.model?.layers;
  const rows = { firstLayer: planned.firstLayer, ...(layers === undefined ? {} : { layers }) };
  return {
    text: placementFileText(params.format, planned.placement, rows),
    fileName: `experts-${planned.placement.policy}.${PLACEMENT_TEXTS[params.format].extension}`,
  };
}

/** The panel's requests about placements, and the quick fix that writes one: places only when it is chosen. */
export function registerPlacement(state: ServerState): void {
  const { connection, files, documents, store } = state;
  const good = (uri: string): Analysis | undefined => {
    const document = documents.get(uri);
    const now = document === undefined ? undefined : store.analysisOf(document);
    return now === undefined || syntaxFault(now) === undefined ? now : (store.lastGood(uri) ?? now);
  };
  connection.onRequest(COMPARE, (params: PlacementParams, token: CancellationToken) => {
    const begin = (): ReturnType<typeof placementSteps> | undefined => {
      const analysis = good(params.uri);
      return analysis === undefined ? undefined : placementSteps(analysis, { ...params, compare: true }, files.lookup);
    };
    return slowAnswer(token, begin).then((found) => found ?? closed(params.uri));
  });
  connection.onRequest(EDIT, (params) => {
    const analysis = good(params.uri);
    return analysis === undefined ? { edits: [] } : placementEdits(analysis, params, files.lookup);
  });
  connection.onRequest(TEXT, (params) => {
    const analysis = good(params.uri);
    return analysis === undefined ? closed(params.uri) : textOf(state, analysis, params);
  });
  connection.onCodeActionResolve((action: CodeAction) => {
    const analysis = isWriteAction(action.data) ? good(action.data.uri) : undefined;
    return analysis === undefined ? action : resolveWriteAction(analysis, action, files.lookup);
  });
}
