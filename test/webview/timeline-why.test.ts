import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Analysis } from '../../server/src/features/analysis';
import { analyze } from '../../server/src/features/analyze';
import { measuredView } from '../../server/src/features/views/measured';
import { sweepView } from '../../server/src/features/views/sweep';
import { timelineView, traceFile } from '../../server/src/features/views/timeline';
import { triedAnalysis, whatIfView } from '../../server/src/features/views/what-if';
import type { SweepAnswer, TimelineAnswer, TimelineParams } from '../../server/src/protocol/timeline';
import type { WhatIfValue } from '../../server/src/protocol/what-if';
import { axeViolations, chromiumPath, pictureOf, settle, startLab } from './harness';
import type { Lab, PanelPage } from './harness';
import { THEME_KINDS } from './themes';

const OVER = '.stage canvas.over';
const SAMPLE = resolve(import.meta.dirname, '../../samples/deepseek-v3-2048xH800.shardlens.yaml');
// Fewer microbatches: the same parts of the panel, tried in a fraction of the time.
const text = readFileSync(SAMPLE, 'utf8').replace('global: 15360', 'global: 4096');
const input = { uri: 'file:///w/plan.yaml', version: 1, text, settings: { rules: {} }, files: () => null };
const analysis = analyze(input);

function view(params: Omit<TimelineParams, 'uri'> = {}): TimelineAnswer {
  return timelineView(analysis, { uri: analysis.uri, ...params });
}

function swept(): SweepAnswer {
  const work = sweepView(analysis);
  for (let step = work.next(); ; step = work.next()) if (step.done === true) return step.value;
}

