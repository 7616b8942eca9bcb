import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import type { FromWebview } from '../../server/src/protocol/panels';
import { link, timelineData } from './data';
import { axeViolations, chromiumPath, colorsOf, pictureOf, settle, startLab } from './harness';
import type { Lab, PanelPage } from './harness';
import { THEME_KINDS } from './themes';

const BASE = '.stage canvas[data-layer=base]';
const OVER = '.stage canvas.over';
const plain = timelineData({ kind: '1f1b', ranks: 4, microbatches: 8, bytes: true });
const dualpipe = timelineData({ kind: 'dualpipe', ranks: 8, microbatches: 20 });

/** Left edge of the time axis and top of rank 0 on the canvas. */
const LEFT = 58;
const TOP = 24;

async function point(page: Page, x: number, y: number): Promise<{ readonly x: number; readonly y: number }> {
  const box = await page.locator(OVER).boundingBox();
  if (box === null) throw new Error('The lanes are not on the page.');
  return { x: box.x + x, y: box.y + y };
}

function saved(messages: readonly FromWebview[]): {
  readonly fileName: string;
  readonly text?: string;
  readonly base64?: string;
} {
  const found = messages.find((message) => message.type === 'save');
  if (found === undefined) throw new Error('Nothing was saved.');
  return found;
}

