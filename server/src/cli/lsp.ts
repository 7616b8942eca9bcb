import { EXIT, UsageError, type Command, type ExitCode } from './usage';

const HELP = `shardlens lsp --stdio

Runs the language server over standard input and output, for any editor that speaks LSP.
--node-ipc, --pipe=NAME and --socket=PORT are taken as well.
`;

const TRANSPORT = /^--(?:stdio|node-ipc|pipe(?:=.*)?|socket(?:=.*)?|clientProcessId=.*)$/;

async function run(args: readonly string[]): Promise<ExitCode> {
  const unknown = args.find((arg) => arg.startsWith('-') && !TRANSPORT.test(arg));
  if (unknown !== undefined) throw new UsageError(`${unknown} is no option of the language server`);
  // The server's own library reads the transport from the arguments of the process.
  if (!args.some((arg) => arg.startsWith('--'))) process.argv.push('--stdio');
  // The server is a bundle of its own beside this one; its path is told as a string so that the compiler leaves it alone.
  await import('./server.js' as string);
  return EXIT.fine;
}

export const lspCommand: Command = { name: 'lsp', summary: 'the language server, for any editor', help: HELP, run };
