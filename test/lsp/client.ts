import { PassThrough } from 'node:stream';
import {
  createConnection,
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type ClientCapabilities,
  type Diagnostic,
  type ProtocolConnection,
  type PublishDiagnosticsParams,
} from 'vscode-languageserver/node';
import { startServer } from '../../server/src/lsp/server';
import {
  ANALYSIS_CHANGED,
  READ_FILE_REQUEST,
  type AnalysisChangedParams,
  type ReadFileParams,
} from '../../server/src/protocol/requests';

export interface ClientOptions {
  /** Settings under `shardlens` that the client answers with. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** False: a client that cannot be asked for settings. */
  readonly configuration?: boolean;
  /** Files of the workspace by path below it. */
  readonly files?: Readonly<Record<string, string>>;
  /** Texts as they were last committed, by name. */
  readonly heads?: Readonly<Record<string, string>>;
  /** True: the client reads files itself, as the extension does. */
  readonly readFile?: boolean;
}

export const ROOT = 'file:///workspace';

/** A language client and server in one process, talking the real protocol over two streams. */
export interface TestClient {
  readonly connection: ProtocolConnection;
  readonly published: PublishDiagnosticsParams[];
  readonly changed: AnalysisChangedParams[];
  readonly errors: string[];
  /** Files the server asked the host or the client to read, in order. */
  readonly reads: string[];
  /** Requests to show code lenses anew. */
  readonly refreshed: { count: number };
  readonly files: Map<string, string>;
  readonly settings: { value: Readonly<Record<string, unknown>> };
  /** Opens a document; `name` is its path below the workspace. */
  readonly open: (name: string, text: string, languageId?: string) => TestDocument;
  readonly notify: (method: string, params: unknown) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** One open document: edits with marks instead of line numbers. */
export interface TestDocument {
  readonly uri: string;
  readonly text: () => string;
  readonly version: () => number;
  /** Replaces the first `from` by `to` as an incremental change. */
  readonly replace: (from: string, to: string) => Promise<void>;
  /** The findings of the present text: waits until they are published for it. */
  readonly diagnostics: () => Promise<readonly Diagnostic[]>;
  /** The findings once nothing more is published for a moment: companion files and settings have arrived. */
  readonly settled: () => Promise<readonly Diagnostic[]>;
  /** A request about the place after `mark`, such as `textDocument/hover` after `expert:`. */
  readonly at: <T>(method: string, mark: string) => Promise<T>;
  /** A request about the whole document. */
  readonly ask: <T>(method: string, more?: object) => Promise<T>;
  readonly close: () => Promise<void>;
}

export function positionOf(text: string, offset: number): { line: number; character: number } {
  const before = text.slice(0, offset).split('\n');
  return { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
}

const PATIENCE_MS = 20_000;
const QUIET_MS = 120;

/** Waits until `done` holds; fails with what was waited for. */
export async function until(what: string, done: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!done()) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function pause(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

function openDocument(client: Omit<TestClient, 'open'>, name: string, start: string, languageId: string): TestDocument {
  const { connection, published } = client;
  const uri = `${ROOT}/${name}`;
  let text = start;
  let version = 1;
  const opened = connection.sendNotification('textDocument/didOpen', {
    textDocument: { uri, languageId, version, text },
  });
  const newest = (): PublishDiagnosticsParams | undefined => published.filter((one) => one.uri === uri).at(-1);
  const diagnostics = async (): Promise<readonly Diagnostic[]> => {
    await opened;
    await until(`version ${version} of ${name} is published`, () => newest()?.version === version);
    return newest()?.diagnostics ?? [];
  };
  return {
    uri,
    text: () => text,
    version: () => version,
    replace: async (from, to) => {
      const at = text.indexOf(from);
      if (at < 0) throw new Error(`${name} has no ${JSON.stringify(from)}`);
      const range = { start: positionOf(text, at), end: positionOf(text, at + from.length) };
      text = text.slice(0, at) + to + text.slice(at + from.length);
      version += 1;
      await connection.sendNotification('textDocument/didChange', {
        textDocument: { uri, version },
        contentChanges: [{ range, text: to }],
      });
    },
    diagnostics,
    settled: async () => {
      await diagnostics();
      for (let count = -1; count !== published.length; await pause(QUIET_MS)) count = published.length;
      return newest()?.diagnostics ?? [];
    },
    at: (method, mark) => {
      const at = text.indexOf(mark);
      if (at < 0) throw new Error(`${name} has no ${JSON.stringify(mark)}`);
      const position = positionOf(text, at + mark.length);
      return connection.sendRequest(method, { textDocument: { uri }, position });
    },
    ask: (method, more = {}) => {
      const target = method.startsWith('shardlens/') ? { uri } : { textDocument: { uri } };
      return connection.sendRequest(method, { ...target, ...more });
    },
    close: () => connection.sendNotification('textDocument/didClose', { textDocument: { uri } }),
  };
}

/** Starts a server and a client that has shaken hands with it. */
export async function startClient(options: ClientOptions = {}): Promise<TestClient> {
  const toServer = new PassThrough();
  const toClient = new PassThrough();
  const files = new Map(Object.entries(options.files ?? {}).map(([name, text]) => [`${ROOT}/${name}`, text]));
  const reads: string[] = [];
  const server = createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient));
  startServer(server, {
    readBelow: (uri) => {
      if (options.readFile === true) throw new Error('the client reads files here');
      reads.push(uri);
      return Promise.resolve(files.get(uri) ?? null);
    },
    readHead: (uri) => Promise.resolve(options.heads?.[uri.slice(ROOT.length + 1)] ?? null),
  });
  const connection = createProtocolConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer));
  const published: PublishDiagnosticsParams[] = [];
  const changed: AnalysisChangedParams[] = [];
  const errors: string[] = [];
  const settings = { value: options.settings ?? {} };
  connection.onNotification('textDocument/publishDiagnostics', (params: PublishDiagnosticsParams) => {
    published.push(params);
  });
  connection.onNotification(ANALYSIS_CHANGED, (params: AnalysisChangedParams) => {
    changed.push(params);
  });
  connection.onNotification('window/logMessage', ({ message }: { message: string }) => {
    errors.push(message);
  });
  connection.onRequest('workspace/configuration', ({ items }: { items: unknown[] }) => items.map(() => settings.value));
  connection.onRequest('client/registerCapability', () => null);
  const refreshed = { count: 0 };
  connection.onRequest('workspace/codeLens/refresh', () => {
    refreshed.count += 1;
    return null;
  });
  connection.onRequest(READ_FILE_REQUEST, ({ uri }: ReadFileParams) => {
    reads.push(uri);
    return { text: files.get(uri) };
  });
  connection.listen();
  const configuration = options.configuration ?? true;
  const capabilities: ClientCapabilities = {
    workspace: {
      configuration,
      workspaceFolders: true,
      didChangeConfiguration: { dynamicRegistration: true },
      codeLens: { refreshSupport: true },
    },
  };
  await connection.sendRequest('initialize', {
    processId: null,
    rootUri: ROOT,
    capabilities,
    workspaceFolders: [{ uri: ROOT, name: 'workspace' }],
    initializationOptions: { readFile: options.readFile === true },
  });
  await connection.sendNotification('initialized', {});
  const base = {
    connection,
    published,
    changed,
    errors,
    reads,
    refreshed,
    files,
    settings,
    notify: (method: string, params: unknown) => connection.sendNotification(method, params as object),
    close: async () => {
      await connection.sendRequest('shutdown');
      connection.dispose();
      server.dispose();
    },
  };
  return { ...base, open: (name, text, languageId = 'yaml') => openDocument(base, name, text, languageId) };
}
