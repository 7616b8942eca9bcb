import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFileSync } from 'node:fs';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-languageserver/node';

interface Publish {
  readonly uri: string;
  readonly version?: number;
}

/** A language server behind stdio as an editor sees it, with a clock at hand. */
export interface Peer {
  readonly connection: MessageConnection;
  /** Spawn to the answer of `initialize`. */
  readonly startMs: number;
  readonly open: (uri: string, languageId: string, text: string) => Promise<void>;
  /**
   * Puts `text` in the place of `removed` characters (as many as it has, unless said) and waits for the diagnostics that follow;
   * gives back the milliseconds.
   */
  readonly edit: (uri: string, line: number, character: number, text: string, removed?: number) => Promise<number>;
  /** Milliseconds of one request. */
  readonly ask: (method: string, params: object) => Promise<number>;
  /** Resident memory in MB; undefined where the system does not tell. */
  readonly memory: () => number | undefined;
  readonly stop: () => Promise<void>;
}

function residentMegabytes(child: ChildProcessWithoutNullStreams): number | undefined {
  try {
    const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
    const kilobytes = /VmRSS:\s+(\d+)/.exec(status)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
  } catch {
    return undefined;
  }
}

/** Starts a server. `settings` answers its `workspace/configuration` questions by section. */
export async function startPeer(
  command: readonly string[],
  settings: Readonly<Record<string, unknown>>,
  rootUri: string,
): Promise<Peer> {
  const begun = performance.now();
  const child = spawn(process.execPath, [...command], { stdio: 'pipe' });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  let ending = false;
  child.once('exit', (status) => {
    // Nothing else would answer then, and the bench would end without a word.
    if (!ending) throw new Error(`${command[0] ?? ''} ended with ${String(status)}: ${complaint}`);
  });
  const connection = createMessageConnection(
    new StreamMessageReader(child.stdout),
    new StreamMessageWriter(child.stdin),
  );
  const waiting = new Map<string, { version: number; done: () => void }>();
  connection.onNotification('textDocument/publishDiagnostics', ({ uri, version }: Publish) => {
    const waiter = waiting.get(uri);
    // A server that does not say which version it speaks of is given the benefit of the doubt.
    if (waiter === undefined || (version ?? waiter.version) < waiter.version) return;
    waiting.delete(uri);
    waiter.done();
  });
  connection.onRequest('workspace/configuration', ({ items }: { items: { section?: string }[] }) =>
    items.map(({ section }) => settings[section ?? ''] ?? null),
  );
  connection.onRequest('client/registerCapability', () => null);
  connection.listen();
  await connection.sendRequest('initialize', {
    processId: process.pid,
    rootUri,
    workspaceFolders: [{ uri: rootUri, name: 'bench' }],
    capabilities: {
      workspace: { configuration: true, didChangeConfiguration: { dynamicRegistration: true } },
      textDocument: { publishDiagnostics: { versionSupport: true } },
    },
  });
  const startMs = performance.now() - begun;
  await connection.sendNotification('initialized', {});
  await connection.sendNotification('workspace/didChangeConfiguration', { settings });
  const versions = new Map<string, number>();
  const published = async (uri: string, version: number, send: () => Promise<void>): Promise<number> => {
    const from = performance.now();
    const arrived = new Promise<void>((done) => waiting.set(uri, { version, done }));
    await send();
    await arrived;
    return performance.now() - from;
  };
  return {
    connection,
    startMs,
    memory: () => residentMegabytes(child),
    open: async (uri, languageId, text) => {
      versions.set(uri, 1);
      const document = { uri, languageId, version: 1, text };
      await published(uri, 1, () => connection.sendNotification('textDocument/didOpen', { textDocument: document }));
    },
    edit: (uri, line, character, text, removed = text.length) => {
      const version = (versions.get(uri) ?? 0) + 1;
      versions.set(uri, version);
      const range = { start: { line, character }, end: { line, character: character + removed } };
      return published(uri, version, () =>
        connection.sendNotification('textDocument/didChange', {
          textDocument: { uri, version },
          contentChanges: [{ range, text }],
        }),
      );
    },
    ask: async (method, params) => {
      const from = performance.now();
      await connection.sendRequest(method, params);
      return performance.now() - from;
    },
    stop: async () => {
      ending = true;
      await connection.sendRequest('shutdown').catch(() => undefined);
      connection.dispose();
      child.kill();
    },
  };
}
