import type { Analysis } from '../features/analysis';
import { compareAnalyses } from '../features/compare';
import { diffGithub, diffJson, diffMarkdown, diffText, type Diff } from './diff-formats';
import { openFile } from './files';
import { findingRows, hasErrors } from './findings';
import { oneOf, readArguments } from './options';
import { settingsOf } from './plan';
import { EXIT, UsageError, type Command, type ExitCode, type Terminal } from './usage';

const HELP = `shardlens diff OLD NEW [--model M] [--gpu NAME] [--gpus N] [--tokens T --price P --watts W]
               [--format text|json|markdown|github]

What a change of a config does: to memory, pipeline bubble, traffic, time and cost, and which findings come and go.

  --format  text (default), json, markdown (a report for a pull request) or github (annotations of a workflow run)
  --model, --gpu, --gpus, --tokens, --price, --watts  as for "shardlens estimate"

Exit: 0 fine, 1 the new file has findings of severity error, 2 wrong usage or a file that cannot be read.
`;

const FORMATS = { text: diffText, json: diffJson, markdown: diffMarkdown, github: diffGithub } as const;

/** Line of the first changed value that stands in the new file. */
function firstLine(analysis: Analysis, diff: Diff['comparison']): number {
  const starts = diff.changes.flatMap(({ value }) =>
    value?.at === undefined || value.at.uri !== undefined ? [] : [(value.at.keySpan ?? value.at.span).start],
  );
  return starts.length === 0 ? 0 : analysis.lines.positionAt(Math.min(...starts)).line;
}

function run(args: readonly string[], { cwd, out }: Terminal): ExitCode {
  const given = readArguments(args, ['model', 'gpu', 'gpus', 'tokens', 'price', 'watts', 'format']);
  const format = oneOf(given, 'format', ['text', 'json', 'markdown', 'github']);
  const [before, after, third] = given.files;
  if (before === undefined || after === undefined) throw new UsageError('name the old and the new file');
  if (third !== undefined) throw new UsageError(`two files are expected, but ${given.files.length} are given`);
  const settings = settingsOf(given);
  const [old, now] = [before, after].map((file) => {
    const { analysis } = openFile(cwd, file, settings);
    if (analysis.dialect === undefined)
      throw new UsageError(`${file} was not recognised as a parallelism, serving or model config`);
    return analysis;
  }) as [Analysis, Analysis];
  const comparison = compareAnalyses(old, now);
  const diff: Diff = {
    before,
    after,
    comparison,
    appeared: findingRows(now, comparison.appeared),
    gone: findingRows(old, comparison.gone),
    line: firstLine(now, comparison),
  };
  out(FORMATS[format](diff));
  return hasErrors(findingRows(now)) ? EXIT.findings : EXIT.fine;
}

export const diffCommand: Command = { name: 'diff', summary: 'what a change costs', help: HELP, run };
