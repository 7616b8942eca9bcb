import {
  CodeActionKind,
  DidChangeConfigurationNotification,
  DidChangeWatchedFilesNotification,
  TextDocumentSyncKind,
  type Connection,
  type InitializeParams,
  type InitializeResult,
} from 'vscode-languageserver';
import { version } from '../../../package.json';

/** What the client told at start; roots follow the workspace. */
export interface ClientFacts {
  /** Settings are asked for, a document at a time. */
  configuration: boolean;
  registersConfiguration: boolean;
  registersFiles: boolean;
  tellsFolders: boolean;
  refreshesLenses: boolean;
  /** The client reads companion files itself, because it alone may reach a virtual workspace. */
  readFile: boolean;
  /** The client knows what was last committed. */
  readHead: boolean;
  roots: readonly string[];
}

export function noFacts(): ClientFacts {
  return {
    configuration: false,
    registersConfiguration: false,
    registersFiles: false,
    tellsFolders: false,
    refreshesLenses: false,
    readFile: false,
    readHead: false,
    roots: [],
  };
}

function rootsOf({ workspaceFolders, rootUri }: InitializeParams): string[] {
  if (workspaceFolders !== null && workspaceFolders !== undefined) return workspaceFolders.map(({ uri }) => uri);
  // Clients older than workspace folders tell one root.
  return rootUri === null ? [] : [rootUri];
}

/** Writes down what the client can do. */
export function readFacts(params: InitializeParams): ClientFacts {
  const { workspace } = params.capabilities;
  const options = params.initializationOptions as { readFile?: unknown; readHead?: unknown } | null | undefined;
  return {
    configuration: workspace?.configuration === true,
    registersConfiguration: workspace?.didChangeConfiguration?.dynamicRegistration === true,
    registersFiles: workspace?.didChangeWatchedFiles?.dynamicRegistration === true,
    tellsFolders: workspace?.workspaceFolders === true,
    refreshesLenses: workspace?.codeLens?.refreshSupport === true,
    readFile: options?.readFile === true,
    readHead: options?.readHead === true,
    roots: rootsOf(params),
  };
}

/** What the server offers. */
export function initializeResult(): InitializeResult {
  return {
    serverInfo: { name: 'shardlens', version },
    capabilities: {
      textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
      hoverProvider: true,
      inlayHintProvider: true,
      completionProvider: { triggerCharacters: [' ', ':', '-', '"'] },
      codeLensProvider: { resolveProvider: false },
      codeActionProvider: {
        codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.RefactorRewrite],
        resolveProvider: true,
      },
      documentLinkProvider: { resolveProvider: false },
      definitionProvider: true,
      workspace: { workspaceFolders: { supported: true, changeNotifications: true } },
    },
  };
}

/** Asks the client for news of settings and files, where it lets servers ask. */
export async function registerForNews(connection: Connection, facts: ClientFacts): Promise<void> {
  if (facts.registersConfiguration)
    await connection.client.register(DidChangeConfigurationNotification.type, { section: 'shardlens' });
  // A client that reads files for us watches them as well.
  if (facts.registersFiles && !facts.readFile)
    await connection.client.register(DidChangeWatchedFilesNotification.type, {
      watchers: [{ globPattern: '**/*.{yaml,yml,json,jsonc,toml,csv,pt,safetensors}' }],
    });
}
