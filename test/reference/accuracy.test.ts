import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { describeShared } from '../shared';
import { accuracyPage } from './support/accuracy-page';
import { throughputPlot } from './support/accuracy-plot';

const docs = (name: string): string => resolve(import.meta.dirname, '../../docs', name);

describeShared('the accuracy page', ['truth', 'measured-training.json'], () => {
  const page = accuracyPage();
  // `npm run accuracy` writes both files; here they must say what the rows say now.
  it('is the one committed', async () => {
    await expect(page).toMatchFileSnapshot(docs('accuracy.md'));
  });
  it('has the plot committed', async () => {
    await expect(throughputPlot()).toMatchFileSnapshot(docs('throughput.svg'));
  });
  it('holds numbers only', () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page.split('\n').length).toBeGreaterThan(600);
  });
});
