import { version } from '../../../package.json';
import { checkGithub, checkSarif, checkText, totalsOf, type CheckedFile } from './check-formats';
import type { Analysis } from '../features/analysis';
import { isTensorFile, readPlacementFile } from '../features/placement/loads';
import { openFile, readBytes } from './files';
import { findingRows } from './findings';
import { oneOf, readArguments, wholeNumber } from './options';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens check FILE… [--format text|json|sarif|github] [--max-warnings N]

Tells what the frameworks would refuse and what will not fit, file by file.

  --format        text (default), json, sarif (2.1.0) or github (workflow annotations)
  --max-warnings  exit with 1 when there are more warnings than N

Exit: 0 fine, 1 findings of severity error, 2 wrong usage or a file that cannot be read.
`;

const TENSOR_BYTES = 8 * 1024 * 1024;

/** Why a file that nobody knows could not be looked at; undefined where it is simply none of ours. */
function whyUnread({ detection, tree }: Analysis, cwd: string, file: string): string | undefined {
  if (detection !== undefined) return undefined;
  if (!isTensorFile(file)) return tree.issues.find(({ code }) => code === 'too-large' || code === 'binary')?.message;
  const read = readPlacementFile(readBytes(cwd, file, TENSOR_BYTES).toString('latin1'));
  if (read.kind === 'refused') return `${read.reason}.`;
  return read.kind === 'loads' ? 'a recording of expert loads, which "place --loads" takes.' : undefined;
}

function checkFile(cwd: string, file: string): CheckedFile {
  const { analysis } = openFile(cwd, file);
  const { detection } = analysis;
  const reason = whyUnread(analysis, cwd, file);
  return {
    path: file,
    dialect: detection?.dialect ?? null,
    confidence: detection?.confidence ?? 0,
    findings: findingRows(analysis),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Files that cannot be read are told and passed over: one wrong name must not hide the findings of the others. */
function checkAll(files: readonly string[], { cwd, err }: Terminal): { checked: CheckedFile[]; unread: number } {
  const checked: CheckedFile[] = [];
  let unread = 0;
  for (const file of files) {
    try {
      checked.push(checkFile(cwd, file));
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      unread += 1;
      err(`shardlens check: ${error.message}\n`);
    }
  }
  return { checked, unread };
}

function run(args: readonly string[], terminal: Terminal): ExitCode {
  const given = readArguments(args, ['format', 'max-warnings']);
  const format = oneOf(given, 'format', ['text', 'json', 'sarif', 'github']);
  const maxWarnings = wholeNumber(given, 'max-warnings', 0) ?? Infinity;
  if (given.files.length === 0) throw new UsageError('name at least one file to check');
  const { checked, unread } = checkAll(given.files, terminal);
  const print = {
    text: () => checkText(checked),
    json: () => `${JSON.stringify({ files: checked }, null, 2)}\n`,
    sarif: () => checkSarif(checked, terminal.cwd, version),
    github: () => checkGithub(checked),
  };
  // With nothing read there is nothing to report, and an empty report would look like a clean one.
  if (checked.length > 0) terminal.out(print[format]());
  if (unread > 0) return EXIT.usage;
  const { errors, warnings } = totalsOf(checked);
  return errors > 0 || warnings > maxWarnings ? EXIT.findings : EXIT.fine;
}

export const checkCommand: Command = { name: 'check', summary: 'findings of config files', help: HELP, run };
