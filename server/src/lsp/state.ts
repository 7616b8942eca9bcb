import { TextDocuments, type Connection } from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { READ_FILE_REQUEST, type ReadFileAnswer } from '../protocol/requests';
import { noFacts, type ClientFacts } from './client-facts';
import { createDocumentStore, type DocumentStore } from './documents';
import { READ_HEAD_REQUEST, type ReadHeadAnswer } from '../protocol/advice';
import { createHeadStore, type HeadStore } from './heads';
import { createFileStore, fileKey, type FileStore, type ReadText } from './files';
import { publish } from './publish';
import { createScheduler, type Scheduler } from './scheduler';
import { DEFAULT_SETTINGS } from './settings';

/** What a host lends to the server: reading files where the client does not do it. */
export interface HostAccess {
  /** Reads a file below one of `roots`; null for everything else. */
  readonly readBelow: (uri: string, roots: readonly string[]) => Promise<string | null>;
  /** Reads a file as it was last committed, for clients that know no repository. */
  readonly readHead?: (uri: string) => Promise<string | null>;
}

/** A client that never answers must not keep a document waiting for its files. */
const FILE_PATIENCE_MS = 5000;
/** Faults that are told apart in the log; a fault whose text changes every time must not fill the memory. */
const MAX_TOLD = 500;

/** Everything the handlers share; built once a connection. */
export interface ServerState {
  readonly connection: Connection;
  readonly documents: TextDocuments<TextDocument>;
  readonly store: DocumentStore;
  readonly files: FileStore;
  readonly scheduler: Scheduler;
  /** Open documents as they were last committed. */
  readonly heads: HeadStore;
  readonly facts: ClientFacts;
  /** Opened documents whose settings are still on their way. */
  readonly waiting: Set<string>;
  /** Version that was last published of each document. */
  readonly published: Map<string, number>;
  readonly log: (what: string, error: unknown) => void;
}

/** A log that tells every fault once. */
function createLog(connection: Connection): ServerState['log'] {
  const told = new Set<string>();
  return (what, error) => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    const line = `${what}: ${reason}`;
    if (told.has(line) || told.size >= MAX_TOLD) return;
    told.add(line);
    try {
      connection.console.error(line);
    } catch {
      // The connection is gone, and with it whoever would read the log.
    }
  };
}

/** The open document for a file, however its editor writes the URI. */
export function openDocument(documents: TextDocuments<TextDocument>, uri: string): TextDocument | undefined {
  const key = fileKey(uri);
  return documents.get(uri) ?? documents.all().find((document) => fileKey(document.uri) === key);
}

/** Asks the client for a file; one that never answers has no file. */
async function askForFile(connection: Connection, request: string, uri: string): Promise<string | null> {
  const asked = connection.sendRequest<ReadFileAnswer | ReadHeadAnswer | null>(request, { uri });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, FILE_PATIENCE_MS, null);
  });
  const answer = await Promise.race([asked, patience]).finally(() => {
    clearTimeout(timer);
  });
  return typeof answer?.text === 'string' ? answer.text : null;
}

/** Builds everything that one connection needs; nothing runs yet. */
export function createState(connection: Connection, host: HostAccess): ServerState {
  const facts = noFacts();
  const documents = new TextDocuments(TextDocument);
  const log = createLog(connection);
  const read: ReadText = async (uri) => {
    const open = openDocument(documents, uri);
    if (open !== undefined) return open.getText();
    return facts.readFile ? askForFile(connection, READ_FILE_REQUEST, uri) : host.readBelow(uri, facts.roots);
  };
  const files = createFileStore(read);
  const store = createDocumentStore(files, DEFAULT_SETTINGS);
  const readHead = (uri: string): Promise<string | null> =>
    facts.readHead ? askForFile(connection, READ_HEAD_REQUEST, uri) : (host.readHead?.(uri) ?? Promise.resolve(null));
  const heads = createHeadStore(readHead, store.analyseAs);
  const scheduler = createScheduler((uri) => {
    void publish(state, uri);
  });
  const shared = { waiting: new Set<string>(), published: new Map<string, number>() };
  const state: ServerState = { connection, documents, store, files, scheduler, heads, facts, ...shared, log };
  return state;
}
