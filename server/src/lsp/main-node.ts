import { setFlagsFromString } from 'node:v8';
import { ProposedFeatures, createConnection } from 'vscode-languageserver/node';
import { readBelow } from './disk';
import { readGitHead } from './git-head';
import { startServer } from './server';

// Analyses are short-lived garbage. Left to itself V8 lets the heap grow to several times of what is alive before it collects,
// which over some thousand keystrokes is 50 MB more; collecting earlier costs no measurable time. Other engines ignore the flag.
setFlagsFromString('--heap-growing-percent=30');

const connection = createConnection(ProposedFeatures.all);

/** What nobody caught is a fault of ours and no reason to leave every open document without a server; a lost client is. */
function survive(error: unknown): void {
  const { code } = error as { readonly code?: unknown };
  if (code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED' || code === 'ERR_IPC_CHANNEL_CLOSED') process.exit(1);
  connection.console.error(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

process.on('uncaughtException', survive);
process.on('unhandledRejection', survive);
startServer(connection, { readBelow, readHead: readGitHead });
