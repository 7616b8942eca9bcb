// Installs the packaged extension into a fresh VS Code and walks through it as a person would; pictures go to out/shots/.
// The whole way in the dark theme, what is drawn in light and both high-contrast themes. THEME=light takes one alone.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { launchBrowser } from '../../scripts/editor/browser.mjs';
import { startCodeServer } from '../../scripts/editor/code-server.mjs';
import { installExtension } from '../../scripts/editor/install-extension.mjs';
import { root } from '../../scripts/install.mjs';

const THEMES = [
  ['dark', 'Default Dark Modern', 'vscode-dark'],
  ['light', 'Default Light Modern', 'vscode-light'],
  ['hc-dark', 'Default High Contrast', 'vscode-high-contrast'],
  ['hc-light', 'Default High Contrast Light', 'vscode-high-contrast-light'],
].filter(([name]) => process.env.THEME === undefined || process.env.THEME === name);
const WAIT = { timeout: 30_000 };
const STATE_KEPT_MS = 8000;
const PLAN = 'deepseek-v3-2048xH800.shardlens.yaml';
const SERVING = 'sglang-deepseek-v3.yaml';
/** Command, heading inside the panel, name of the picture. */
const PANELS = [
  ['Open Pipeline Timeline', 'Pipeline Timeline', 'timeline'],
  ['Open Expert Placement', 'Expert Placement', 'placement'],
  ['Open Memory Breakdown', 'Memory Breakdown', 'memory'],
];
const shots = path.join(root, 'out/shots');
const outcomes = [];

/** One open editor and everything a step needs to act on it. */
class Walk {
  constructor(page, server, workspace, theme, body) {
    Object.assign(this, { page, server, workspace, theme, body, foreign: new Set() });
    page.on('request', (request) => {
      const url = request.url();
      // The webview's own address is answered by its service worker and never leaves the machine.
      if (
        /^(?:https?|wss?):/.test(url) &&
        !url.startsWith(server.base) &&
        !/vscode-resource\.vscode-cdn\.net/.test(url)
      )
        this.foreign.add(url);
    });
  }

  async step(name, work) {
    const begun = Date.now();
    const title = `${this.theme}: ${name}`;
    try {
      await work();
      outcomes.push(true);
      console.log(`  ok      ${title} (${Date.now() - begun} ms)`);
    } catch (error) {
      outcomes.push(false);
      console.error(`  failed  ${title}: ${error.stack ?? error}`);
      await this.shot(`failed-${name.replace(/\W+/g, '-')}`);
    }
  }

  shot(name) {
    return this.page.screenshot({ path: path.join(shots, `${this.theme}-${name}.png`) });
  }

  /** Loads the workbench on a file of the workspace; without one, on what was open before. */
  async load(...parts) {
    const file = path.join(this.workspace, ...parts);
    const payload = parts.length === 0 ? [] : [['openFile', this.server.remote(file)]];
    await this.page.goto(this.server.url(this.workspace, payload));
    await this.page.locator('.monaco-editor .view-lines').first().waitFor(WAIT);
  }

  async palette(command) {
    const input = this.page.locator('.quick-input-widget input');
    const row = this.page.locator('.quick-input-list .monaco-list-row').filter({ hasText: command }).first();
    const choose = async () => {
      await this.focusEditor();
      await this.page.keyboard.press('F1');
      await input.fill(`>Shardlens: ${command}`, { timeout: 4000 });
      await row.click({ timeout: 4000 });
    };
    // A webview that is just loading can take the focus, and the palette closes with it: then it is opened again.
    for (let round = 0; round < 8; round += 1) {
      if (
        await choose().then(
          () => true,
          () => false,
        )
      )
        return;
      await this.page.keyboard.press('Escape');
    }
    await choose();
  }

  /** Puts the cursor into the left editor; files open in the group that has it. */
  async focusEditor() {
    await this.page.locator('.editor-group-container').first().locator('.tab.active').click(WAIT);
  }

  /** Opens a file of the top folder in the left group, as a click in the explorer does. */
  async openFromExplorer(name) {
    await this.focusEditor();
    await this.page.locator('.explorer-folders-view .monaco-list-row').filter({ hasText: name }).first().click(WAIT);
    await this.page
      .locator('.tab.active')
      .filter({ hasText: name.slice(0, 20) })
      .first()
      .waitFor(WAIT);
  }

