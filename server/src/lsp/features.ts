import {
  LSPErrorCodes,
  RequestType,
  ResponseError,
  type CancellationToken,
  type CodeLens,
} from 'vscode-languageserver';
import type { Analysis } from '../features/analysis';
import { layoutActions } from '../features/advise/action';
import { codeActions } from '../features/code-actions';
import { codeLenses, headLenses } from '../features/code-lens';
import { completion } from '../features/completion';
import { effectiveText } from '../features/effective';
import { hover } from '../features/hover';
import { inlayHints } from '../features/inlay-hints';
import { definition, documentLinks } from '../features/links';
import { writePlacementActions } from '../features/placement/write-action';
import { targetsFor, translate } from '../features/translate/translate';
import { memoryView } from '../features/views/memory';
import { planView } from '../features/views/plan';
import { measuredView } from '../features/views/measured';
import { sweepView } from '../features/views/sweep';
import { timelineView, traceFile } from '../features/views/timeline';
import { triedAnalysis } from '../features/views/what-if';
import type { NoView, ViewParams } from '../protocol/common';
import type { MemoryAnswer } from '../protocol/memory';
import {
  REQUEST,
  type EffectiveView,
  type PlanView,
  type TranslateAnswer,
  type TranslateParams,
} from '../protocol/requests';
import type {
  MeasuredAnswer,
  MeasuredParams,
  SweepAnswer,
  TimelineAnswer,
  TimelineParams,
  TraceFileAnswer,
} from '../protocol/timeline';
import { staleness, syntaxFault } from './documents';
import { registerAdvice } from './advice';
import { registerPlacement } from './placement';
import { slowAnswer } from './slow-answer';
import type { ServerState } from './state';

/** Runs one feature; its failure costs this answer only and is logged once with the document. */
function answer<T>(
  state: ServerState,
  name: string,
  uri: string,
  otherwise: T,
  run: (analysis: Analysis) => T,
  token?: CancellationToken,
): T | ResponseError<void> {
  if (token?.isCancellationRequested === true)
    return new ResponseError(LSPErrorCodes.RequestCancelled, `${name} was cancelled`);
  const document = state.documents.get(uri);
  if (document === undefined) return otherwise;
  try {
    return run(state.store.analysisOf(document));
  } catch (error) {
    state.log(`${name} in ${uri}`, error);
    return otherwise;
  }
}

const SCHEDULE = {
  sweep: new RequestType<ViewParams, SweepAnswer, void>(REQUEST.scheduleSweep),
  measured: new RequestType<MeasuredParams, MeasuredAnswer, void>(REQUEST.scheduleMeasured),
  trace: new RequestType<TimelineParams, TraceFileAnswer, void>(REQUEST.scheduleTrace),
} as const;

/** The lenses of a document, and what its change since the last commit does. */
function lensesOf({ documents, heads }: ServerState, analysis: Analysis): CodeLens[] {
  const document = documents.get(analysis.uri);
  const head = document === undefined ? undefined : heads.of(document);
  return [...codeLenses(analysis), ...(head === undefined ? [] : headLenses(analysis, head))];
}

function registerLanguage(state: ServerState): void {
  const { connection, files } = state;
  const exists = (uri: string): boolean => typeof files.lookup(uri) === 'string';
  connection.onHover(({ textDocument, position }, token) =>
    answer(state, 'hover', textDocument.uri, null, (analysis) => hover(analysis, position, files.lookup), token),
  );
  connection.onCompletion(({ textDocument, position }, token) =>
    answer(state, 'completion', textDocument.uri, [], (analysis) => completion(analysis, position), token),
  );
  connection.onCodeLens(({ textDocument }, token) =>
    answer(state, 'code lens', textDocument.uri, [], (analysis) => lensesOf(state, analysis), token),
  );
  connection.onCodeAction(({ textDocument, range, context }, token) =>
    answer(
      state,
      'code action',
      textDocument.uri,
      [],
      (analysis) => [
        ...codeActions(analysis, range, context.diagnostics),
        ...layoutActions(analysis, range),
        ...writePlacementActions(analysis, range, files.lookup),
      ],
      token,
    ),
  );
  connection.languages.inlayHint.on(({ textDocument, range }, token) =>
    answer(state, 'inlay hint', textDocument.uri, [], (analysis) => inlayHints(analysis, range), token),
  );
  connection.onDocumentLinks(({ textDocument }, token) =>
    answer(state, 'document link', textDocument.uri, [], (analysis) => documentLinks(analysis, exists), token),
  );
  connection.onDefinition(({ textDocument, position }, token) =>
    answer(state, 'definition', textDocument.uri, null, (analysis) => definition(analysis, position, exists), token),
  );
}

