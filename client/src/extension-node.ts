import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { ClientHandle } from './client';
import { activateShardlens } from './extension';

let client: ClientHandle | undefined;

/** Desktop and remote hosts: the server is a process of its own. */
export function activate(context: vscode.ExtensionContext): void {
  const module = vscode.Uri.joinPath(context.extensionUri, 'dist', 'server.js').fsPath;
  const run = { module, transport: TransportKind.ipc };
  client = activateShardlens(
    context,
    (options) => new LanguageClient('shardlens', 'Shardlens', { run, debug: run }, options),
  );
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