  /** The page inside the webview that is on screen. */
  panel() {
    return this.page.frameLocator('iframe.webview.ready').frameLocator('iframe#active-frame');
  }

  /** Waits until a canvas of the panel shows more than a background; a blank one has one colour. */
  async drawn() {
    const canvas = this.panel().locator('canvas').first();
    await canvas.waitFor(WAIT);
    let colours = 0;
    const end = Date.now() + WAIT.timeout;
    while (colours < 4 && Date.now() < end) {
      await this.page.waitForTimeout(100);
      colours = await canvas.evaluate((element) => {
        if (element.width === 0 || element.height === 0) return 0;
        const { data } = element.getContext('2d').getImageData(0, 0, element.width, element.height);
        const seen = new Set();
        for (let at = 0; at < data.length; at += 4 * 97)
          seen.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
        return seen.size;
      });
    }
    assert.ok(colours >= 4, `the canvas shows ${colours} colours`);
  }

  heading() {
    return this.panel().locator('h1').first();
  }

  /** Line and column that the status bar tells. */
  async cursor() {
    const text = await this.page
      .locator('.statusbar-item')
      .filter({ hasText: /Ln \d+, Col \d+/ })
      .first()
      .innerText();
    return Number(/Ln (\d+)/.exec(text)[1]);
  }
}

async function text(walk) {
  const { page } = walk;
  await walk.step('a hover answers with GiB', async () => {
    await walk.load(PLAN);
    await page.locator('.codelens-decoration a').filter({ hasText: 'GiB' }).first().waitFor(WAIT);
    const word = page.locator('.view-line span').filter({ hasText: /^\s*pipeline$/ });
    await word.first().hover();
    const hover = page.locator('.monaco-hover:visible').filter({ hasText: 'GiB' });
    await hover.first().waitFor(WAIT);
    assert.match(await hover.first().innerText(), /\d of \d+(?:\.\d)? GiB on rank \d+/);
    await walk.shot('hover');
    await page.mouse.move(700, 980);
  });
  await walk.step('the status bar names model, GPUs and the fullest rank', async () => {
    const item = page.locator('.statusbar-item').filter({ hasText: 'H800' }).first();
    await item.waitFor(WAIT);
    assert.match(await item.innerText(), /DeepSeek-V3 · 2,048 × H800 · .*GiB/);
    const label = await item.locator('a').first().getAttribute('aria-label');
    assert.match(label, /^Shardlens: Shardlens plan, .*GiB/);
  });
}

async function panels(walk) {
  for (const [command, tab, name] of PANELS) {
    await walk.step(`${name} draws`, async () => {
      await walk.palette(command);
      await walk.page.locator('.tab.active').filter({ hasText: tab }).waitFor(WAIT);
      await walk.drawn();
      assert.match(await walk.panel().locator('body').getAttribute('class'), new RegExp(`\\b${walk.body}\\b`));
      await walk.shot(name);
    });
  }
}

