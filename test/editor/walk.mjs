// Installs the packaged extension into a fresh VS Code and walks through it as a person would, in four themes; pictures go to out/shots/.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { launchBrowser } from '../../scripts/editor/browser.mjs';
import { startCodeServer } from '../../scripts/editor/code-server.mjs';
import { installExtension } from '../../scripts/editor/install-extension.mjs';
import { root } from '../../scripts/install.mjs';

const THEMES = [
  ['dark', 'Default Dark Modern'],
  ['light', 'Default Light Modern'],
  ['hc-dark', 'Default High Contrast'],
  ['hc-light', 'Default High Contrast Light'],
].filter(([name]) => process.env.THEME === undefined || process.env.THEME === name);
const WAIT = { timeout: 40_000 };
const shots = path.join(root, 'out/shots');
const outcomes = [];

async function attempt(name, body) {
  try {
    await body();
    outcomes.push(true);
    console.log(`  ok      ${name}`);
  } catch (error) {
    outcomes.push(false);
    console.error(`  failed  ${name}: ${error.stack ?? error}`);
  }
}

/** The page inside a webview tab that shows `heading`. */
function panel(page) {
  return page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
}

async function openFile(page, server, workspace, ...parts) {
  await page.keyboard.press('Escape');
  await page.goto(server.url(workspace, [['openFile', server.remote(path.join(workspace, ...parts))]]));
  await page.locator('.monaco-editor .view-lines').first().waitFor(WAIT);
}

async function palette(page, command) {
  await page.keyboard.press('F1');
  await page.locator('.quick-input-widget input').fill(`>${command}`);
  await page.locator('.quick-input-list .monaco-list-row').filter({ hasText: command }).first().click();
}

/** How many different colours a canvas shows: a blank one shows one. */
async function coloursOf(canvas) {
  return canvas.evaluate((element) => {
    const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
    const seen = new Set();
    for (let at = 0; at < data.length; at += 4 * 97) seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    return seen.size;
  });
}

async function text(page, server, workspace, theme) {
  await attempt(`${theme}: hover answers with GiB`, async () => {
    await openFile(page, server, workspace, 'deepseek-v3-2048xH800.shardlens.yaml');
    await page.locator('.codelens-decoration a').first().waitFor(WAIT);
    const word = page
      .locator('.view-line span')
      .filter({ hasText: /^\s*pipeline/ })
      .first();
    await word.hover();
    const hover = page.locator('.monaco-hover:visible').filter({ hasText: 'GiB' });
    await hover.first().waitFor(WAIT);
    assert.match(await hover.first().innerText(), /\d of \d+(?:\.\d)? GiB/);
    await page.screenshot({ path: path.join(shots, `${theme}-hover.png`) });
  });
  await attempt(`${theme}: status bar names model and GPUs`, async () => {
    const item = page.locator('.statusbar-item').filter({ hasText: 'H800' });
    await item.first().waitFor(WAIT);
    assert.match(await item.first().innerText(), /2,048/);
  });
}

async function panels(page, server, workspace, theme) {
  for (const [command, name] of [
    ['Open Pipeline Timeline', 'timeline'],
    ['Open Expert Placement', 'placement'],
    ['Open Memory Breakdown', 'memory'],
  ]) {
    await attempt(`${theme}: ${name} draws`, async () => {
      await openFile(page, server, workspace, 'deepseek-v3-2048xH800.shardlens.yaml');
      await page.locator('.codelens-decoration a').first().waitFor(WAIT);
      await page.locator('.statusbar-item').filter({ hasText: 'H800' }).first().waitFor(WAIT);
      await page.locator('.view-line').first().click();
      await palette(page, command);
      const canvas = panel(page).locator('canvas').first();
      await canvas.waitFor(WAIT);
      let colours = 0;
      for (let round = 0; round < 100 && colours < 4; round += 1) {
        await page.waitForTimeout(100);
        colours = await coloursOf(canvas);
      }
      assert.ok(colours >= 4, `${name} shows ${colours} colours`);
      await page.screenshot({ path: path.join(shots, `${theme}-${name}.png`) });
    });
  }
  await attempt(`${theme}: a panel is drawn again after a window reload`, async () => {
    await page.reload();
    const canvas = panel(page).locator('canvas').first();
    await canvas.waitFor(WAIT);
    let colours = 0;
    for (let round = 0; round < 150 && colours < 4; round += 1) {
      await page.waitForTimeout(100);
      colours = await coloursOf(canvas);
    }
    assert.ok(colours >= 4, `the restored panel shows ${colours} colours`);
  });
}

async function problems(page, server, workspace, theme) {
  await attempt(`${theme}: a broken sample has a squiggle and a problem`, async () => {
    await openFile(page, server, workspace, 'broken', 'heads.shardlens.yaml');
    await page.locator('.squiggly-error').first().waitFor(WAIT);
    await page.keyboard.press('Control+Shift+M');
    const row = page.locator('.markers-panel-container .monaco-list-row').filter({ hasText: 'shardlens' });
    await row.first().waitFor(WAIT);
    await page.screenshot({ path: path.join(shots, `${theme}-problems.png`) });
    assert.match(await row.first().innerText(), /64|24/);
  });
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'shardlens-walk-'));
mkdirSync(shots, { recursive: true });
const extensionsDir = path.join(folder, 'extensions');
installExtension(path.join(root, 'dist/shardlens.vsix'), extensionsDir);
const browser = await launchBrowser();
try {
  for (const [theme, title] of THEMES) {
    console.log(theme);
    const workspace = path.join(folder, theme);
    cpSync(path.join(root, 'samples'), workspace, { recursive: true });
    const server = await startCodeServer({ extensionsDir, settings: { 'workbench.colorTheme': title } });
    const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
    try {
      await text(page, server, workspace, theme);
      await panels(page, server, workspace, theme);
      await problems(page, server, workspace, theme);
    } finally {
      await page.close();
      await server.stop();
    }
  }
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
const passed = outcomes.filter(Boolean).length;
console.log(`${passed} passed, ${outcomes.length - passed} failed`);
process.exitCode = passed === outcomes.length && passed > 0 ? 0 : 1;
