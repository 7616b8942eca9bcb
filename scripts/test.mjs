// `npm test`: installs what is missing and runs every check. The last line is the plain count over all suites.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import {
  findChromium,
  installCodeServer,
  installEditorNode,
  installProject,
  installVscodeWeb,
  needNode,
  root,
} from './install.mjs';

const started = Date.now();
const out = path.join(root, 'out');
let passed = 0;
let failed = 0;
let skipped = 0;

function bin(name) {
  return path.join(root, 'node_modules/.bin', name);
}

/** Runs one step, its output shown as it comes, and gives back status and output. */
function step(name, command, args, env = {}) {
  const begun = Date.now();
  console.log(`\n── ${name}`);
  return new Promise((resolve) => {
    let output = '';
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0', NO_COLOR: '1', npm_config_nodedir: '', ...env },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk;
        process.stdout.write(chunk);
      });
    }
    child.once('error', (error) => resolve({ status: 1, output: String(error), begun }));
    child.once('exit', (status) => resolve({ status: status ?? 1, output, begun }));
  });
}

/** A check without cases of its own counts as one. */
async function check(name, command, args) {
  const { status, begun } = await step(name, command, args);
  if (status === 0) passed += 1;
  else failed += 1;
  console.log(`${name}: ${status === 0 ? 'passed' : 'failed'} in ${((Date.now() - begun) / 1000).toFixed(1)} s`);
  return status === 0;
}

function count(name, ok, fail, skip, begun, status) {
  // A suite that ran nothing, or broke outside its cases, must not look green.
  const broken = fail === 0 && (status !== 0 || ok === 0) ? 1 : 0;
  passed += ok;
  failed += fail + broken;
  skipped += skip;
  console.log(
    `${name}: ${ok} passed, ${fail + broken} failed${skip > 0 ? `, ${skip} skipped` : ''} in ${((Date.now() - begun) / 1000).toFixed(1)} s`,
  );
}

async function vitest() {
  const report = path.join(out, 'vitest.json');
  rmSync(report, { force: true });
  const { status, begun } = await step('Unit, reference, corpus, protocol and webview tests', bin('vitest'), [
    'run',
    '--reporter=dot',
    '--reporter=json',
    `--outputFile.json=${report}`,
  ]);
  const result = existsSync(report)
    ? JSON.parse(readFileSync(report, 'utf8'))
    : { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, testResults: [] };
  const byFolder = new Map();
  for (const file of result.testResults) {
    const folder = path.relative(path.join(root, 'test'), file.name).split(path.sep)[0];
    const states = file.assertionResults.map(({ status: state }) => state);
    const entry = byFolder.get(folder) ?? { ok: 0, fail: 0, skip: 0 };
    entry.ok += states.filter((state) => state === 'passed').length;
    entry.fail += states.filter((state) => state === 'failed').length;
    entry.skip += states.filter((state) => state !== 'passed' && state !== 'failed').length;
    byFolder.set(folder, entry);
  }
  for (const { name, assertionResults } of result.testResults)
    for (const { fullName, status: state } of assertionResults)
      if (state !== 'passed' && state !== 'failed') console.log(`  skipped: ${path.relative(root, name)}: ${fullName}`);
  for (const [folder, { ok, fail, skip }] of [...byFolder].sort())
    console.log(`  ${folder}: ${ok} passed, ${fail} failed${skip > 0 ? `, ${skip} skipped` : ''}`);
  // Reference and corpus tests may be skipped where their data is missing; the others have no reason to be silent.
  for (const folder of ['unit', 'lsp', 'webview', 'architecture.test.ts']) {
    const { ok = 0, fail = 0 } = byFolder.get(folder) ?? {};
    if (ok + fail > 0) continue;
    failed += 1;
    console.log(`  ${folder}: no test ran`);
  }
  count('vitest', result.numPassedTests, result.numFailedTests, result.numPendingTests, begun, status);
}

async function editor() {
  const { status, output, begun } = await step('Tests inside VS Code', process.execPath, ['test/editor/run.mjs']);
  const [, ok = '0', fail = '0'] = /(\d+) passed, (\d+) failed\s*$/.exec(output.trimEnd()) ?? [];
  const [, skip = '0'] = /^(\d+) skipped$/m.exec(output) ?? [];
  count('inside VS Code', Number(ok), Number(fail), Number(skip), begun, status);
}

/** The browser build in the web host of the oldest VS Code that we support, where there is no server machine behind it. */
async function web() {
  const { status, output, begun } = await step('Tests inside VS Code for the web', process.execPath, [
    'test/editor/web.mjs',
  ]);
  const [, ok = '0', fail = '0'] = /(\d+) passed, (\d+) failed\s*$/.exec(output.trimEnd()) ?? [];
  count('inside VS Code for the web', Number(ok), Number(fail), 0, begun, status);
}

async function walk() {
  const { status, output, begun } = await step('Walk through the packaged extension', process.execPath, [
    'test/editor/walk.mjs',
  ]);
  const [, ok = '0', fail = '0'] = /(\d+) passed, (\d+) failed\s*$/.exec(output.trimEnd()) ?? [];
  count('walk through', Number(ok), Number(fail), 0, begun, status);
}

/** Something that must be there before a suite can run; its absence is a failure of its own, told in one sentence. */
function provide(what, work) {
  try {
    return work();
  } catch (error) {
    failed += 1;
    console.error(`\n${what}: ${error.message}`);
    return undefined;
  }
}

async function inVscode() {
  const server = provide('VS Code', () => installCodeServer(installEditorNode()));
  if (server === undefined) return;
  await editor();
  if (provide('VS Code for the web', installVscodeWeb) !== undefined) await web();
  if (await check('Package', process.execPath, ['scripts/package.mjs'])) await walk();
}

async function everything() {
  const chromium = provide('Chromium', findChromium);
  if (chromium !== undefined) process.env.CHROMIUM = chromium;
  await check('Validators from schemas', process.execPath, ['scripts/generate.mjs']);
  await check('Types', bin('tsc'), ['-b']);
  await check('Lint', bin('eslint'), ['.']);
  await check('Format', bin('prettier'), ['--check', '--log-level', 'warn', '.']);
  const built = await check('Bundles and their sizes', process.execPath, ['esbuild.mjs', '--production']);
  await vitest();
  if (!built) console.log('\nWithout bundles there is nothing to try in VS Code.');
  else if (chromium !== undefined || process.env.VSCODE !== undefined) await inVscode();
}

needNode();
mkdirSync(out, { recursive: true });
if (provide('Packages', () => installProject() ?? true) !== undefined) await everything();
console.log(
  `\n${((Date.now() - started) / 1000).toFixed(0)} s${skipped > 0 ? `, ${skipped} skipped (named above)` : ''}`,
);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
