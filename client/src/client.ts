import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions, Middleware } from 'vscode-languageclient';
import { READ_HEAD_REQUEST, type ReadHeadParams } from '../../server/src/protocol/advice';
import { mayBeConfig, mayBeProgram } from '../../server/src/protocol/candidate';
import { READ_FILE_REQUEST, type ReadFileParams } from '../../server/src/protocol/requests';
import { readHead } from './head';
import { readWorkspaceFile } from './workspace-files';

/** Languages a config may be written in; whether a file is ours is decided by its content, on the server. */
const LANGUAGES = ['yaml', 'json', 'jsonc', 'toml', 'dockercompose', 'helm', 'shellscript'] as const;

/** Python files are read where they build configs; the language server hears of no other. */
const PYTHON = 'python';

/** Files without a language of their own in a plain editor, which has no TOML. */
const PATTERN = '**/*.{yaml,yml,json,jsonc,toml,sh,bash,sbatch,slurm}';

/** How each host makes a language client: for a child process, or for a worker. Loaded on first use, it is most of our code. */
export type CreateClient = (options: LanguageClientOptions) => Promise<BaseLanguageClient>;

export interface ClientHandle {
  /** The running client; starts it on first use. */
  readonly get: () => Promise<BaseLanguageClient>;
  /** The client if it already runs. */
  readonly current: () => BaseLanguageClient | undefined;
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

export interface ClientParts {
  readonly create: CreateClient;
  readonly output: vscode.LogOutputChannel;
  readonly extensionUri: vscode.Uri;
  /** Called with every client that starts, before it does: a restart makes a new one, which knows none of the old one's listeners. */
  readonly onCreated: (client: BaseLanguageClient) => void;
}

/** True when a document could be a config: only then a server is worth its memory. */
export function isCandidate(document: vscode.TextDocument): boolean {
  if (document.languageId === PYTHON) return document.uri.scheme !== 'output' && mayBeProgram(document.getText());
  const readable =
    (LANGUAGES as readonly string[]).includes(document.languageId) ||
    vscode.languages.match({ pattern: PATTERN }, document) > 0;
  return readable && document.uri.scheme !== 'output' && mayBeConfig(document.uri.path, document.getText());
}

/**
 * Keeps Python files that build no configs away from the server, and every question about them. One that becomes a config while it is
 * typed is opened there with the text it has then.
 */
function onlyPrograms(open: (document: vscode.TextDocument) => Promise<void>): Middleware {
  const sent = new Set<string>();
  const away = (document: vscode.TextDocument): boolean =>
    document.languageId === PYTHON && !sent.has(document.uri.toString());
  return {
    didOpen: async (document, next) => {
      if (document.languageId === PYTHON && !isCandidate(document)) return;
      sent.add(document.uri.toString());
      await next(document);
    },
    didChange: async (event, next) => {
      const { document } = event;
      if (!away(document)) return next(event);
      if (!isCandidate(document)) return;
      sent.add(document.uri.toString());
      await open(document);
    },
    didClose: async (document, next) => {
      if (away(document)) return;
      sent.delete(document.uri.toString());
      await next(document);
    },
    didSave: async (document, next) => {
      if (!away(document)) await next(document);
    },
    provideHover: (document, position, token, next) => (away(document) ? null : next(document, position, token)),
    provideCompletionItem: (document, position, context, token, next) =>
      document.languageId === PYTHON ? null : next(document, position, context, token),
    provideCodeActions: (document, range, context, token, next) =>
      away(document) ? null : next(document, range, context, token),
    provideCodeLenses: (document, token, next) => (away(document) ? null : next(document, token)),
    provideInlayHints: (document, range, token, next) => (away(document) ? null : next(document, range, token)),
    provideDocumentLinks: (document, token, next) => (away(document) ? null : next(document, token)),
    provideDefinition: (document, position, token, next) => (away(document) ? null : next(document, position, token)),
  };
}

function clientOptions(
  parts: ClientParts,
  watcher: vscode.FileSystemWatcher,
  running: () => BaseLanguageClient,
): LanguageClientOptions {
  return {
    documentSelector: [...LANGUAGES.map((language) => ({ language })), { pattern: PATTERN }, { language: PYTHON }],
    outputChannel: parts.output,
    initializationOptions: { readFile: true, readHead: true },
    synchronize: { configurationSection: 'shardlens', fileEvents: watcher },
    middleware: {
      ...onlyPrograms(async (document) => {
        const client = running();
        await client.sendNotification(
          'textDocument/didOpen',
          client.code2ProtocolConverter.asOpenTextDocumentParams(document),
        );
      }),
      // Each rule has a page in the extension; the code of a diagnostic opens it.
      handleDiagnostics: (uri, diagnostics, next) => {
        for (const diagnostic of diagnostics) {
          if (typeof diagnostic.code !== 'string') continue;
          const target = vscode.Uri.joinPath(parts.extensionUri, 'docs', 'rules', `${diagnostic.code}.md`);
          diagnostic.code = { value: diagnostic.code, target };
        }
        next(uri, diagnostics);
      },
    },
  };
}

/** One client from its first use to its end. */
interface Run {
  readonly started: Promise<BaseLanguageClient>;
  client?: BaseLanguageClient;
  readonly end: () => Promise<void>;
}

function begin(parts: ClientParts): Run {
  const watcher = vscode.workspace.createFileSystemWatcher(PATTERN);
  const start = async (): Promise<BaseLanguageClient> => {
    const client: BaseLanguageClient = await parts.create(clientOptions(parts, watcher, () => client));
    client.onRequest(READ_HEAD_REQUEST, ({ uri }: ReadHeadParams) => readHead(uri));
    client.onRequest(READ_FILE_REQUEST, ({ uri }: ReadFileParams) => readWorkspaceFile(uri));
    parts.onCreated(client);
    await client.start();
    run.client = client;
    return client;
  };
  const started = start();
  const run: Run = {
    started,
    end: async () => {
      watcher.dispose();
      // A start that failed has left nothing to stop.
      const client = await started.catch(() => undefined);
      await client?.dispose();
    },
  };
  return run;
}

/** Starts the client on demand and keeps it until it is stopped. */
export function createClientHandle(parts: ClientParts): ClientHandle {
  let run: Run | undefined;
  const stop = async (): Promise<void> => {
    const ending = run;
    run = undefined;
    await ending?.end();
  };
  const get = (): Promise<BaseLanguageClient> => {
    if (run === undefined) {
      const mine = begin(parts);
      run = mine;
      // After a failed start the next question tries again.
      mine.started.catch(() => {
        if (run === mine) run = undefined;
      });
    }
    return run.started;
  };
  return {
    get,
    current: () => run?.client,
    stop,
    restart: async () => {
      await stop();
      await get();
    },
  };
}
