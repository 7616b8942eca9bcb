import type { TextDocument } from 'vscode-languageserver-textdocument';
import type { Analysis, AnalysisSettings, FileLookup } from '../features/analysis';
import { analyze } from '../features/analyze';
import type { SyntaxIssue } from '../syntax/tree';
import { createParseMemory, type ParseMemory } from '../syntax/yaml-blocks';
import { fileKey, type FileStore } from './files';

/** What is kept of one open document: the newest analysis, and the newest one whose text had no syntax fault. */
interface Kept {
  readonly analysis: Analysis;
  readonly good: Analysis | undefined;
  readonly parseMemory: ParseMemory;
  /** Files that the analysis asked for, whether they were there or not. */
  readonly read: ReadonlySet<string>;
}

export interface DocumentStore {
  /** The analysis of the document as it is now, made anew only when the text, settings or files changed. */
  readonly analysisOf: (document: TextDocument) => Analysis;
  /** The last analysis without syntax faults, for pictures while the text is broken. */
  readonly lastGood: (uri: string) => Analysis | undefined;
  /** True when the newest analysis of a document asked for a file. */
  readonly reads: (uri: string, file: string) => boolean;
  /** Settings of one document; true when they are others than before. */
  readonly configure: (uri: string, settings: AnalysisSettings) => boolean;
  /** Settings of every document that has none of its own. */
  readonly configureAll: (settings: AnalysisSettings) => void;
  /** The next question analyses again: a companion file changed. */
  readonly invalidate: (uri: string) => void;
  /** Another text read as the document would be, with its settings and files; nothing of it is kept. */
  readonly analyseAs: (document: TextDocument, text: string) => Analysis;
  readonly remove: (uri: string) => void;
}

/** Faults of the syntax, but for a repeated key: such a file still has one reading. */
export function syntaxFault({ tree }: Analysis): SyntaxIssue | undefined {
  return tree.issues.find(({ code }) => code !== 'duplicate-key');
}

/** What a picture says of a text that does not parse: that it is of the last one that did, or of what can be read of this one. */
export function staleness(analysis: Analysis, good: Analysis | undefined): { readonly stale?: string } {
  const fault = syntaxFault(analysis);
  if (fault === undefined) return {};
  const line = `Line ${String(analysis.lines.positionAt(fault.span.start).line + 1)} does not parse`;
  if (good !== undefined) return { stale: `${line}; this is the picture of the last text that did.` };
  // The lines of a template are no fault: nobody reads them as they stand.
  return analysis.findings.some(({ rule }) => rule === 'syntax')
    ? { stale: `${line}; this is the picture of what can be read.` }
    : {};
}

/** Analyses of open documents; the only state of the server besides files and settings. */
export function createDocumentStore(files: FileStore, initial: AnalysisSettings): DocumentStore {
  let common = initial;
  const kept = new Map<string, Kept>();
  const settings = new Map<string, AnalysisSettings>();
  const stale = new Set<string>();
  const run = (document: TextDocument): Analysis => {
    const { uri, version, languageId } = document;
    const read = new Set<string>();
    const lookup: FileLookup = (file) => {
      read.add(fileKey(file));
      return files.lookup(file);
    };
    const own = settings.get(uri) ?? common;
    const parseMemory = kept.get(uri)?.parseMemory ?? createParseMemory();
    const input = { uri, version, text: document.getText(), languageId, settings: own };
    const analysis = analyze({ ...input, files: lookup, parseFile: files.parse, parseMemory });
    const good = syntaxFault(analysis) === undefined ? analysis : kept.get(uri)?.good;
    kept.set(uri, { analysis, good, read, parseMemory });
    stale.delete(uri);
    return analysis;
  };
  return {
    analysisOf: (document) => {
      const found = kept.get(document.uri)?.analysis;
      return found?.version === document.version && !stale.has(document.uri) ? found : run(document);
    },
    lastGood: (uri) => kept.get(uri)?.good,
    reads: (uri, file) => kept.get(uri)?.read.has(fileKey(file)) === true,
    configure: (uri, value) => {
      const before = settings.get(uri) ?? common;
      settings.set(uri, value);
      if (JSON.stringify(before) === JSON.stringify(value)) return false;
      stale.add(uri);
      return true;
    },
    configureAll: (value) => {
      common = value;
    },
    invalidate: (uri) => {
      stale.add(uri);
    },
    analyseAs: ({ uri, version, languageId }, text) => {
      const input = { uri, version, text, languageId, settings: settings.get(uri) ?? common };
      return analyze({ ...input, files: files.lookup, parseFile: files.parse });
    },
    remove: (uri) => {
      kept.delete(uri);
      settings.delete(uri);
      stale.delete(uri);
    },
  };
}