async function interplay(walk) {
  const { page } = walk;
  await walk.step('a number leads back to its line', async () => {
    await walk.openFromExplorer(PLAN);
    await page.keyboard.press('Escape');
    await walk.focusEditor();
    await page.keyboard.press('Control+Home');
    const link = walk.panel().locator('button.link').first();
    const field = await link.innerText();
    await link.click(WAIT);
    const end = Date.now() + WAIT.timeout;
    while ((await walk.cursor()) === 1 && Date.now() < end) await page.waitForTimeout(100);
    const lines = readFileSync(path.join(walk.workspace, PLAN), 'utf8').split('\n');
    const line = lines[(await walk.cursor()) - 1] ?? '';
    // A key whose name stands in several places is told with the section before it.
    assert.ok(line.includes(field.split('.').at(-1) ?? field), `${field} led to the line "${line}"`);
  });
  await walk.step('the panel follows the active file, and stays when pinned', async () => {
    await walk.openFromExplorer(SERVING);
    await walk.heading().filter({ hasText: SERVING }).waitFor(WAIT);
    await walk.panel().getByRole('button', { name: 'Pin to this file' }).click();
    await walk.openFromExplorer(PLAN);
    await page.locator('.statusbar-item').filter({ hasText: 'H800' }).first().waitFor(WAIT);
    await page.waitForTimeout(500);
    assert.match(await walk.heading().innerText(), new RegExp(SERVING));
    await walk
      .panel()
      .getByRole('button', { name: /^Pinned/ })
      .click();
    await walk.heading().filter({ hasText: PLAN }).waitFor(WAIT);
  });
  // A window with unsaved text would first ask whether it may go.
  await walk.step('the panel is drawn again after a reload of the window', async () => {
    // In a browser VS Code keeps its state every five seconds, because nothing lasting can be done while a page closes.
    await page.waitForTimeout(STATE_KEPT_MS);
    await walk.load();
    await page.locator('.tab').filter({ hasText: 'Memory Breakdown' }).waitFor(WAIT);
    await walk.drawn();
    assert.match(await walk.heading().innerText(), new RegExp(PLAN));
    await walk.shot('reloaded');
  });
  await walk.step('a picture follows what is typed', async () => {
    const fullest = () => walk.panel().locator('.facts').first().innerText();
    await walk.drawn();
    const before = await fullest();
    await walk.focusEditor();
    await page.keyboard.press('Control+Home');
    const line = page.locator('.view-line').filter({ hasText: /^\s*expert:\s64/ });
    await line.first().click({ ...WAIT, position: { x: 60, y: 8 } });
    await page.keyboard.press('End');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Backspace');
    await page.keyboard.type('32');
    const end = Date.now() + WAIT.timeout;
    while ((await fullest()) === before && Date.now() < end) await page.waitForTimeout(100);
    assert.notEqual(await fullest(), before);
  });
}

async function problems(walk) {
  const { page } = walk;
  await walk.step('a broken sample has a squiggle and a problem', async () => {
    await walk.load('broken', 'heads.shardlens.yaml');
    await page.locator('.squiggly-error').first().waitFor(WAIT);
    await page.locator('.codelens-decoration a').first().waitFor(WAIT);
    await page.keyboard.press('Control+Shift+M');
    const row = page.locator('.markers-panel-container .monaco-list-row').filter({ hasText: 'heads-not-divisible' });
    await row.first().waitFor(WAIT);
    assert.match(await row.first().innerText(), /attention heads 64 cannot be split over tensor 24/);
    await walk.shot('problems');
  });
  await walk.step('a quick fix answers the problem', async () => {
    const problem = page
      .locator('.markers-panel-container .monaco-list-row')
      .filter({ hasText: 'heads-not-divisible' });
    await page
      .locator('.view-line')
      .filter({ hasText: /tensor:\s*24/ })
      .first()
      .click();
    await page.keyboard.press('Control+.');
    const fix = page.locator('.action-widget .monaco-list-row').filter({ hasText: /^Set / });
    await fix.first().waitFor(WAIT);
    await walk.shot('quick-fix');
    await fix.first().click();
    await problem.first().waitFor({ ...WAIT, state: 'detached' });
  });
}

async function walkThrough(browser, folder, extensionsDir, [theme, title, body]) {
  console.log(theme);
  const workspace = path.join(folder, theme);
  cpSync(path.join(root, 'samples'), workspace, { recursive: true });
  const server = await startCodeServer({ extensionsDir, settings: { 'workbench.colorTheme': title } });
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  const walk = new Walk(page, server, workspace, theme, body);
  try {
    await text(walk);
    await panels(walk);
    if (theme === THEMES[0][0]) {
      await interplay(walk);
      await problems(walk);
    }
    await walk.step('nothing was asked of a network', () => {
      assert.deepEqual([...walk.foreign], []);
    });
  } finally {
    await page.close();
    await server.stop();
  }
}

const folder = mkdtempSync(path.join(os.tmpdir(), 'walk-'));
mkdirSync(shots, { recursive: true });
const extensionsDir = path.join(folder, 'extensions');
installExtension(path.join(root, 'dist/shardlens.vsix'), extensionsDir);
const browser = await launchBrowser();
try {
  for (const theme of THEMES) await walkThrough(browser, folder, extensionsDir, theme);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
const passed = outcomes.filter(Boolean).length;
console.log(`${passed} passed, ${outcomes.length - passed} failed`);
process.exitCode = passed === outcomes.length && passed > 0 ? 0 : 1;
