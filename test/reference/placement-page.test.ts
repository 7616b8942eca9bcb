import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { format, resolveConfig } from 'prettier';
import { expect, it } from 'vitest';
import { describeShared, sharedPath } from '../shared';
import { placementTables } from './support/placement-table';

const PAGE = path.resolve(import.meta.dirname, '../../docs/placement.md');
const MARKS = ['<!-- tables: npm run placement -->', '<!-- end of tables -->'] as const;

/** The page with these tables between its marks. */
async function pageWith(tables: string): Promise<string> {
  const text = readFileSync(PAGE, 'utf8');
  const [from, to] = [text.indexOf(MARKS[0]), text.indexOf(MARKS[1])];
  if (from < 0 || to < from) throw new Error('docs/placement.md has lost the marks around its tables.');
  const next = `${text.slice(0, from + MARKS[0].length)}\n\n${tables}\n${text.slice(to)}`;
  return format(next, { ...(await resolveConfig(PAGE)), filepath: PAGE });
}

describeShared('the tables of the placement page', ['oracles', 'placement', 'loads'], () => {
  it('are what the recordings give', async () => {
    const folder = process.env['SHARDLENS_LOADS'] ?? sharedPath('oracles', 'placement', 'loads') ?? '';
    const page = await pageWith(placementTables(folder));
    // `npm run placement` writes them.
    if (process.env['SHARDLENS_WRITE'] === '1') writeFileSync(PAGE, page);
    expect(readFileSync(PAGE, 'utf8')).toBe(page);
  }, 240_000);
});
