import { RequestType } from 'vscode-languageserver';
import { adviceView } from '../features/advise/view';
import { ADVICE_PROGRESS, type AdviceAnswer, type AdviceParams, type AdviceProgress } from '../protocol/advice';
import type { WhatIfAnswer, WhatIfParams } from '../protocol/what-if';
import { whatIfView } from '../features/views/what-if';
import { REQUEST } from '../protocol/requests';
import { slowAnswer } from './slow-answer';
import type { ServerState } from './state';

const WHAT_IF = new RequestType<WhatIfParams, WhatIfAnswer, void>(REQUEST.whatIf);
const ADVICE = new RequestType<AdviceParams, AdviceAnswer, void>(REQUEST.advice);

/** Registers the search for better layouts and the trial of other values. */
export function registerAdvice(state: ServerState): void {
  registerSearch(state);
  registerWhatIf(state);
}

function registerWhatIf({ connection, documents, store, log }: ServerState): void {
  connection.onRequest(WHAT_IF, ({ uri, values }): WhatIfAnswer => {
    const document = documents.get(uri);
    if (document === undefined) return { empty: true, uri, reason: 'The document is not open.' };
    try {
      return whatIfView(store.analysisOf(document), values, (text) => store.analyseAs(document, text));
    } catch (error) {
      log(`what if in ${uri}`, error);
      return { empty: true, uri, reason: 'These values could not be computed.' };
    }
  });
}

/** Searches for better layouts in turns, so that typing goes on; tells its progress and stops when it is cancelled. */
function registerSearch(state: ServerState): void {
  const { connection, documents, store } = state;
  connection.onRequest(ADVICE, (params, token) => {
    const { uri } = params;
    const tell = ({ done, of }: { readonly done: number; readonly of: number }): void => {
      const share = of > 0 ? Math.min(1, done / of) : 0;
      void connection.sendNotification(ADVICE_PROGRESS, { uri, share } satisfies AdviceProgress);
    };
    const begin = (): ReturnType<typeof adviceView> | undefined => {
      const document = documents.get(uri);
      if (document === undefined) return undefined;
      return adviceView(store.analysisOf(document), params, (text) => store.analyseAs(document, text));
    };
    return slowAnswer(token, begin, undefined, tell).then(
      (found) => found ?? { empty: true as const, uri, reason: 'The document is not open.' },
    );
  });
}
