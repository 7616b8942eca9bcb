import { BrowserMessageReader, BrowserMessageWriter, createConnection } from 'vscode-languageserver/browser';
import { startServer } from './server';

// In a worker there is no disk; every file comes through the client.
const connection = createConnection(
  new BrowserMessageReader(self as unknown as Worker),
  new BrowserMessageWriter(self as unknown as Worker),
);
startServer(connection, { readBelow: () => Promise.resolve(null) });
