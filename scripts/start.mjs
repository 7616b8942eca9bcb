// `npm start`: installs, builds and opens the product on samples/ in a real VS Code. Alone, from a fresh clone.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { installProject, needNode, root, run } from './install.mjs';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    browser: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(
    'npm start [-- --browser] [-- --port N]\n\nOpens the samples in VS Code: the installed one, else one that is downloaded, else one in the browser.\n--browser  goes straight to the browser; --port N  serves it there.',
  );
  process.exit(0);
}
const samples = path.join(root, 'samples');

function has(command) {
  return spawnSync(process.platform === 'win32' ? 'where' : 'which', [command], { stdio: 'ignore' }).status === 0;
}

/** A desktop VS Code: the installed one, else what @vscode/test-electron can bring; undefined where neither is to be had. */
async function desktopCode() {
  const display = process.platform !== 'linux' || process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  if (values.browser || values.port !== undefined) return undefined;
  if (!display) {
    console.log('There is no display here, so VS Code opens in the browser.');
    return undefined;
  }
  if (has('code')) return 'code';
  console.log('No `code` command is here; asking for a VS Code to download …');
  const { downloadAndUnzipVSCode } = await import('@vscode/test-electron');
  return downloadAndUnzipVSCode({ reporter: { report: () => {}, error: () => {} } }).catch(() => {
    console.log('None could be downloaded; VS Code opens in the browser instead.');
    return undefined;
  });
}

async function openDesktop(code) {
  const data = mkdtempSync(path.join(os.tmpdir(), 'shardlens-start-'));
  console.log('Opening VS Code on samples/. Close its window to end.');
  const args = [`--extensionDevelopmentPath=${root}`, `--user-data-dir=${data}`, '--wait', '--new-window', samples];
  const child = spawn(code, args, { stdio: 'inherit', shell: process.platform === 'win32' });
  await new Promise((resolve) => child.once('exit', resolve));
  rmSync(data, { recursive: true, force: true });
}

/** Something to open an address with, where there is a screen to show it on. */
function opener() {
  if (process.platform === 'darwin') return 'open';
  const screen = process.env.DISPLAY || process.env.WAYLAND_DISPLAY;
  return process.platform === 'linux' && screen && has('xdg-open') ? 'xdg-open' : undefined;
}

async function openBrowser() {
  const { portIsFree, startCodeServer } = await import('./editor/code-server.mjs');
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && !(await portIsFree(port))) {
    console.error(`Port ${port} is in use on this machine; choose another one, or leave --port out to get a free one.`);
    process.exit(2);
  }
  run('node', ['scripts/package.mjs']);
  const extensionsDir = mkdtempSync(path.join(os.tmpdir(), 'shardlens-extensions-'));
  const { installExtension } = await import('./editor/install-extension.mjs');
  installExtension(path.join(root, 'dist/shardlens.vsix'), extensionsDir);
  const server = await startCodeServer({ port, extensionsDir });
  const address = server.url(samples);
  const command = opener();
  console.log(`\nVS Code with Shardlens is ready on samples/ at\n\n  ${address}\n`);
  console.log(`${command === undefined ? 'Open that address in a browser on this machine. ' : ''}Ctrl-C ends it.`);
  // Whether a browser opens or not, the address is above.
  if (command !== undefined)
    spawn(command, [address], { stdio: 'ignore', detached: true })
      .on('error', () => {})
      .unref();
  await new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, resolve);
  });
  await server.stop();
  rmSync(extensionsDir, { recursive: true, force: true });
  console.log('Closed.');
}

if (
  values.port !== undefined &&
  !(/^\d{1,5}$/.test(values.port) && Number(values.port) >= 1 && Number(values.port) < 65536)
) {
  console.error(`--port takes a number from 1 to 65535, not ${values.port}.`);
  process.exit(2);
}
needNode();
installProject();
console.log('Building …');
run('node', ['scripts/generate.mjs']);
run('node', ['esbuild.mjs', '--production']);
if (!existsSync(path.join(root, 'dist/server.js'))) throw new Error('The build left no language server.');
const code = await desktopCode();
if (code === undefined) await openBrowser();
else await openDesktop(code);
