import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sharedJson, sharedPath } from '../shared';
import { analyzeServing } from '../unit/dialects/served';
import { threadRow } from './support/serving-table';
import { TRAINING_THREADS } from './support/training-threads';

const decidable = TRAINING_THREADS.filter(({ finding }) => finding !== undefined);

describe('training threads', () => {
  it.each(decidable.map((entry) => [entry.thread, entry] as const))(
    '%s',
    (_name, { file, text, files, finding, marks }) => {
      const told = analyzeServing(text, files, file).findings;
      expect(told.map(({ severity, rule }) => `${severity} ${rule}`)).toContain(finding);
      const found = told.filter(({ severity, rule }) => `${severity} ${rule}` === finding);
      if (marks !== undefined)
        expect(found.map(({ at }) => (at === undefined ? '' : text.slice(at.span.start, at.span.end)))).toContain(
          marks,
        );
    },
  );

  it('that no file decides are not called wrong', () => {
    const called = TRAINING_THREADS.filter(({ finding }) => finding === undefined).flatMap(
      ({ thread, file, text, files }) =>
        analyzeServing(text, files, file)
          .findings.filter(({ severity }) => severity === 'error')
          .map(({ message }) => `${thread}: ${message}`),
    );
    expect(called).toEqual([]);
  });

  it('tells how many of them a finding would have saved', () => {
    const all = TRAINING_THREADS.length;
    console.log(
      `training threads: ${decidable.length} of ${all} saved (${((100 * decidable.length) / all).toFixed(0)} %)`,
    );
    for (const { thread, because } of TRAINING_THREADS.filter(({ finding }) => finding === undefined))
      console.log(`  ${thread}: ${because ?? ''}`);
    expect(new Set(TRAINING_THREADS.map(({ thread }) => thread)).size).toBe(all);
    expect(decidable.length / all).toBeGreaterThanOrEqual(0.65);
  });

  it.skipIf(sharedPath('research', 'training', 'threads.json') === undefined)(
    'are all of those that were gathered',
    () => {
      const gathered = sharedJson<readonly { repo: string; number: number }[]>('research', 'training', 'threads.json');
      const known = new Set(TRAINING_THREADS.map(({ thread }) => thread));
      expect(gathered.map(({ repo, number }) => `${repo}#${number}`).filter((thread) => !known.has(thread))).toEqual(
        [],
      );
    },
  );

  it('stand in the documentation as they are', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/threads-training.md'), 'utf8');
    const rows = page.split('\n').map((line) => line.replace(/\s+/g, ' ').trim());
    for (const entry of TRAINING_THREADS) expect(rows).toContain(threadRow(entry).replace(/\s+/g, ' ').trim());
    expect(page).toContain(`${decidable.length} of ${TRAINING_THREADS.length}`);
  });
});
