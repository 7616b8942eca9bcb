import { RequestType } from 'vscode-languageserver';
import { adviceView } from '../features/advise/view';
import { ADVICE_PROGRESS, type AdviceAnswer, type AdviceParams, type AdviceProgress } from '../protocol/advice';
import { REQUEST } from '../protocol/requests';
import { slowAnswer } from './slow-answer';
import type { ServerState } from './state';

const ADVICE = new RequestType<AdviceParams, AdviceAnswer, void>(REQUEST.advice);

/** Searches for better layouts in turns, so that typing goes on; tells its progress and stops when it is cancelled. */
export function registerAdvice(state: ServerState): void {
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
