import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import type { PlacementCandidate } from '../../server/src/protocol/placement';
import { link, placementData } from './data';
import { axeViolations, chromiumPath, colorsOf, pictureOf, settle, startLab } from './harness';
import type { Lab, PanelPage } from './harness';
import { THEME_KINDS } from './themes';

const HEAT = '.heatmap canvas.over';
const MAP = '.layer-map canvas.over';
const CELLS = '.layer-map canvas:not(.over)';
const view = placementData({ layers: 58, experts: 256, slots: 288, gpus: 32, nodes: 4, duplicateIn: 9 });

const EVEN = { mean: 0.95, worst: 0.9, sglang: 0.95, vllm: 0.94, tensorrtLlm: 0.05 };
const TRAFFIC = { nodes: 2.7, remoteNodes: 2, gpus: 7, dispatchBytes: 15_000, combineBytes: 28_000 };
const COMPARED: readonly PlacementCandidate[] = [
  {
    policy: 'eplb',
    evenness: EVEN,
    fixed: 0.94,
    lp: 0.96,
    duplicates: 90,
    traffic: TRAFFIC,
    meanOverMax: view.meanOverMax,
  },
  {
    policy: 'optimized-global',
    evenness: { ...EVEN, mean: 0.9991 },
    fixed: 0.91,
    lp: 1,
    duplicates: 0,
    traffic: { ...TRAFFIC, remoteNodes: 2.7, dispatchSeconds: 163e-6 },
    movedSlots: 4000,
    movedBytes: 6e11,
    movedSeconds: 0.44,
    meanOverMax: view.meanOverMax.map(() => 0.999),
  },
  { policy: 'optimized-anchored', refusal: '8 expert groups cannot be split over 3 nodes.' },
];