describe.skipIf(chromiumPath() === undefined)('the timeline in Chromium', () => {
  let lab: Lab;
  let open: PanelPage;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.close());

  const show = async (view = plain, options: Parameters<Lab['open']>[1] = {}): Promise<Page> => {
    open = await lab.open('timeline', options);
    await open.send({ type: 'timeline', answer: view });
    await settle(open.page);
    return open.page;
  };

  it('asks for data and draws lanes, minimap and memory curve', async () => {
    const page = await show(dualpipe);
    expect(await open.posted()).toEqual([{ type: 'ready' }]);
    expect(await colorsOf(page, BASE)).toBeGreaterThan(20);
    expect(await colorsOf(page, '.minimap canvas')).toBeGreaterThan(8);
    expect(await page.locator('h1').textContent()).toBe(dualpipe.title);
    expect(await page.locator('.facts').textContent()).toContain('Bubble 9.1 % idle / T, mean over ranks');
    expect(await page.locator('.formula').first().textContent()).toContain('= 66 exact');
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('names the block under the pointer, what it waits for, and idle time', async () => {
    const page = await show();
    const first = await point(page, LEFT + 4, TOP + 8);
    await page.mouse.move(first.x, first.y);
    await settle(page);
    expect(await page.locator('.tooltip strong').textContent()).toBe('F0 · forward');
    const idle = await point(page, LEFT + 4, TOP + 8 + 34);
    await page.mouse.move(idle.x, idle.y);
    await settle(page);
    expect(await page.locator('.tooltip').textContent()).toContain('Idle · rank 1');
    expect(await page.locator('.tooltip').textContent()).toContain('F0 on rank 0');
    await open.close();
  });

  it('leads from idle time to the block that it waits for, and from the end of a rank to what ends the step', async () => {
    const page = await show();
    const spoken = page.locator('[role=status][aria-live]');
    const idle = await point(page, LEFT + 4, TOP + 8 + 34);
    await page.mouse.click(idle.x, idle.y);
    await settle(page);
    expect(await spoken.textContent()).toMatch(/^F0 · forward, Rank 0/);
    expect(await page.locator('.tooltip strong').textContent()).toBe('F0 · forward');
    const box = await page.locator(OVER).boundingBox();
    const after = await point(page, (box?.width ?? 0) - 80, TOP + 8 + 34);
    await page.mouse.click(after.x, after.y);
    await settle(page);
    expect(await spoken.textContent()).toMatch(/^B7 · backward, Rank 0/);
    await open.close();
  });

  it('moves between blocks by keys alone, speaks them, and leads to the file', async () => {
    const page = await show();
    await page.locator(OVER).focus();
    for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
    await settle(page);
    expect(await page.locator('[role=status][aria-live]').textContent()).toMatch(/^F\d · forward, Rank 1/);
    expect(await page.locator('.tooltip').count()).toBe(1);
    await page.keyboard.press('Enter');
    expect(await open.posted()).toContainEqual({ type: 'reveal', link: link('schedule', 20) });
    await page.keyboard.press('Escape');
    await settle(page);
    expect(await page.locator('[role=status][aria-live]').textContent()).toBe('');
    await open.close();
  });

  it('zooms by wheel, keys and buttons, pans by dragging, and fits again', async () => {
    const page = await show();
    const whole = await pictureOf(page, BASE);
    const middle = await point(page, 400, TOP + 20);
    await page.mouse.move(middle.x, middle.y);
    await page.mouse.wheel(0, -400);
    await page.waitForFunction(
      (before) => document.querySelector<HTMLCanvasElement>('.stage canvas')?.toDataURL() !== before,
      whole,
    );
    const zoomed = await pictureOf(page, BASE);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(true);
    await page.mouse.down();
    await page.mouse.move(middle.x + 80, middle.y, { steps: 4 });
    await page.mouse.up();
    await settle(page);
    expect(await pictureOf(page, BASE)).not.toBe(zoomed);
    await page.locator(OVER).focus();
    await page.keyboard.press('f');
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(false);
    expect(await pictureOf(page, BASE)).toBe(whole);
    await page.getByRole('button', { name: 'Zoom in (+)' }).click();
    await settle(page);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(true);
    await open.close();
  });

  it('shows config lines for its figures and asks for another schedule', async () => {
    const page = await show();
    await page.getByRole('button', { name: 'PP 4' }).click();
    await page.locator('.picker select').selectOption('dualpipev');
    const posted = await open.posted();
    expect(posted).toContainEqual({ type: 'reveal', link: link('pipeline_model_parallel_size', 8) });
    expect(posted).toContainEqual({ type: 'request', kind: 'dualpipev' });
    await open.send({
      type: 'timeline',
      answer: { empty: true, uri: plain.uri, reason: 'DualPipeV needs 2 P microbatches.' },
    });
    await page.getByRole('button', { name: 'Back to the schedule in the file' }).click();
    expect(await open.posted()).toContainEqual({ type: 'request' });
    await open.close();
  });

  it('has a table twin that sorts and selects', async () => {
    const page = await show();
    await page.locator(OVER).focus();
    await page.keyboard.press('t');
    await settle(page);
    expect(await page.locator('.data-table tbody tr').count()).toBe(64);
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('button', { name: 'Start' }).click();
    expect(await page.locator('th[aria-sort=descending]').textContent()).toContain('Start');
    expect(await page.locator('.data-table tbody tr').first().locator('td').nth(1).textContent()).toBe('B');
    await page.locator('.data-table tbody tr').first().click();
    await settle(page);
    expect(await page.locator('.data-table tr.selected').count()).toBe(1);
    await open.close();
  });

  it('keeps its view over a reload, and state even when nobody touched it', async () => {
    const page = await show();
    expect(await open.state()).toEqual({ uri: plain.uri, pinned: false });
    await page.locator(OVER).focus();
    for (const key of ['ArrowRight', 'ArrowDown', '+', '+', 't']) await page.keyboard.press(key);
    await page.getByRole('button', { name: 'Pin to this file' }).click();
    await page.waitForTimeout(250);
    const state = await open.state();
    expect(state).toMatchObject({
      pinned: true,
      view: { table: true, selected: expect.stringMatching(/^1:0:/) as string },
    });
    expect(Number(state?.view?.['zoom'])).toBeCloseTo(2.25, 6);
    expect(JSON.stringify(state).length).toBeLessThan(4096);
    await page.reload();
    await page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.send({ type: 'timeline', answer: plain });
    await settle(page);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(true);
    expect(await page.locator('.data-table').count()).toBe(1);
    expect(await page.getByRole('button', { name: /^Pinned/ }).getAttribute('aria-pressed')).toBe('true');
    expect(await page.locator('[role=status][aria-live]').textContent()).toContain('Rank 1');
    await page.waitForTimeout(250);
    expect(Number((await open.state())?.view?.['zoom'])).toBeCloseTo(2.25, 6);
    await open.close();
  });

  it('asks again for the schedule that was picked before a reload', async () => {
    await show(plain, { state: { uri: plain.uri, pinned: false, view: { kind: 'dualpipe' } } });
    expect(await open.posted()).toContainEqual({ type: 'request', kind: 'dualpipe' });
    await open.close();
  });

  it('saves the picture as SVG and PNG and the blocks as CSV', async () => {
    const page = await show(dualpipe);
    const save = async (choice: string): Promise<ReturnType<typeof saved>> => {
      await page.evaluate(() => void ((window as unknown as { posted: unknown[] }).posted.length = 0));
      await page.getByRole('button', { name: 'Save the picture or its data' }).click();
      await page.getByRole('button', { name: choice }).click();
      return saved(await open.posted());
    };
    const svg = await save('Picture as SVG');
    expect(svg.fileName).toBe('deepseek-v3.shardlens-schedule-dualpipe.svg');
    const parsed = await page.evaluate((text) => {
      const root = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
      return {
        name: root.nodeName,
        texts: [...root.querySelectorAll('text')].map((node) => node.textContent),
        patterns: root.querySelectorAll('pattern').length,
      };
    }, svg.text ?? '');
    expect(parsed.name).toBe('svg');
    // Every block shows its microbatch, and an overlapped block two: 20 microbatches x (F and B) x 8 ranks, plus those whose backward is split.
    expect(parsed.texts.filter((text) => /^[FBIW]?\d\d?$/.test(text ?? '')).length).toBeGreaterThan(320);
    expect(parsed.patterns).toBeGreaterThan(5);
    // The file stands alone: its legend says what colours and shades mean.
    expect(parsed.texts).toEqual(expect.arrayContaining(['F forward', 'idle']));
    expect(parsed.texts.some((text) => text?.startsWith('light: › enters at rank 0') === true)).toBe(true);
    const png = await save('Picture as PNG');
    expect(
      Buffer.from(png.base64 ?? '', 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
    const csv = await save('Blocks as CSV');
    expect(csv.text?.split('\r\n')[0]).toBe('Rank,Kind,Stage,Microbatch,Enters at rank,Start,End,Length');
    await open.close();
  });

  it('follows the theme while it is shown', async () => {
    const page = await show();
    const light = await pictureOf(page, BASE);
    await open.setTheme('dark');
    expect(await pictureOf(page, BASE)).not.toBe(light);
    await open.setTheme('light');
    expect(await pictureOf(page, BASE)).toBe(light);
    await open.close();
  });

  it('says what is stale and what is missing', async () => {
    const page = await show({ ...plain, stale: 'Line 12 does not parse.' });
    expect(await page.locator('.stale').textContent()).toContain('Line 12 does not parse.');
    await open.send({
      type: 'timeline',
      answer: { empty: true, uri: plain.uri, reason: 'This plan has no pipeline.' },
    });
    expect(await page.locator('.empty').textContent()).toBe('This plan has no pipeline.');
    await open.close();
  });

  it('scrolls more ranks than fit and leaves the plain wheel to that', async () => {
    const page = await show(timelineData({ kind: '1f1b', ranks: 64, microbatches: 64 }));
    const at = await point(page, 300, TOP + 40);
    await page.mouse.move(at.x, at.y);
    const before = await pictureOf(page, BASE);
    await page.mouse.wheel(0, 120);
    await page.waitForFunction(() => (document.querySelector('.stage')?.scrollTop ?? 0) > 50);
    await settle(page);
    expect(await pictureOf(page, BASE)).not.toBe(before);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(false);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -200);
    await page.keyboard.up('Control');
    await settle(page);
    expect(await page.locator('.minimap-frame').isVisible()).toBe(true);
    await open.close();
  });

  it.each(THEME_KINDS)('passes axe-core in the %s theme, with table and keys open too', async (theme) => {
    const page = await show(dualpipe, { theme });
    await page.locator('summary', { hasText: 'assumed' }).click();
    await page.locator(OVER).focus();
    await page.keyboard.press('t');
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    await page.keyboard.press('?');
    await settle(page);
    expect(await page.locator('dialog').isVisible()).toBe(true);
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });
});
