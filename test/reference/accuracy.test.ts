import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { accuracyPage, rowsDigest } from './support/accuracy-page';
import { throughputPlot } from './support/accuracy-plot';

const docs = (name: string): string => resolve(import.meta.dirname, '../../docs', name);

describeShared('the accuracy page', ['truth', 'measured-training.json'], () => {
  const page = accuracyPage();
  // `npm run accuracy` writes both files; here they must say what the rows say now, where these are the rows they were written from.
  const updating = process.env['SHARDLENS_WRITE'] === '1';
  const same = updating || readFileSync(docs('accuracy.md'), 'utf8').includes(`<!-- rows ${rowsDigest()} -->`);
  it.skipIf(!same)('is the one committed', async () => {
    await expect(page).toMatchFileSnapshot(docs('accuracy.md'));
  });
  it.skipIf(!same)('has the plot committed', async () => {
    await expect(throughputPlot()).toMatchFileSnapshot(docs('throughput.svg'));
  });
  it('holds numbers only', () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page.split('\n').length).toBeGreaterThan(600);
  });
});
