import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import type { ClientHandle } from './client';
import { activateShardlens, type ShardlensApi } from './extension';

let client: ClientHandle | undefined;

/** Browser hosts: the server is a worker. */
export function activate(context: vscode.ExtensionContext): ShardlensApi {
  const script = vscode.Uri.joinPath(context.extensionUri, 'dist', 'web', 'server.js').toString(true);
  client = activateShardlens(context, (options) =>
    Promise.resolve(new LanguageClient('shardlens', 'Shardlens', new Worker(script), options)),
  );
  return { serverIsRunning: () => client?.current() !== undefined };
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
