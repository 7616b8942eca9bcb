import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';

/** A client whose server is a process of its own, spoken to over Node's message channel. */
export function createNodeClient(module: string, options: LanguageClientOptions): BaseLanguageClient {
  const run = { module, transport: TransportKind.ipc };
  return new LanguageClient('shardlens', 'Shardlens', { run, debug: run }, options);
}
