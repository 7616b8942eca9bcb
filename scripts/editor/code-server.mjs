// A real VS Code (code-server) on the loopback address, and a Chromium to look at it.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { installCodeServer, installEditorNode } from '../install.mjs';

const START_MS = 60_000;

/** Settings that keep a fresh editor quiet: no welcome page, no update checks, nothing that asks a network. */
const QUIET = {
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'chat.disableAIFeatures': true,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'extensions.autoUpdate': false,
  'extensions.ignoreRecommendations': true,
  'security.workspace.trust.enabled': false,
  'files.autoSave': 'off',
  'git.enabled': false,
  'editor.minimap.enabled': false,
};

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Whether nobody listens on a port of this machine. */
export function portIsFree(port) {
  return new Promise((resolve) => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

async function waitUntilUp(base, child, log) {
  const end = Date.now() + START_MS;
  while (Date.now() < end && child.exitCode === null) {
    const up = await fetch(`${base}/healthz`).then(
      (response) => response.ok,
      () => false,
    );
    if (up) return;
    await sleep(50);
  }
  throw new Error(`The editor did not start:\n${readFileSync(log, 'utf8')}`);
}

/**
 * Starts the server with a home of its own that is removed again.
 * `settings` go over the quiet ones; `env` reaches the extension host; `driver` lets a test run inside it.
 */
export async function startCodeServer({
  settings = {},
  env = {},
  port,
  userDataDir,
  extensionsDir,
  driver = false,
} = {}) {
  const node = installEditorNode();
  const folder = installCodeServer(node);
  const home = mkdtempSync(path.join(os.tmpdir(), 'shardlens-editor-'));
  const data = userDataDir ?? path.join(home, 'data');
  mkdirSync(path.join(data, 'User'), { recursive: true });
  writeFileSync(path.join(data, 'User/settings.json'), JSON.stringify({ ...QUIET, ...settings }, null, 2));
  const own = port ?? (await freePort());
  const log = path.join(home, 'server.log');
  const output = openSync(log, 'w');
  const flags = [
    ...['--auth', 'none', '--bind-addr', `127.0.0.1:${own}`],
    ...[
      '--disable-telemetry',
      '--disable-update-check',
      '--disable-workspace-trust',
      '--disable-getting-started-override',
      '--ignore-last-opened',
    ],
    // A built workbench reads the extension under test from its address only with this driver on.
    ...(driver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ...[
      '--user-data-dir',
      data,
      '--extensions-dir',
      extensionsDir ?? path.join(home, 'extensions'),
      '--config',
      path.join(home, 'config.yaml'),
    ],
  ];
  const child = spawn(node, [path.join(folder, 'out/node/entry.js'), ...flags], {
    stdio: ['ignore', output, output],
    detached: true,
    env: {
      ...process.env,
      PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`,
      XDG_RUNTIME_DIR: home,
      XDG_DATA_HOME: path.join(home, 'share'),
      XDG_CONFIG_HOME: path.join(home, 'config'),
      // Without a gallery the editor asks no market place.
      EXTENSIONS_GALLERY: JSON.stringify({ serviceUrl: '', itemUrl: '', resourceUrlTemplate: '' }),
      ...env,
    },
  });
  const base = `http://127.0.0.1:${own}`;
  await waitUntilUp(base, child, log);
  return {
    base,
    port: own,
    home,
    log,
    /** Address of the workbench on a folder, with a payload for its start. */
    url: (workspace, payload = []) => {
      const query = new URLSearchParams({
        folder: path.resolve(workspace),
        ...(payload.length > 0 ? { payload: JSON.stringify(payload) } : {}),
      });
      return `${base}/?${query}`;
    },
    /** A file of this machine as the workbench names it. */
    remote: (file) => `vscode-remote://127.0.0.1:${own}${path.resolve(file)}`,
    stop: async () => {
      closeSync(output);
      const gone = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(-child.pid, 'SIGTERM');
        await gone;
      }
      rmSync(home, { recursive: true, force: true });
    },
  };
}
