import { analyzeServing } from '../../unit/dialects/served';
import type { ServingThread } from './serving-thread';

/** Address of a thread on GitHub. */
export function threadUrl({ thread, kind }: ServingThread): string {
  const [repository, number] = thread.split('#');
  return `https://github.com/${repository ?? ''}/${kind === 'pull' ? 'pull' : 'issues'}/${number ?? ''}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ').trim();
}

/** The line of the config that the finding stands in; the first line that says something where it stands nowhere. */
function lineOf({ text }: ServingThread, start: number | undefined): string {
  const lines = text.split('\n');
  if (start === undefined) return lines.find((line) => !/^#|^$/.test(line)) ?? '';
  return lines[text.slice(0, start).split('\n').length - 1] ?? '';
}

/** One row of the table in docs/threads.md: the thread, what went wrong, the line, and what is said about it. */
export function threadRow(entry: ServingThread): string {
  const { text, files, file, finding, symptom, because } = entry;
  const link = `[${entry.thread}](${threadUrl(entry)})`;
  const told = analyzeServing(text, files, file).findings.filter(
    ({ severity, rule }) => `${severity} ${rule}` === finding,
  );
  const line = lineOf(entry, told[0]?.at?.span.start);
  const rule = finding?.split(' ')[1] ?? '';
  const said = finding === undefined ? `— ${because ?? ''}` : `[${rule}](rules/${rule}.md): ${told[0]?.message ?? ''}`;
  return `| ${link} | ${cell(symptom)} | \`${cell(line)}\` | ${cell(said)} |`;
}

/** The whole page docs/threads.md. */
export function threadsPage(threads: readonly ServingThread[]): string {
  const saved = threads.filter(({ finding }) => finding !== undefined).length;
  return `# Launches that failed in public

## Serving

${threads.length} threads about servers that did not start, or did not do what was asked. Each is rebuilt as small as it fails
(\`test/reference/support/serving-threads*.ts\`); the table says which line is marked and what is said about it. **${saved} of ${threads.length}
would have been saved before the launch**; for the others the last column says why no file decides them. The shapes of the models are those
that the threads name; where a thread gives an error message only, the smallest config that brings it stands for it.

| thread | what went wrong | line | finding |
| --- | --- | --- | --- |
${threads.map(threadRow).join('\n')}

The threads about training stand in [threads-training.md](threads-training.md).
`;
}
