import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import type { Browser, Page } from 'playwright-core';
import type { ThemeKind } from '../../client/webview/kit/palette';
import type { FromWebview, PanelKind, PanelState, ToWebview } from '../../server/src/protocol/panels';
import { HOST_THEMES } from './themes';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const NONCE = 'abcdefgh12345678';

/** Where Chromium is, or undefined: then the suites skip with a line that says so. */
export function chromiumPath(): string | undefined {
  return existsSync(CHROMIUM) ? CHROMIUM : undefined;
}

export interface Lab {
  /** A fresh page that plays VS Code's side of one panel. */
  readonly open: (panel: PanelKind, options?: OpenOptions) => Promise<PanelPage>;
  /** Bytes of the minified script of a panel. */
  readonly scriptBytes: (panel: PanelKind) => number;
  readonly close: () => Promise<void>;
}

export interface OpenOptions {
  readonly theme?: ThemeKind;
  readonly width?: number;
  readonly height?: number;
  readonly scale?: number;
  readonly state?: PanelState;
}

export interface PanelPage {
  readonly page: Page;
  readonly send: (message: ToWebview) => Promise<void>;
  readonly posted: () => Promise<readonly FromWebview[]>;
  readonly state: () => Promise<PanelState | undefined>;
  readonly setTheme: (theme: ThemeKind) => Promise<void>;
  /** Errors and content-security violations seen so far. */
  readonly faults: readonly string[];
  readonly close: () => Promise<void>;
}

const KINDS: readonly PanelKind[] = ['timeline', 'placement', 'memory'];

/** Scripts and styles as the product ships them, kept in memory. */
async function bundle(): Promise<ReadonlyMap<string, Uint8Array>> {
  const root = resolve(import.meta.dirname, '../../client/webview');
  const entryPoints = KINDS.map((kind) => ({ in: resolve(root, kind, 'main.tsx'), out: kind }));
  const result = await build({
    entryPoints,
    bundle: true,
    minify: true,
    write: false,
    outdir: '/bundle',
    format: 'iife',
    target: 'chrome114',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  });
  return new Map(result.outputFiles.map((file) => [file.path.slice(file.path.lastIndexOf('/') + 1), file.contents]));
}

/** The page's side of `acquireVsCodeApi`; the state outlives a reload as it does in VS Code. */
function bootScript(theme: ThemeKind, state: PanelState | undefined): string {
  const { classes, variables } = HOST_THEMES[theme];
  return `
    window.posted = [];
    const given = ${JSON.stringify(state ?? null)};
    if (given && !sessionStorage.getItem('state')) sessionStorage.setItem('state', JSON.stringify(given));
    window.acquireVsCodeApi = () => ({
      postMessage: (message) => window.posted.push(message),
      getState: () => JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined,
      setState: (next) => sessionStorage.setItem('state', JSON.stringify(next)),
    });
    window.applyTheme = (theme) => {
      document.documentElement.removeAttribute('style');
      for (const [name, value] of Object.entries(theme.variables)) document.documentElement.style.setProperty(name, value);
      document.body.className = theme.classes.join(' ');
    };
    window.applyTheme(${JSON.stringify({ classes, variables })});`;
}

function html(panel: PanelKind, theme: ThemeKind, state: PanelState | undefined): string {
  return `<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Shardlens</title>
<link rel="stylesheet" href="/${panel}.css"></head><body><div id="root"></div>
<script nonce="${NONCE}">${bootScript(theme, state)}</script><script nonce="${NONCE}" src="/${panel}.js"></script></body></html>`;
}

interface Site {
  readonly origin: string;
  readonly close: () => Promise<void>;
}

