import { version } from '../../../package.json';
import { checkCommand } from './check';
import { diffCommand } from './diff';
import { estimateCommand } from './estimate';
import { lspCommand } from './lsp';
import { placeCommand } from './place';
import { planCommand } from './plan';
import { scheduleCommand } from './schedule';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const COMMANDS: readonly Command[] = [
  checkCommand,
  estimateCommand,
  scheduleCommand,
  placeCommand,
  planCommand,
  diffCommand,
  lspCommand,
];

function help(): string {
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}\n`);
  return `shardlens ${version}: reads the files that split large models over GPUs\n\nshardlens COMMAND [OPTIONS]\n\n${lines.join('')}\n"shardlens COMMAND --help" tells a command's options; "shardlens --version" the version.\n`;
}

async function runCommand(command: Command, args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  if (args.includes('--help') || args.includes('-h')) {
    terminal.out(command.help);
    return EXIT.fine;
  }
  try {
    return await command.run(args, terminal);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    terminal.err(`shardlens ${command.name}: ${error.message}\n`);
    return EXIT.usage;
  }
}

/** Runs one command line and answers with its exit code; writes only through `terminal`. */
export async function runShardlens(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v') {
    terminal.out(`${version}\n`);
    return EXIT.fine;
  }
  if (name === '--help' || name === '-h' || name === 'help') {
    terminal.out(help());
    return EXIT.fine;
  }
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return runCommand(command, rest, terminal);
  const names = COMMANDS.map((candidate) => candidate.name).join(', ');
  terminal.err(
    name === undefined
      ? `shardlens: name a command: ${names}\n`
      : `shardlens: ${JSON.stringify(name)} is no command; the commands are ${names}\n`,
  );
  return EXIT.usage;
}
