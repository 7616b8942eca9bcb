import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { link, memoryData, NUMERICS, OPTIONS, servingMemoryData } from './data';
import { axeViolations, chromiumPath, colorsOf, settle, startLab } from './harness';
import type { Lab, PanelPage } from './harness';
import { THEME_KINDS } from './themes';

const OVER = '.bars canvas.over';
const view = memoryData();

describe.skipIf(chromiumPath() === undefined)('the memory in Chromium', () => {
  let lab: Lab;
  let open: PanelPage;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.close());

  const show = async (answer = view, options: Parameters<Lab['open']>[1] = {}): Promise<Page> => {
    open = await lab.open('memory', { height: 760, ...options });
    await open.send({ type: 'memory', answer });
    await settle(open.page);
    return open.page;
  };

  it('draws a bar a rank class and opens on the fullest', async () => {
    const page = await show();
    expect(await colorsOf(page, '.bars canvas')).toBeGreaterThan(20);
    expect(await page.locator('.detail h2').textContent()).toBe(view.classes[0]?.label);
    expect(await page.locator('.facts').textContent()).toContain('Fullest rank 86.7 GiB rank 0');
    expect(await page.locator('.facts').textContent()).toContain('256 of 2,048 GPUs too small');
    expect(await page.locator('.summaries').textContent()).toContain(
      '684,531,386,000 elements: F8_E4M3 680.6B, BF16 3.9B, F32 41.6M',
    );
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('goes from a part to its tensors, formula and config lines', async () => {
    const page = await show();
    await page.locator(OVER).focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await settle(page);
    expect(await page.locator('.detail h2').textContent()).toBe(`Weights · ${view.classes[1]?.label}`);
    expect(await page.locator('.detail tbody tr').count()).toBe(2);
    expect(await page.locator('.detail code').first().textContent()).toContain('4 layers × 4 experts');
    await page.getByRole('button', { name: 'expert_parallel' }).click();
    expect(await open.posted()).toContainEqual({ type: 'reveal', link: link('expert_parallel', 9) });
    await page.getByRole('button', { name: 'All parts' }).click();
    expect(await page.locator('.detail tbody tr').count()).toBe(7);
    await page.locator(OVER).focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('detail');
    await open.close();
  });

  it('tries other values with sliders, asks for what they bring, and writes them only when told', async () => {
    const page = await show();
    await page.locator('.trial summary').click();
    await expect.poll(async () => open.posted()).toContainEqual({ type: 'whatIf', values: {} });
    const fields = [
      { field: 'layout.tensor', label: 'TP', own: 1, value: 1, choices: [1, 2, 4, 8] },
      { field: 'recompute.granularity', label: 'Recompute', own: 'none', value: 'none', choices: ['none', 'full'] },
    ];
    const row = {
      label: 'time of a step',
      before: '16.70 s',
      after: '17.19 s',
      change: '+2.9 %',
      tone: 'bad' as const,
    };
    const range = { start: { line: 3, character: 8 }, end: { line: 3, character: 9 } };
    const answer = { uri: view.uri, version: 7, fields, rows: [{ ...row, after: '16.70 s', change: '' }] };
    await open.send({ type: 'whatIf', answer });
    await settle(page);
    await page.getByLabel('TP').focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(async () => open.posted()).toContainEqual({ type: 'whatIf', values: { 'layout.tensor': 2 } });
    const edits = [{ range, newText: '2' }];
    await open.send({ type: 'whatIf', answer: { ...answer, rows: [row], edits } });
    await settle(page);
    expect(await page.locator('.trial tbody').textContent()).toBe('time of a step16.70 s17.19 s+2.9 %');
    expect(await page.locator('.trial-field.changed output').textContent()).toBe('2 now 1');
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Write to file' }).click();
    expect(await open.posted()).toContainEqual({ type: 'apply', view: { version: 7, edits } });
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('names the part under the pointer and selects it by a click', async () => {
    const page = await show();
    const box = await page.locator(OVER).boundingBox();
    await page.locator(OVER).hover({ position: { x: (box?.width ?? 0) * 0.25, y: 34 } });
    await settle(page);
    expect(await page.locator('.tooltip strong').textContent()).toMatch(/^Weights · 13\.9 GiB$/);
    await page.locator(OVER).click({ position: { x: (box?.width ?? 0) * 0.25, y: 34 } });
    await settle(page);
    expect(await page.locator('.detail h2').textContent()).toContain('Weights');
    await open.close();
  });

  it('shows the KV cache of a serving config', async () => {
    const page = await show(servingMemoryData());
    expect(await page.locator('.summaries').textContent()).toContain(
      'KV cache 70,272 B/token · 320,871 tokens fit · 78 requests at full length',
    );
    await open.close();
  });

  it('shows single changes with what they save and cost, open where the plan does not fit', async () => {
    const page = await show({ ...view, options: OPTIONS });
    expect(await page.locator('.fit summary').textContent()).toContain('What would make it fit');
    expect(await page.locator('.fit tbody tr').first().textContent()).toBe(
      'recompute selective → full35.251.5 fitsstep +26 %; a third more compute: every layer runs twice',
    );
    await page.getByRole('button', { name: 'recompute selective → full' }).click();
    expect(await open.posted()).toContainEqual({ type: 'reveal', link: link('recompute', 18) });
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('shows what the number formats do to the numbers', async () => {
    const page = await show({ ...view, numerics: NUMERICS });
    const summary = page.locator('.numerics summary');
    expect(await summary.textContent()).toContain('sums of 7,168 come out 13.10 % low without promotion, 0.07 % with');
    await summary.click();
    expect(await page.locator('.numerics tbody tr').count()).toBe(4);
    expect(await page.locator('.numerics .own').textContent()).toBe('E4M3, 1 × 128 this plan2.53 %0 %');
    expect(await page.locator('.sum-chart').getAttribute('aria-label')).toContain('at 7,168 products by 13.10 %');
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('says what a model alone weighs', async () => {
    const page = await show({ ...view, task: 'model', classes: [], peak: { rank: 0, bytes: 0, classIndex: 0 } });
    expect(await page.locator('.empty').textContent()).toContain('its weights take 641 GiB');
    await open.close();
  });

  it('keeps bar and part over a reload and saves the table', async () => {
    const page = await show();
    await page.locator(OVER).focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 't']) await page.keyboard.press(key);
    await page.waitForTimeout(250);
    expect(await open.state()).toMatchObject({ view: { row: 2, part: 'weights', table: true } });
    await page.reload();
    await page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.send({ type: 'memory', answer: view });
    await settle(page);
    expect(await page.locator('.data-table tr.selected td').first().textContent()).toBe(view.classes[2]?.label);
    await page.getByRole('button', { name: 'Save the picture or its data' }).click();
    await page.getByRole('button', { name: 'Table as CSV' }).click();
    const file = (await open.posted()).find((message) => message.type === 'save');
    expect(file?.text?.split('\r\n')[0]).toBe(
      [
        'Ranks,GPUs',
        ...['Weights', 'Gradients', 'Optimizer', 'Activations', 'Buffers', 'Workspace'].map(
          (part) => `${part} (bytes)`,
        ),
        'Allocated (bytes),Reserved (bytes),Total (bytes)',
      ].join(','),
    );
    await open.close();
  });

  it.each(THEME_KINDS)('passes axe-core in the %s theme', async (theme) => {
    const page = await show(view, { theme });
    await page.locator('summary').first().click();
    await page.locator(OVER).focus();
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    await page.keyboard.press('t');
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });
});