describe.skipIf(chromiumPath() === undefined)('why a step takes as long as it does, in Chromium', () => {
  let lab: Lab;
  let open: PanelPage;
  const sweep = swept();
  beforeAll(async () => {
    lab = await startLab();
  });
  afterAll(() => lab.close());

  const show = async (options: Parameters<Lab['open']>[1] = {}): Promise<Page> => {
    open = await lab.open('timeline', { width: 1200, height: 900, ...options });
    await open.send({ type: 'timeline', answer: view() });
    await settle(open.page);
    return open.page;
  };
  const key = async (page: Page, name: string): Promise<void> => {
    await page.locator(OVER).first().focus();
    await page.keyboard.press(name);
    await settle(page);
  };

  it('explains idle time, marks the chain, and opens an overlapped block', async () => {
    const page = await show();
    await key(page, 'w');
    const why = page.locator('.why');
    expect(await why.textContent()).toMatch(/waits for activations \d+\.\d %/);
    expect(await why.textContent()).toMatch(/F&B \d+\.\d %/);
    expect(await why.locator('.overlap g').count()).toBeGreaterThan(30);
    const before = await pictureOf(page, OVER);
    await key(page, 'k');
    expect(await pictureOf(page, OVER)).not.toBe(before);
    expect(await why.locator('input[type=checkbox]').isChecked()).toBe(true);
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('keeps the names of an overlapped block readable in a narrow panel', async () => {
    const page = await show({ width: 560 });
    await key(page, 'w');
    const strip = page.locator('.overlap .strip');
    expect(await strip.evaluate((box) => box.scrollWidth > box.clientWidth)).toBe(true);
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    expect(await axeViolations(page)).toEqual([]);
    await open.close();
  });

  it('tries knobs on demand, can stop, and lays one beside the file’s own schedule', async () => {
    const page = await show();
    await key(page, 'w');
    await page.getByRole('button', { name: 'Try every knob' }).click();
    await page.getByRole('button', { name: 'Stop', exact: true }).click();
    await page.getByRole('button', { name: 'Try every knob' }).click();
    const asked = (await open.posted()).filter(({ type }) => type === 'sweep');
    expect(asked).toEqual([{ type: 'sweep' }, { type: 'sweep', stop: true }, { type: 'sweep' }]);
    await open.send({ type: 'sweep', answer: sweep });
    const batch = page.locator('.knobs tr', { hasText: 'global batch' });
    expect(await batch.textContent()).toMatch(/4096 → 8192−\d+\.\d % a sample/);
    await page.getByRole('button', { name: 'DualPipe → DualPipeV' }).click();
    expect(await open.posted()).toContainEqual({ type: 'compare', ask: { kind: 'dualpipev' } });
    await open.send({ type: 'compare', answer: view({ kind: 'dualpipev', sameWork: true }), label: '' });
    await settle(page);
    expect(await page.locator('.compare-head').nth(1).textContent()).toMatch(/DualPipeV 16 × 32.*\([+−]\d+\.\d %\)/);
    expect(await page.locator('.lanes').count()).toBe(2);
    await page.getByRole('button', { name: 'End the comparison' }).click();
    await settle(page);
    expect(await page.locator('.lanes').count()).toBe(1);
    await open.close();
  });

  it('moves two schedules together', async () => {
    const page = await show();
    await open.send({ type: 'compare', answer: view({ kind: '1f1b', sameWork: true }), label: '' });
    await settle(page);
    const second = '.lanes:nth-of-type(n) canvas[data-layer=base]';
    const last = page.locator(second).last();
    const shot = (): Promise<string> => last.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const before = await shot();
    await key(page, '+');
    expect(await shot()).not.toBe(before);
    await key(page, 'f');
    expect(await shot()).toBe(before);
    await open.close();
  });

  it('draws time against memory and a table that leads to each picture', async () => {
    const page = await show();
    await key(page, 's');
    await open.send({ type: 'sweep', answer: sweep });
    expect(await page.locator('.pareto .mark').count()).toBe('rows' in sweep ? sweep.rows.length : -1);
    expect(await page.locator('.pareto .mark.own').count()).toBe(1);
    await page.locator('.sweep tbody tr').nth(1).click();
    const asked = (await open.posted()).find(({ type }) => type === 'compare');
    expect(asked).toMatchObject({ ask: { microbatches: expect.any(Number) as number } });
    await open.close();
  });

  it('draws values that are tried, keeps the last picture where they cannot run, and takes them back', async () => {
    const page = await show({ height: 1100 });
    const trial = (values: Record<string, WhatIfValue>): TimelineAnswer =>
      timelineView(triedAnalysis(analysis, values), { uri: analysis.uri });
    const asked = async (type: string): Promise<unknown> =>
      (await open.posted()).filter((message) => message.type === type).at(-1);
    await page.locator('.trial summary').click();
    await expect.poll(() => asked('whatIf')).toEqual({ type: 'whatIf', values: {} });
    const reread = (changed: string): Analysis => analyze({ ...input, text: changed });
    await open.send({ type: 'whatIf', answer: whatIfView(analysis, {}, reread) });
    await settle(page);
    const lanes = '.lanes canvas[data-layer=base]';
    const before = await pictureOf(page, lanes);
    const slide = async (key: string, values: Record<string, WhatIfValue>): Promise<void> => {
      await page.getByLabel('PP', { exact: true }).focus();
      await page.keyboard.press(key);
      await expect.poll(() => asked('request')).toEqual({ type: 'request', values });
      await open.send({ type: 'timeline', answer: trial(values) });
      await open.send({ type: 'whatIf', answer: whatIfView(analysis, values, reread) });
      await settle(page);
    };
    await slide('ArrowLeft', { 'layout.pipeline': 8 });
    expect(await page.locator('.trial summary').textContent()).toContain('drawn as tried');
    expect(await page.locator('.facts').first().textContent()).toMatch(/PP 8/);
    expect(await pictureOf(page, lanes)).not.toBe(before);
    expect(await axeViolations(page)).toEqual([]);
    await slide('End', { 'layout.pipeline': 61 });
    expect(await page.locator('.trial .bad').count()).toBe(1);
    expect(await page.locator('.facts').first().textContent()).toMatch(/PP 8/);
    await page.getByRole('button', { name: 'Reset' }).click();
    expect(await asked('request')).toEqual({ type: 'request' });
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('plays the step and stops', async () => {
    const page = await show();
    const still = await pictureOf(page, OVER);
    await key(page, ' ');
    await page.waitForTimeout(120);
    expect(await pictureOf(page, OVER)).not.toBe(still);
    await key(page, ' ');
    expect(await page.locator('.lanes').count()).toBe(1);
    await open.close();
  });

  it('plays compared schedules together, and stops both', async () => {
    const page = await show();
    await open.send({ type: 'compare', answer: view({ kind: '1f1b', sameWork: true }), label: '' });
    await settle(page);
    const second = (): Promise<string> =>
      page
        .locator('.lanes')
        .nth(1)
        .locator('canvas.over')
        .evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
    const still = await second();
    await page.locator('.lanes').first().locator('canvas.over').focus();
    await page.keyboard.press(' ');
    await page.waitForFunction((before) => {
      const canvas = document.querySelectorAll<HTMLCanvasElement>('.lanes canvas.over')[1];
      return canvas !== undefined && canvas.toDataURL() !== before;
    }, still);
    await page.keyboard.press(' ');
    await page.waitForFunction((before) => {
      const canvas = document.querySelectorAll<HTMLCanvasElement>('.lanes canvas.over')[1];
      return canvas?.toDataURL() === before;
    }, still);
    expect(open.faults).toEqual([]);
    await open.close();
  });

  it('asks for a trace and lays a measured run over the plan', async () => {
    const page = await show();
    for (const name of ['Trace for Perfetto', /Lay a measured run/]) {
      await page.getByRole('button', { name: 'Save the picture or its data' }).click();
      await page.getByRole('button', { name }).click();
    }
    const types = (await open.posted()).map(({ type }) => type);
    expect(types).toEqual(expect.arrayContaining(['trace', 'measure']));
    const { text: trace = '' } = traceFile(analysis, { uri: analysis.uri });
    const before = await pictureOf(page, OVER);
    const params = { uri: analysis.uri, fileName: 'run.json', text: trace };
    await open.send({ type: 'measured', answer: measuredView(analysis, params) });
    await settle(page);
    expect(await pictureOf(page, OVER)).not.toBe(before);
    expect(await page.locator('.stale').textContent()).toContain('run.json, in the lower part of every row.');
    await page.getByRole('button', { name: 'Take the measured run away' }).click();
    await settle(page);
    expect(await page.locator('.stale').count()).toBe(0);
    await open.close();
  });

  it.each(THEME_KINDS)('passes axe-core in the %s theme, every part open', async (theme) => {
    const page = await show({ theme });
    await open.send({ type: 'sweep', answer: sweep });
    await key(page, 'w');
    expect(await axeViolations(page)).toEqual([]);
    await key(page, 's');
    await open.send({ type: 'compare', answer: view({ kind: '1f1b', sameWork: true }), label: 'other.yaml' });
    await settle(page);
    expect(await axeViolations(page)).toEqual([]);
    expect(open.faults).toEqual([]);
    await open.close();
  });
});