/** While the text is broken a picture is made of the last good one, and says so. */
function picture<T extends object>(
  state: ServerState,
  name: string,
  uri: string,
  draw: (analysis: Analysis) => T | NoView,
): T | NoView | ResponseError<void> {
  const closed: NoView = { empty: true, uri, reason: 'The document is not open.' };
  return answer<T | NoView>(state, name, uri, closed, (analysis) => {
    const good = syntaxFault(analysis) === undefined ? undefined : state.store.lastGood(uri);
    return { ...draw(good ?? analysis), ...staleness(analysis, good) };
  });
}

const VIEWS = {
  memory: new RequestType<ViewParams, MemoryAnswer, void>(REQUEST.memory),
  schedule: new RequestType<TimelineParams, TimelineAnswer, void>(REQUEST.schedule),
  plan: new RequestType<ViewParams, PlanView | NoView, void>(REQUEST.plan),
  translate: new RequestType<TranslateParams, TranslateAnswer, void>(REQUEST.translate),
  effective: new RequestType<ViewParams, EffectiveView | NoView, void>(REQUEST.effective),
} as const;

/** The effective configuration, or why there is none. */
function effectiveView(analysis: Analysis): EffectiveView | NoView {
  const { uri, version } = analysis;
  const text = effectiveText(analysis);
  return text === undefined
    ? { empty: true, uri, reason: 'This file was not recognised as a parallelism, serving or model config.' }
    : { uri, version, text };
}

function translation(analysis: Analysis, target: string | undefined): TranslateAnswer {
  const targets = targetsFor(analysis).map(({ dialect, title }) => ({ dialect, title }));
  const result = target === undefined ? undefined : translate(analysis, target);
  return { targets, ...(result === undefined ? {} : { result }) };
}

/** The schedule's own requests besides its picture. */
function registerSchedule(state: ServerState): void {
  const { connection, files } = state;
  connection.onRequest(SCHEDULE.trace, (params) =>
    answer(state, 'trace', params.uri, { reason: 'The document is not open.' }, (analysis) =>
      traceFile(analysis, params, files.lookup),
    ),
  );
  connection.onRequest(SCHEDULE.measured, (params) =>
    picture(state, 'measured run', params.uri, (analysis) => measuredView(analysis, params, files.lookup)),
  );
  connection.onRequest(SCHEDULE.sweep, ({ uri }, token) =>
    slowAnswer(token, () => {
      const document = state.documents.get(uri);
      return document === undefined ? undefined : sweepView(state.store.analysisOf(document));
    }).then((found) => found ?? { empty: true, uri, reason: 'The document is not open.' }),
  );
}

function registerViews(state: ServerState): void {
  const { connection, files } = state;
  connection.onRequest(VIEWS.memory, ({ uri }) => picture(state, 'memory', uri, memoryView));
  connection.onRequest(VIEWS.schedule, (params) =>
    picture(state, 'schedule', params.uri, (analysis) =>
      timelineView(triedAnalysis(analysis, params.values), params, files.lookup),
    ),
  );
  registerSchedule(state);
  connection.onRequest(VIEWS.plan, ({ uri }) => picture(state, 'plan', uri, planView));
  connection.onRequest(VIEWS.translate, ({ uri, target }) =>
    answer(state, 'translate', uri, { targets: [] }, (analysis) => translation(analysis, target)),
  );
  connection.onRequest(VIEWS.effective, ({ uri }) => picture(state, 'effective', uri, effectiveView));
}

/** Registers every request; adding a feature adds a line here. */
export function registerFeatures(state: ServerState): void {
  registerLanguage(state);
  registerViews(state);
  registerAdvice(state);
  registerPlacement(state);
}
