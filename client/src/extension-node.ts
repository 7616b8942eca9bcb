import * as vscode from 'vscode';
import type { ClientHandle } from './client';
import { activateShardlens, type ShardlensApi } from './extension';

let client: ClientHandle | undefined;

/** Desktop and remote hosts: the server is a process of its own. */
export function activate(context: vscode.ExtensionContext): ShardlensApi {
  const module = vscode.Uri.joinPath(context.extensionUri, 'dist', 'server.js').fsPath;
  const cache = vscode.Uri.joinPath(context.globalStorageUri, 'compiled').fsPath;
  client = activateShardlens(context, async (options) => {
    // The language client is nearly all of the code of this host, and most windows never need it.
    const { createNodeClient } = await import('./client-node');
    return createNodeClient(module, cache, options);
  });
  return { serverIsRunning: () => client?.current() !== undefined };
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
