import { TextDocuments, type Connection } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { diagnostics } from '../features/diagnostics';
import { ANALYSIS_CHANGED, READ_FILE_REQUEST, type ReadFileAnswer } from '../protocol/requests';
import { initializeResult, noFacts, readFacts, registerForNews, type ClientFacts } from './client-facts';
import { createDocumentStore, type DocumentStore } from './documents';
import { registerFeatures } from './features';
import { createFileStore, type FileStore, type ReadText } from './files';
import { createScheduler, type Scheduler } from './scheduler';
import { DEFAULT_SETTINGS, readSettings } from './settings';

/** What a host lends to the server: reading files where the client does not do it. */
export interface HostAccess {
  /** Reads a file below one of `roots`; null for everything else. */
  readonly readBelow: (uri: string, roots: readonly string[]) => Promise<string | null>;
}

/** A config names a model config, which may name an index: deeper chains are not followed. */
const MAX_ROUNDS = 3;
/** A client that does not answer must not keep a document without findings. */
const SETTINGS_PATIENCE_MS = 300;

/** Everything the handlers share; built once a connection. */
export interface ServerState {
  readonly connection: Connection;
  readonly documents: TextDocuments<TextDocument>;
  readonly store: DocumentStore;
  readonly files: FileStore;
  readonly scheduler: Scheduler;
  readonly facts: ClientFacts;
  /** Opened documents whose settings are still on their way. */
  readonly waiting: Set<string>;
  readonly log: (what: string, error: unknown) => void;
}

function createState(connection: Connection, host: HostAccess): ServerState {
  const facts = noFacts();
  const documents = new TextDocuments(TextDocument);
  const told = new Set<string>();
  const log = (what: string, error: unknown): void => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const line = `${what}: ${reason}`;
    if (told.has(line)) return;
    told.add(line);
    connection.console.error(line);
  };
  const read: ReadText = async (uri) => {
    const open = documents.get(uri);
    if (open !== undefined) return open.getText();
    if (!facts.readFile) return host.readBelow(uri, facts.roots);
    const answer = await connection.sendRequest<ReadFileAnswer>(READ_FILE_REQUEST, { uri });
    return answer.text ?? null;
  };
  const files = createFileStore(read);
  const store = createDocumentStore(files, DEFAULT_SETTINGS);
  const scheduler = createScheduler((uri) => {
    void publish(state, uri).catch((error: unknown) => {
      log(`analysis of ${uri}`, error);
    });
  });
  const state: ServerState = { connection, documents, store, files, scheduler, facts, waiting: new Set(), log };
  return state;
}

/**
 * Analyses and publishes; files that the document names are fetched and the analysis repeated while something new arrives.
 * The document is looked up anew in every round, so that no round can publish an older text after a newer one.
 */
async function publish(state: ServerState, uri: string): Promise<void> {
  const { connection, documents, store, files } = state;
  for (let round = 0; ; round += 1) {
    const document = documents.get(uri);
    if (document === undefined) return;
    const analysis = store.analysisOf(document);
    const { version } = analysis;
    // The first answer does not wait for files: a person sees the nearest faults at once.
    await connection.sendDiagnostics({ uri, version, diagnostics: diagnostics(analysis) });
    await connection.sendNotification(ANALYSIS_CHANGED, { uri, version });
    const missing = analysis.wanted.filter((file) => files.lookup(file) === undefined);
    if (missing.length === 0 || round === MAX_ROUNDS || !(await files.fetch(missing))) return;
    store.invalidate(uri);
  }
}

/** Asks for the settings of one document; true when they differ from what was known. */
async function configure(state: ServerState, uri: string): Promise<boolean> {
  const { connection, documents, store } = state;
  const sent: unknown = await connection.workspace.getConfiguration({ scopeUri: uri, section: 'shardlens' });
  // The document may have been closed while the client answered.
  return documents.get(uri) !== undefined && store.configure(uri, readSettings(sent));
}