function serve(files: ReadonlyMap<string, Uint8Array>): Promise<Site> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const name = url.pathname.slice(1);
    const file = files.get(name);
    if (file !== undefined) {
      response.setHeader('content-type', name.endsWith('.css') ? 'text/css' : 'text/javascript');
      response.end(file);
      return;
    }
    const origin = `http://${request.headers.host ?? ''}`;
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; style-src ${origin}; script-src 'nonce-${NONCE}'`,
    );
    response.setHeader('content-type', 'text/html');
    const state = url.searchParams.get('state');
    const theme = (url.searchParams.get('theme') ?? 'light') as ThemeKind;
    response.end(html(name as PanelKind, theme, state === null ? undefined : (JSON.parse(state) as PanelState)));
  });
  return new Promise((done) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      done({
        origin: `http://127.0.0.1:${port}`,
        close: () => new Promise((closed) => void server.close(() => closed())),
      });
    });
  });
}

async function openPanel(browser: Browser, site: Site, panel: PanelKind, options: OpenOptions): Promise<PanelPage> {
  const context = await browser.newContext({
    viewport: { width: options.width ?? 1000, height: options.height ?? 640 },
    deviceScaleFactor: options.scale ?? 1,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text());
  });
  const query = new URLSearchParams({ theme: options.theme ?? 'light' });
  if (options.state !== undefined) query.set('state', JSON.stringify(options.state));
  await page.goto(`${site.origin}/${panel}?${query.toString()}`);
  // The panel says when it listens; a host that speaks earlier is not heard.
  await page.waitForFunction(() =>
    (window as unknown as { posted: FromWebview[] }).posted.some((message) => message.type === 'ready'),
  );
  return {
    page,
    faults,
    send: async (message) => {
      await page.evaluate((data) => window.postMessage(data, '*'), message);
      await settle(page);
    },
    posted: () => page.evaluate(() => (window as unknown as { posted: FromWebview[] }).posted),
    state: () => page.evaluate(() => JSON.parse(sessionStorage.getItem('state') ?? 'null') as PanelState | undefined),
    setTheme: async (theme) => {
      await page.evaluate(
        (next) => (window as unknown as { applyTheme: (theme: unknown) => void }).applyTheme(next),
        HOST_THEMES[theme],
      );
      await settle(page);
    },
    close: () => context.close(),
  };
}

/** Two frames: effects have run and the picture has been painted. */
export async function settle(page: Page): Promise<void> {
  await page.evaluate(
    () =>
      new Promise<void>(
        (done) => void setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(() => done())), 20),
      ),
  );
}

export async function startLab(): Promise<Lab> {
  const files = await bundle();
  const [site, browser] = await Promise.all([serve(files), chromium.launch({ executablePath: CHROMIUM, args: FLAGS })]);
  return {
    open: (panel, options = {}) => openPanel(browser, site, panel, options),
    scriptBytes: (panel) => files.get(`${panel}.js`)?.length ?? 0,
    close: async () => {
      await browser.close();
      await site.close();
    },
  };
}

/** How many different colours a canvas shows inside a rectangle of it (CSS pixels): 1 is blank. */
export function colorsOf(page: Page, selector: string): Promise<number> {
  return page.evaluate((css) => {
    const canvas = document.querySelector<HTMLCanvasElement>(css);
    const context = canvas?.getContext('2d');
    if (canvas === null || context === null || context === undefined) return 0;
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const seen = new Set<number>();
    for (let at = 0; at < data.length; at += 4) {
      seen.add(((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0));
    }
    return seen.size;
  }, selector);
}

/** A short fingerprint of what a canvas shows: equal pictures give equal texts. */
export function pictureOf(page: Page, selector: string): Promise<string> {
  return page.evaluate((css) => document.querySelector<HTMLCanvasElement>(css)?.toDataURL() ?? '', selector);
}

/** Violations that axe-core finds on the page as it is now, one line each. */
export async function axeViolations(page: Page): Promise<readonly string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  // Through the debugger's own evaluation, which the page's content-security policy does not bind.
  await page.evaluate(source);
  return page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' | ')}`);
  });
}
