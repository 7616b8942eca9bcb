import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { analyzeServing } from '../unit/dialects/served';
import { threadsPage } from './support/serving-table';
import { SERVING_THREADS } from './support/serving-threads';

const decidable = SERVING_THREADS.filter(({ finding }) => finding !== undefined);

describe('serving threads', () => {
  it.each(decidable.map((entry) => [entry.thread, entry] as const))(
    '%s',
    (_name, { file, text, files, finding, marks }) => {
      const told = analyzeServing(text, files, file).findings;
      const found = told.filter(({ severity, rule }) => `${severity} ${rule}` === finding);
      expect(told.map(({ severity, rule }) => `${severity} ${rule}`)).toContain(finding);
      if (marks !== undefined)
        expect(
          found.map(({ at }) => (at === undefined ? '' : text.slice(at.span.start, at.span.end))),
          found.map(({ message }) => message).join('\n'),
        ).toContain(marks);
    },
  );

  it('tells how many of them a finding would have saved', () => {
    const all = SERVING_THREADS.length;
    console.log(
      `serving threads: ${decidable.length} of ${all} saved (${((100 * decidable.length) / all).toFixed(0)} %)`,
    );
    for (const { thread, because } of SERVING_THREADS.filter(({ finding }) => finding === undefined))
      console.log(`  ${thread}: ${because ?? ''}`);
    expect(all).toBeGreaterThanOrEqual(48);
    expect(new Set(SERVING_THREADS.map(({ thread }) => thread)).size).toBe(all);
    expect(decidable.length / all).toBeGreaterThanOrEqual(0.85);
  });

  it('stand in the documentation as they are', () => {
    const file = join(import.meta.dirname, '../../docs/threads.md');
    const page = threadsPage(SERVING_THREADS);
    // Run with UPDATE_DOCS=1 to write the page anew.
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, page);
    expect(readFileSync(file, 'utf8')).toBe(page);
  });
});
