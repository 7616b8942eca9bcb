import {
  CodeActionKind,
  TextDocumentSyncKind,
  TextDocuments,
  type Connection,
  type InitializeParams,
  type InitializeResult,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { diagnostics } from '../features/diagnostics';
import { ANALYSIS_CHANGED, READ_FILE_REQUEST, type ReadFileAnswer } from '../protocol/requests';
import { createDocumentStore, type DocumentStore } from './documents';
import { registerFeatures } from './features';
import { createFileStore, type FileStore, type ReadText } from './files';
import { createScheduler, type Scheduler } from './scheduler';
import { DEFAULT_SETTINGS, readSettings } from './settings';

/** What the client told at start. */
interface ClientFacts {
  configuration: boolean;
  readFile: boolean;
  roots: readonly string[];
}

/** What a host lends to the server: reading files where the client does not do it. */
export interface HostAccess {
  /** Reads a file below one of `roots`; null for everything else. */
  readonly readBelow: (uri: string, roots: readonly string[]) => Promise<string | null>;
}

const MAX_ROUNDS = 3;

/** Everything the handlers share; built once a connection. */
export interface ServerState {
  readonly connection: Connection;
  readonly documents: TextDocuments<TextDocument>;
  readonly store: DocumentStore;
  readonly files: FileStore;
  readonly scheduler: Scheduler;
  readonly facts: ClientFacts;
  readonly log: (what: string, error: unknown) => void;
}

function initialize(facts: ClientFacts, params: InitializeParams): InitializeResult {
  facts.configuration = params.capabilities.workspace?.configuration === true;
  facts.readFile = (params.initializationOptions as { readFile?: boolean } | undefined)?.readFile === true;
  facts.roots = params.workspaceFolders?.map(({ uri }) => uri) ?? [];
  return {
    serverInfo: { name: 'shardlens' },
    capabilities: {
      textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
      hoverProvider: true,
      completionProvider: { triggerCharacters: [' ', ':', '-', '"'] },
      codeLensProvider: { resolveProvider: false },
      codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix] },
      documentLinkProvider: { resolveProvider: false },
      definitionProvider: true,
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
    },
  };
}

function createState(connection: Connection, host: HostAccess): ServerState {
  const facts: ClientFacts = { configuration: false, readFile: false, roots: [] };
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
  const state: ServerState = { connection, documents, store, files, scheduler, facts, log };
  return state;
}

/** Analyses and publishes; files that the document names are fetched and the analysis repeated while something new arrives. */
async function publish(state: ServerState, uri: string): Promise<void> {
  const { connection, documents, store, files } = state;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const document = documents.get(uri);
    if (document === undefined) return;
    const analysis = store.analysisOf(document);
    const missing = analysis.wanted.filter((file) => files.lookup(file) === undefined);
    // The first answer does not wait for files: a person sees the nearest faults at once.
    await connection.sendDiagnostics({ uri, version: analysis.version, diagnostics: diagnostics(analysis) });
    await connection.sendNotification(ANALYSIS_CHANGED, { uri, version: analysis.version });
    if (missing.length === 0 || !(await files.fetch(missing))) return;
    store.invalidate(uri);
  }
}

async function configure(state: ServerState, uri: string): Promise<void> {
  if (!state.facts.configuration) return;
  const sent: unknown = await state.connection.workspace.getConfiguration({ scopeUri: uri, section: 'shardlens' });
  state.store.configure(uri, readSettings(sent));
}

function watchDocuments(state: ServerState): void {
  const { documents, scheduler, store, files, connection, log } = state;
  documents.onDidOpen(({ document }) => {
    scheduler.request(document.uri);
    configure(state, document.uri).then(
      () => {
        scheduler.request(document.uri);
      },
      (error: unknown) => {
        log('settings', error);
      },
    );
  });
  documents.onDidChangeContent(({ document }) => {
    if (files.lookup(document.uri) !== undefined) {
      files.put(document.uri, document.getText());
      refreshOthers(state, document.uri);
    }
    scheduler.request(document.uri);
  });
  documents.onDidClose(({ document }) => {
    scheduler.cancel(document.uri);
    store.remove(document.uri);
    files.forget(document.uri);
    void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] });
  });
}

/** Documents that may read a changed file are analysed again. */
function refreshOthers(state: ServerState, changed: string): void {
  for (const { uri } of state.documents.all()) {
    if (uri === changed) continue;
    state.store.invalidate(uri);
    state.scheduler.request(uri);
  }
}

function watchWorkspace(state: ServerState): void {
  const { connection, documents, files, scheduler, log } = state;
  connection.onDidChangeConfiguration(() => {
    for (const { uri } of documents.all()) {
      configure(state, uri).then(
        () => {
          scheduler.request(uri);
        },
        (error: unknown) => {
          log('settings', error);
        },
      );
    }
  });
  connection.onDidChangeWatchedFiles(({ changes }) => {
    for (const { uri } of changes) {
      if (documents.get(uri) !== undefined) continue;
      files.forget(uri);
      refreshOthers(state, uri);
    }
  });
}

/** Wires one connection to the features. Nothing here computes. */
export function startServer(connection: Connection, host: HostAccess): void {
  const state = createState(connection, host);
  connection.onInitialize((params) => initialize(state.facts, params));
  watchDocuments(state);
  watchWorkspace(state);
  registerFeatures(state);
  connection.onShutdown(() => {
    state.scheduler.dispose();
  });
  state.documents.listen(connection);
  connection.listen();
}
