import { ProposedFeatures, createConnection } from 'vscode-languageserver/node';
import { readBelow } from './disk';
import { startServer } from './server';

const connection = createConnection(ProposedFeatures.all);

/** What nobody caught is a fault of ours and no reason to leave every open document without a server; a lost client is. */
function survive(error: unknown): void {
  const { code } = error as { readonly code?: unknown };
  if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_IPC_CHANNEL_CLOSED') process.exit(1);
  connection.console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);
startServer(connection, { readBelow });
