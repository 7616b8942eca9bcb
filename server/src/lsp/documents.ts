import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Analysis, AnalysisSettings } from '../features/analysis';
import { analyze } from '../features/analyze';
import type { FileStore } from './files';

/** What is kept of one open document: the newest analysis, and the newest one whose text had no syntax fault. */
interface Kept {
  analysis: Analysis;
  good?: Analysis;
  settings: AnalysisSettings;
}

export interface DocumentStore {
  /** The analysis of the document as it is now, made anew only when the text, settings or files changed. */
  readonly analysisOf: (document: TextDocument) => Analysis;
  /** The last analysis without syntax faults, for pictures while the text is broken. */
  readonly lastGood: (uri: string) => Analysis | undefined;
  readonly configure: (uri: string, settings: AnalysisSettings) => void;
  /** The next question analyses again: a companion file changed. */
  readonly invalidate: (uri: string) => void;
  readonly remove: (uri: string) => void;
}

function isBroken(analysis: Analysis): boolean {
  return analysis.tree.issues.some(({ code }) => code !== 'duplicate-key');
}

/** Analyses of open documents; the only state of the server besides files and settings. */
export function createDocumentStore(files: FileStore, fallback: AnalysisSettings): DocumentStore {
  const kept = new Map<string, Kept>();
  const settings = new Map<string, AnalysisSettings>();
  const stale = new Set<string>();
  const run = (document: TextDocument): Analysis => {
    const { uri } = document;
    const own = settings.get(uri) ?? fallback;
    const analysis = analyze({
      uri,
      version: document.version,
      text: document.getText(),
      languageId: document.languageId,
      settings: own,
      files: files.lookup,
      parseFile: files.parse,
    });
    const before = kept.get(uri)?.good;
    const good = isBroken(analysis) ? before : analysis;
    kept.set(uri, { analysis, settings: own, ...(good === undefined ? {} : { good }) });
    stale.delete(uri);
    return analysis;
  };
  return {
    analysisOf: (document) => {
      const found = kept.get(document.uri);
      const fresh = found !== undefined && found.analysis.version === document.version && !stale.has(document.uri);
      return fresh ? found.analysis : run(document);
    },
    lastGood: (uri) => kept.get(uri)?.good,
    configure: (uri, value) => {
      settings.set(uri, value);
      stale.add(uri);
    },
    invalidate: (uri) => {
      stale.add(uri);
    },
    remove: (uri) => {
      kept.delete(uri);
      settings.delete(uri);
      stale.delete(uri);
    },
  };
}
