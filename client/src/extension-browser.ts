import * as vscode from 'vscode';
import { LanguageClient } from 'vscode-languageclient/browser';
import type { WorkerStart } from '../../server/src/protocol/worker';
import type { ClientHandle } from './client';
import { activateShardlens, type ShardlensApi } from './extension';

let client: ClientHandle | undefined;

/** Browser hosts: the server is a worker. */
export function activate(context: vscode.ExtensionContext): ShardlensApi {
  const script = (name: string): string =>
    vscode.Uri.joinPath(context.extensionUri, 'dist', 'web', name).toString(true);
  client = activateShardlens(context, (options) => {
    const worker = new Worker(script('server.js'));
    worker.postMessage({
      dialects: script('dialects.js'),
      translate: script('translate.js'),
      recordings: script('recordings.js'),
      python: script('python.js'),
    } satisfies WorkerStart);
    return Promise.resolve(new LanguageClient('shardlens', 'Shardlens', worker, options));
  });
  return { serverIsRunning: () => client?.current() !== undefined };
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}
