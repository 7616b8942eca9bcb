import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import { READ_HEAD_REQUEST, type ReadHeadParams } from '../../server/src/protocol/advice';
import { mayBeConfig } from '../../server/src/protocol/candidate';
import { READ_FILE_REQUEST, type ReadFileParams } from '../../server/src/protocol/requests';
import { readHead } from './head';
import { readWorkspaceFile } from './workspace-files';

/** Languages a config may be written in; whether a file is ours is decided by its content, on the server. */
const LANGUAGES = ['yaml', 'json', 'jsonc', 'toml', 'dockercompose', 'helm', 'shellscript'] as const;

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
  const readable =
    (LANGUAGES as readonly string[]).includes(document.languageId) ||
    vscode.languages.match({ pattern: PATTERN }, document) > 0;
  return readable && document.uri.scheme !== 'output' && mayBeConfig(document.uri.path, document.getText());
}

function clientOptions(parts: ClientParts, watcher: vscode.FileSystemWatcher): LanguageClientOptions {
  return {
    documentSelector: [...LANGUAGES.map((language) => ({ language })), { pattern: PATTERN }],
    outputChannel: parts.output,
    initializationOptions: { readFile: true, readHead: true },
    synchronize: { configurationSection: 'shardlens', fileEvents: watcher },
    middleware: {
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
    const client = await parts.create(clientOptions(parts, watcher));
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
