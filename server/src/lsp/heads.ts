import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Analysis } from '../features/analysis';

/** What is known of the committed text of one document. */
interface Head {
  readonly text: string | null;
  readonly asked: number;
  /** Made once for a text, and anew when the text is asked for again: files and settings may have changed by then. */
  analysis?: Analysis;
}

export interface HeadStore {
  /** Analysis of the committed text, where it is known and differs from the document. */
  readonly of: (document: TextDocument) => Analysis | undefined;
  /** Asks for the committed text again unless that was done a moment ago; true when it is another one than before. */
  readonly refresh: (uri: string, now: number) => Promise<boolean>;
  readonly remove: (uri: string) => void;
}

/** Commits happen by the minute, not by the keystroke. */
const PATIENCE_MS = 15_000;

/** Texts as they were last committed, one a document, with the analysis of each made once. */
export function createHeadStore(
  read: (uri: string) => Promise<string | null>,
  analyseAs: (document: TextDocument, text: string) => Analysis,
): HeadStore {
  const heads = new Map<string, Head>();
  return {
    of: (document) => {
      const head = heads.get(document.uri);
      if (head === undefined || head.text === null || head.text === document.getText()) return undefined;
      head.analysis ??= analyseAs(document, head.text);
      return head.analysis;
    },
    refresh: async (uri, now) => {
      const before = heads.get(uri);
      if (before !== undefined && now - before.asked < PATIENCE_MS) return false;
      heads.set(uri, { ...before, text: before?.text ?? null, asked: now });
      const text = await read(uri).catch(() => null);
      const changed = text !== (before?.text ?? null);
      heads.set(uri, { text, asked: now });
      return changed;
    },
    remove: (uri) => {
      heads.delete(uri);
    },
  };
}
