import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import type { WorkerStart } from '../protocol/worker';
import { startServer } from './server';

/** The bundles that are opened at first use look here for where they are. */
const scope = self as unknown as Worker & { shardlensScripts?: WorkerStart };

scope.onmessage = ({ data }: MessageEvent<WorkerStart>) => {
  scope.shardlensScripts = data;
  // In a worker there is no disk; every file comes through the client.
  const connection = createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope));
  startServer(connection, { readBelow: () => Promise.resolve(null) });
};
