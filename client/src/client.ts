import * as vscode from 'vscode';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';
import { READ_FILE_REQUEST, type ReadFileParams } from '../../server/src/protocol/requests';
import { readWorkspaceFile } from './workspace-files';

/** Languages a config may be written in; whether a file is ours is decided by its content, on the server. */
export const LANGUAGES = ['yaml', 'json', 'jsonc', 'toml', 'dockercompose', 'helm'] as const;

/** Files without a language of their own in a plain editor, which has no TOML. */
const PATTERN = '**/*.{yaml,yml,json,jsonc,toml}';

/** How each host starts a language client: a child process, or a worker. */
export type CreateClient = (options: LanguageClientOptions) => BaseLanguageClient;

export interface ClientHandle {
  /** The running client; starts it on first use. */
  readonly get: () => Promise<BaseLanguageClient>;
  /** The client if it already runs. */
  readonly current: () => BaseLanguageClient | undefined;
  readonly restart: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

function isCandidate(document: vscode.TextDocument): boolean {
  return (
    (LANGUAGES as readonly string[]).includes(document.languageId) ||
    vscode.languages.match({ pattern: PATTERN }, document) > 0
  );
}

/** True when any open document could be a config: only then a server is worth its memory. */
export function hasCandidate(documents: readonly vscode.TextDocument[] = vscode.workspace.textDocuments): boolean {
  return documents.some(isCandidate);
}

function clientOptions(output: vscode.LogOutputChannel, extensionUri: vscode.Uri): LanguageClientOptions {
  return {
    documentSelector: [...LANGUAGES.map((language) => ({ language })), { pattern: PATTERN }],
    outputChannel: output,
    initializationOptions: { readFile: true },
    synchronize: { configurationSection: 'shardlens', fileEvents: vscode.workspace.createFileSystemWatcher(PATTERN) },
    middleware: {
      // Each rule has a page in the extension; the code of a diagnostic opens it.
      handleDiagnostics: (uri, diagnostics, next) => {
        for (const diagnostic of diagnostics) {
          if (typeof diagnostic.code !== 'string') continue;
          diagnostic.code = {
            value: diagnostic.code,
            target: vscode.Uri.joinPath(extensionUri, 'docs', 'rules', `${diagnostic.code}.md`),
          };
        }
        next(uri, diagnostics);
      },
    },
  };
}

/** Starts the client on demand and keeps it until it is stopped. */
export function createClientHandle(
  create: CreateClient,
  output: vscode.LogOutputChannel,
  extensionUri: vscode.Uri,
): ClientHandle {
  let starting: Promise<BaseLanguageClient> | undefined;
  let running: BaseLanguageClient | undefined;
  const start = async (): Promise<BaseLanguageClient> => {
    const client = create(clientOptions(output, extensionUri));
    client.onRequest(READ_FILE_REQUEST, ({ uri }: ReadFileParams) => readWorkspaceFile(uri));
    await client.start();
    running = client;
    return client;
  };
  const stop = async (): Promise<void> => {
    const client = running;
    starting = undefined;
    running = undefined;
    await client?.stop();
  };
  const get = (): Promise<BaseLanguageClient> => {
    starting ??= start().catch((error: unknown) => {
      starting = undefined;
      throw error;
    });
    return starting;
  };
  return {
    get,
    current: () => running,
    stop,
    restart: async () => {
      await stop();
      await get();
    },
  };
}
