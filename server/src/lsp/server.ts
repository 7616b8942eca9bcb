import type { Connection } from 'vscode-languageserver';
import { initializeResult, readFacts, registerForNews } from './client-facts';
import { registerFeatures } from './features';
import { clear } from './publish';
import { readSettings } from './settings';
import { createState, openDocument, type HostAccess, type ServerState } from './state';

/** A client that does not answer must not keep a document without findings. */
const SETTINGS_PATIENCE_MS = 300;

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
  const { documents, scheduler, store, heads, files, connection, waiting, published } = state;
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
    heads.remove(uri);
    waiting.delete(uri);
    published.delete(uri);
    if (files.lookup(uri) !== undefined) {
      // What others read from here was the editor's text; now the disk counts again.
      files.forget(uri);
      refreshReaders(state, uri);
    }
    void clear(connection, { uri, diagnostics: [] });
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
      if (openDocument(state.documents, uri) !== undefined) continue;
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
