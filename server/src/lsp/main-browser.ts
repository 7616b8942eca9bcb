import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import type { WorkerStart } from '../protocol/worker';
import { startServer } from './server';

const scope = self as unknown as Worker & { shardlensDialectsUrl?: string; shardlensPythonUrl?: string };

scope.onmessage = ({ data }: MessageEvent<WorkerStart>) => {
  scope.shardlensDialectsUrl = data.dialects;
  scope.shardlensPythonUrl = data.python;
  // In a worker there is no disk; every file comes through the client.
  const connection = createConnection(new BrowserMessageReader(scope), new BrowserMessageWriter(scope));
  startServer(connection, { readBelow: () => Promise.resolve(null) });
};