/** A newly opened document waits shortly for its settings, so that no findings flash up that the settings turn off. */
function open(state: ServerState, uri: string): void {
  const { scheduler, waiting, log } = state;
  if (!state.facts.configuration) return;
  waiting.add(uri);
  const proceed = (): void => {
    clearTimeout(timer);
    if (waiting.delete(uri)) scheduler.request(uri);
  };
  const timer = setTimeout(proceed, SETTINGS_PATIENCE_MS);
  configure(state, uri)
    .then((changed) => {
      if (changed) scheduler.request(uri);
    })
    .catch((error: unknown) => {
      log('settings', error);
    })
    .finally(proceed);
}

function watchDocuments(state: ServerState): void {
  const { documents, scheduler, store, files, connection, waiting } = state;
  documents.onDidOpen(({ document }) => {
    open(state, document.uri);
  });
  // Opening counts as a change of content, too.
  documents.onDidChangeContent(({ document }) => {
    const { uri } = document;
    if (files.lookup(uri) !== undefined) {
      files.put(uri, document.getText());
      refreshReaders(state, uri);
    }
    if (!waiting.has(uri)) scheduler.request(uri);
  });
  documents.onDidClose(({ document: { uri } }) => {
    scheduler.cancel(uri);
    store.remove(uri);
    waiting.delete(uri);
    if (files.lookup(uri) !== undefined) {
      // What others read from here was the editor's text; now the disk counts again.
      files.forget(uri);
      refreshReaders(state, uri);
    }
    void connection.sendDiagnostics({ uri, diagnostics: [] });
  });
}

/** Documents whose analysis asked for a file are analysed again after it changed. */
function refreshReaders(state: ServerState, changed: string): void {
  for (const { uri } of state.documents.all()) {
    if (uri === changed || !state.store.reads(uri, changed)) continue;
    state.store.invalidate(uri);
    state.scheduler.request(uri);
  }
}

function refreshAll({ documents, store, scheduler }: ServerState): void {
  for (const { uri } of documents.all()) {
    store.invalidate(uri);
    scheduler.request(uri);
  }
}

function watchSettings(state: ServerState): void {
  const { connection, documents, store, facts, log } = state;
  connection.onDidChangeConfiguration(({ settings }: { settings: unknown }) => {
    if (!facts.configuration) {
      // Clients that cannot be asked send their settings along.
      store.configureAll(readSettings((settings as { shardlens?: unknown } | null)?.shardlens));
      refreshAll(state);
      return;
    }
    for (const { uri } of documents.all()) {
      configure(state, uri).then(
        (changed) => {
          if (changed) state.scheduler.request(uri);
        },
        (error: unknown) => {
          log('settings', error);
        },
      );
    }
  });
}

function watchFolders(state: ServerState): void {
  const { connection, facts, files, log } = state;
  connection.onInitialized(() => {
    registerForNews(connection, facts).catch((error: unknown) => {
      log('registration', error);
    });
    if (!facts.tellsFolders) return;
    connection.workspace.onDidChangeWorkspaceFolders(({ added, removed }) => {
      const gone = new Set(removed.map(({ uri }) => uri));
      facts.roots = [...facts.roots.filter((root) => !gone.has(root)), ...added.map(({ uri }) => uri)];
      // What may be read hangs on the folders.
      files.clear();
      refreshAll(state);
    });
  });
  connection.onDidChangeWatchedFiles(({ changes }) => {
    for (const { uri } of changes) {
      if (state.documents.get(uri) !== undefined) continue;
      files.forget(uri);
      refreshReaders(state, uri);
    }
  });
}

/** Wires one connection to the features. Nothing here computes. */
export function startServer(connection: Connection, host: HostAccess): void {
  const state = createState(connection, host);
  connection.onInitialize((params) => {
    Object.assign(state.facts, readFacts(params));
    return initializeResult();
  });
  watchDocuments(state);
  watchSettings(state);
  watchFolders(state);
  registerFeatures(state);
  connection.onShutdown(() => {
    state.scheduler.dispose();
  });
  state.documents.listen(connection);
  connection.listen();
}
