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