describe.skipIf(chromiumPath() === undefined)('the placement in Chromium', () => {
  let lab: Lab;
  let open: PanelPage;
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.close());

  const show = async (answer = view, options: Parameters<Lab['open']>[1] = {}): Promise<Page> => {
    open = await lab.open('placement', { height: 760, ...options });
    await open.send({ type: 'placement', answer });
    await settle(open.page);
    return open.page;
  };

  it('opens on the worst layer and draws both maps', async () => {
    const page = await show();
    const worst = view.meanOverMax.indexOf(Math.min(...view.meanOverMax)) + view.firstLayer;
    expect(await page.locator('h2').first().textContent()).toContain(`Layer ${worst} balance`);
    expect(await colorsOf(page, '.heatmap canvas')).toBeGreaterThan(10);
    expect(await colorsOf(page, '.layer-map canvas')).toBeGreaterThan(10);
    expect(await page.locator('.facts').textContent()).toContain('mean/max, mean over layers');
    expect(await page.locator('.facts').textContent()).toContain('Duplicates 1 first in layer 12');
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('chooses a layer by the pointer and by keys', async () => {
    const page = await show();
    await page.locator(HEAT).click({ position: { x: 200, y: 40 } });
    await settle(page);
    expect(await page.locator('h2').first().textContent()).toContain('Layer 4 ');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await settle(page);
    expect(await page.locator('h2').first().textContent()).toContain('Layer 6 ');
    expect(await page.locator('[role=status][aria-live]').textContent()).toMatch(
      /^Layer 6, Balance 0\.\d{3} mean\/max/,
    );
    await page.keyboard.press('w');
    await settle(page);
    const worst = view.meanOverMax.indexOf(Math.min(...view.meanOverMax)) + view.firstLayer;
    expect(await page.locator('h2').first().textContent()).toContain(`Layer ${worst} `);
    await open.close();
  });

  it('lights the replicas of an expert under the pointer and by keys', async () => {
    const page = await show();
    const dark = await pictureOf(page, MAP);
    await page.locator(MAP).hover({ position: { x: 16, y: 52 } });
    await settle(page);
    expect(await page.locator('.tooltip strong').textContent()).toMatch(/^Expert \d+ · layer \d+$/);
    expect(await pictureOf(page, MAP)).not.toBe(dark);
    await page.locator(HEAT).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowRight');
    await settle(page);
    expect(await page.evaluate(() => document.activeElement?.closest('.layer-map') !== null)).toBe(true);
    expect(await page.locator('[role=status][aria-live]').textContent()).toContain('of GPU 1, node 0');
    await page.keyboard.press('Escape');
    await page.mouse.move(2, 2);
    await settle(page);
    expect(await pictureOf(page, MAP)).not.toBe('');
    expect(await page.locator('[role=status][aria-live]').textContent()).toBe('');
    await open.close();
  });

  it('asks for another policy and leads to the lines behind its sizes', async () => {
    const page = await show();
    await page.locator('select').selectOption('trivial');
    await page.getByRole('button', { name: /^Slots 288/ }).click();
    const posted = await open.posted();
    expect(posted).toContainEqual({ type: 'request', policy: 'trivial' });
    expect(posted).toContainEqual({ type: 'reveal', link: link('ep_num_redundant_experts', 12) });
    await open.close();
  });

  it('keeps picture and fields while sizes cannot be, so that two can be changed one after the other', async () => {
    const page = await show();
    const gpus = page.getByLabel('GPUs', { exact: true });
    await gpus.fill('64');
    await gpus.press('Enter');
    const reason = '288 slots cannot be split over 64 GPUs; the nearest legal numbers are 256 and 320.';
    await open.send({ type: 'placement', answer: { empty: true, uri: view.uri, reason } });
    await settle(page);
    expect(await page.locator('[role=alert]').textContent()).toContain(reason);
    expect(await gpus.inputValue()).toBe('64');
    expect(await colorsOf(page, '.layer-map canvas')).toBeGreaterThan(10);
    const redundant = page.getByLabel('redundant experts');
    await redundant.fill('64');
    await redundant.press('Enter');
    expect(await open.posted()).toContainEqual({ type: 'request', gpus: 64, redundant: 64 });
    await open.send({ type: 'placement', answer: view });
    await settle(page);
    expect(await page.locator('[role=alert]').count()).toBe(0);
    await open.send({ type: 'placement', answer: { empty: true, uri: 'file:///other.yaml', reason: 'No experts.' } });
    await settle(page);
    expect(await page.locator('canvas').count()).toBe(0);
    await open.close();
  });

  it('has a table twin of the layer and saves all of it', async () => {
    const page = await show();
    await page.getByRole('button', { name: 'Show as table (t)' }).click();
    expect(await page.locator('.data-table tbody tr').count()).toBe(100);
    await page.getByRole('button', { name: 'Next' }).click();
    expect(await page.locator('.pager').textContent()).toContain('101–200 of 288');
    for (const choice of ['All layers as SVG', 'This layer as PNG', 'All slots as CSV']) {
      await page.getByRole('button', { name: 'Save the picture or its data' }).click();
      await page.getByRole('button', { name: choice }).click();
    }
    const files = (await open.posted()).filter((message) => message.type === 'save');
    expect(files.map(({ fileName }) => fileName.replace(/layer-\d+/, 'layer-N'))).toEqual([
      'serving-placement-eplb-layers.svg',
      'serving-placement-eplb-layer-N.png',
      'serving-placement-eplb-slots.csv',
    ]);
    expect(files[2]?.text?.trim().split('\r\n')).toHaveLength(58 * 288 + 1);
    await open.close();
  });

  it('keeps layer and expert over a reload', async () => {
    const page = await show();
    await page.locator(HEAT).click({ position: { x: 200, y: 40 } });
    await page.waitForTimeout(250);
    expect(await open.state()).toMatchObject({ view: { layer: 1 } });
    await page.reload();
    await page.waitForFunction(() => (window as unknown as { posted: unknown[] }).posted.length > 0);
    await open.send({ type: 'placement', answer: view });
    await settle(page);
    expect(await page.locator('h2').first().textContent()).toContain('Layer 4 ');
    await open.close();
  });

  it('draws 320 GPUs, scrolls them, and says when loads are not given', async () => {
    const page = await show(
      placementData({ layers: 58, experts: 256, slots: 320, gpus: 320, nodes: 40, uniform: true }),
      { width: 720 },
    );
    expect(await page.locator('.note', { hasText: 'No loads are given' }).count()).toBe(1);
    await page.locator(MAP).hover({ position: { x: 30, y: 60 } });
    await page.mouse.wheel(0, 300);
    await page.waitForFunction(() => (document.querySelector('.layer-map .stage')?.scrollTop ?? 0) > 100);
    await settle(page);
    expect(await colorsOf(page, '.layer-map canvas')).toBeGreaterThan(5);
    await page.locator(MAP).focus();
    await page.keyboard.press('End');
    await settle(page);
    expect(await page.locator('[role=status][aria-live]').textContent()).toContain('of GPU 319, node 39');
    await open.close();
  });

  it('drags an expert onto another with live balance, keeps it as a change, and undoes it', async () => {
    const page = await show();
    const box = await page.locator(MAP).boundingBox();
    const [x, y] = [(box?.x ?? 0) + 16, (box?.y ?? 0) + 52];
    const before = await page.locator('h2').first().textContent();
    const drawn = await pictureOf(page, CELLS);
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + 130, y, { steps: 3 });
    await settle(page);
    expect(await page.locator('.tooltip strong').textContent()).toMatch(/^Swap experts \d+ and \d+$/);
    expect(await page.locator('.tooltip').textContent()).toMatch(/Balance of the layer 0\.\d{3} → 0\.\d{3}/);
    await page.mouse.up();
    await settle(page);
    expect(await page.locator('p[role=status]').textContent()).toContain('1 change');
    expect(await pictureOf(page, CELLS)).not.toBe(drawn);
    await page.getByRole('button', { name: 'Save the picture or its data' }).click();
    await page.getByRole('button', { name: 'Save placement for SGLang' }).click();
    const saved = (await open.posted()).find((message) => message.type === 'save');
    expect(saved?.fileName).toBe('serving-experts-eplb.json');
    expect(JSON.parse(saved?.text ?? '')).toHaveProperty('physical_to_logical_map.60');
    await page.getByRole('button', { name: 'Undo' }).click();
    await settle(page);
    expect(await page.locator('h2').first().textContent()).toBe(before);
    expect(await pictureOf(page, CELLS)).toBe(drawn);
    expect(await page.locator('p[role=status]').count()).toBe(0);
    await open.close();
  });

  it('swaps by keys, in the text where the placement stands in one', async () => {
    const page = await show({ ...view, policy: 'file', mapUri: 'file:///ws/map.json' });
    await page.locator(MAP).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('m');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await settle(page);
    expect(await page.locator('.tooltip strong').textContent()).toMatch(/^Swap experts/);
    await page.keyboard.press('m');
    const edits = (await open.posted()).flatMap((message) => (message.type === 'edit' ? [message.changes] : []));
    expect(edits.map((changes) => changes.map(({ slot }) => slot))).toEqual([[0, 18]]);
    await page.keyboard.press('z');
    const back = (await open.posted()).flatMap((message) => (message.type === 'edit' ? [message.changes] : []))[1];
    expect(back?.map(({ slot, expert }) => [slot, expert])).toEqual([
      [0, edits[0]?.[1]?.expert],
      [18, edits[0]?.[0]?.expert],
    ]);
    await open.close();
  });

  it('asks for other sizes and takes them back', async () => {
    const page = await show();
    const redundant = page.getByLabel('redundant experts');
    await redundant.fill('64');
    await redundant.press('Tab');
    await page.getByRole('button', { name: 'As in the file' }).click();
    const asked = (await open.posted()).filter(({ type }) => type === 'request');
    expect(asked).toEqual([{ type: 'request', redundant: 64 }, { type: 'request' }]);
    await open.close();
  });

  it('compares placements and shows the one that is chosen', async () => {
    const page = await show();
    await page.getByRole('button', { name: /^Compare with other placements/ }).click();
    expect(await page.locator('.compare').textContent()).toContain('Placing the experts');
    await open.send({ type: 'placement', answer: { ...view, compare: COMPARED } });
    await settle(page);
    expect(await page.locator('.compare tbody tr').count()).toBe(3);
    expect(await page.locator('.compare tbody tr').nth(1).textContent()).toContain('0.999');
    expect(await page.locator('.compare tbody tr').nth(2).textContent()).toContain('cannot be split');
    await page
      .locator('.compare .strip')
      .nth(1)
      .click({ position: { x: 42, y: 5 } });
    await settle(page);
    expect(await page.locator('h2').first().textContent()).toContain('Layer 13 ');
    await page.getByRole('button', { name: 'optimized-global' }).click();
    expect(await open.posted()).toContainEqual({ type: 'request', policy: 'optimized-global', compare: true });
    await open.close();
  });

  it.each(THEME_KINDS)('passes axe-core with the comparison in the %s theme', async (theme) => {
    const page = await show(view, { theme });
    await page.getByRole('button', { name: /^Compare with other placements/ }).click();
    await open.send({ type: 'placement', answer: { ...view, compare: COMPARED } });
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it.each(THEME_KINDS)('passes axe-core in the %s theme', async (theme) => {
    const page = await show(view, { theme });
    await page.locator(MAP).focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('t');
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });
});
