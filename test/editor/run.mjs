// The mocha suite inside a real VS Code, started by @vscode/test-electron. VSCODE=download or VSCODE=/path/to/code takes a desktop
// VS Code; without it code-server in Chromium stands in, which speaks the same command line.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { runTests } from '@vscode/test-electron';
import { build } from 'esbuild';
import { root } from '../../scripts/install.mjs';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shardlens-suite-'));
const workspace = path.join(folder, 'workspace');
const results = path.join(folder, 'results.json');
// Tests type into the samples, so they get a copy.
cpSync(path.join(root, 'samples'), workspace, { recursive: true });
await build({
  entryPoints: [path.join(root, 'test/editor/index.ts')],
  outfile: path.join(root, 'out/editor/index.js'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  external: ['vscode', 'mocha'],
  target: 'es2022',
  logLevel: 'warning',
});
const vscode = process.env.VSCODE;
let failed = false;
try {
  await runTests({
    ...(vscode === 'download' ? {} : { vscodeExecutablePath: vscode ?? path.join(root, 'scripts/editor/code.mjs') }),
    extensionDevelopmentPath: root,
    extensionTestsPath: path.join(root, 'out/editor/index.js'),
    launchArgs: [
      workspace,
      `--user-data-dir=${path.join(folder, 'data')}`,
      `--extensions-dir=${path.join(folder, 'extensions')}`,
    ],
    extensionTestsEnv: { SHARDLENS_TEST_RESULTS: results },
  });
} catch (error) {
  failed = true;
  console.error(String(error));
}
const tests = existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : [];
rmSync(folder, { recursive: true, force: true });
const passed = tests.filter(({ state }) => state === 'passed').length;
const skipped = tests.filter(({ state }) => state === 'skipped').length;
const broken = tests.length - passed - skipped;
if (skipped > 0) console.log(`${skipped} skipped`);
console.log(`${passed} passed, ${broken} failed`);
process.exitCode = failed || passed === 0 || broken > 0 ? 1 : 0;
