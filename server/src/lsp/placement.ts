import { RequestType, ResponseError, type CancellationToken, type CodeAction } from 'vscode-languageserver';
import { PLACEMENT_TEXTS, type PlacementTextFormat } from '../protocol/placement-text';
import { placementFileText } from '../features/placement/export';
import { placementSources } from '../features/placement/sources';
import { placementEdits } from '../features/placement/text-edit';
import { isWriteAction, resolveWriteAction } from '../features/placement/write-action';
import { askedPlacement, placementSteps } from '../features/views/placement';
import type { Analysis, FileLookup } from '../features/analysis';
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
import { staleness, syntaxFault } from './documents';
import { slowAnswer } from './slow-answer';
import type { ServerState } from './state';

const VIEW = new RequestType<PlacementParams, PlacementAnswer, void>(REQUEST.placement);
const COMPARE = new RequestType<PlacementParams, PlacementAnswer, void>(REQUEST.placementCompare);
const EDIT = new RequestType<PlacementEditParams, PlacementEditAnswer, void>(REQUEST.placementEdit);
const TEXT = new RequestType<PlacementTextParams, PlacementTextAnswer, void>(REQUEST.placementText);

function closed(uri: string): NoView {
  return { empty: true, uri, reason: 'The document is not open.' };
}

function isFormat(name: string): name is PlacementTextFormat {
  return Object.hasOwn(PLACEMENT_TEXTS, name);
}

function* textSteps(
  analysis: Analysis,
  params: PlacementTextParams,
  files: FileLookup,
): Generator<undefined, PlacementTextAnswer> {
  if (!isFormat(params.format))
    return { empty: true, uri: params.uri, reason: `${params.format} is no format of placements.` };
  const asked = yield* askedPlacement(analysis, params, placementSources(analysis, files));
  if ('empty' in asked) return asked;
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
  const drawn = (params: PlacementParams, token: CancellationToken): Promise<PlacementAnswer | ResponseError<void>> => {
    const document = documents.get(params.uri);
    const now = document === undefined ? undefined : store.analysisOf(document);
    const begin = (): ReturnType<typeof placementSteps> | undefined => {
      const analysis = good(params.uri);
      return analysis === undefined ? undefined : placementSteps(analysis, params, files.lookup);
    };
    return slowAnswer(token, begin).then((found) => {
      if (found === undefined) return closed(params.uri);
      return found instanceof ResponseError || now === undefined
        ? found
        : { ...found, ...staleness(now, store.lastGood(params.uri)) };
    });
  };
  connection.onRequest(VIEW, (params, token) => drawn({ ...params, compare: false }, token));
  connection.onRequest(COMPARE, (params, token) => drawn({ ...params, compare: true }, token));
  connection.onRequest(EDIT, (params) => {
    const analysis = good(params.uri);
    return analysis === undefined ? { edits: [] } : placementEdits(analysis, params, files.lookup);
  });
  connection.onRequest(TEXT, (params, token) =>
    slowAnswer(token, () => {
      const analysis = good(params.uri);
      return analysis === undefined ? undefined : textSteps(analysis, params, files.lookup);
    }).then((found) => found ?? closed(params.uri)),
  );
  connection.onCodeActionResolve((action: CodeAction) => {
    const analysis = isWriteAction(action.data) ? good(action.data.uri) : undefined;
    return analysis === undefined ? action : resolveWriteAction(analysis, action, files.lookup);
  });
}
