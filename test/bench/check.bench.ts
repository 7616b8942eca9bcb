import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startPeer } from './lsp-peer';
import { rounded, type Row } from './rows';

const ROOT = process.env['SHARDLENS_ROOT'] ?? process.cwd();
const SHARED = process.env['SHARDLENS_SHARED'] ?? path.resolve(ROOT, '../shared');
const CORPUS = path.join(SHARED, 'corpus');
const THEIRS = [path.join(ROOT, 'node_modules/yaml-language-server/bin/yaml-language-server'), '--stdio'];
const SETTINGS = { yaml: { validate: true, schemaStore: { enable: false }, maxItemsComputed: 0 } };

function corpus(pattern: RegExp): string[] {
  return readdirSync(CORPUS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name) && entry.name !== 'index.json')
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Seconds of one `shardlens check` over the files, start of the process included. */
function checkSeconds(files: readonly string[]): number {
  const begun = performance.now();
  try {
    execFileSync(process.execPath, [path.join(ROOT, 'dist/cli.js'), 'check', '--format', 'json', ...files], {
      stdio: ['ignore', 'ignore', 'pipe'],
      maxBuffer: 2 ** 26,
    });
  } catch (error) {
    // Findings end with status 1, which is an answer; everything else is a failure of the measurement.
    if ((error as { status?: number }).status !== 1) throw error;
  }
  return (performance.now() - begun) / 1000;
}

/** Seconds until a language server has told the diagnostics of every file, all of them opened at once; its start is not counted. */
async function peerSeconds(files: readonly string[]): Promise<number> {
  const peer = await startPeer(THEIRS, SETTINGS, pathToFileURL(CORPUS).toString());
  const texts = files.map((file) => ({ uri: pathToFileURL(file).toString(), text: readFileSync(file, 'utf8') }));
  const begun = performance.now();
  await Promise.all(texts.map(({ uri, text }) => peer.open(uri, 'yaml', text)));
  const seconds = (performance.now() - begun) / 1000;
  await peer.stop();
  return seconds;
}

/** Files a second over the whole corpus, and over its YAML part beside a language server that validates YAML alone. */
export async function run(): Promise<Row[]> {
  if (!existsSync(CORPUS)) {
    console.error('check: ../shared/corpus is not there; nothing was measured.');
    return [];
  }
  const all = corpus(/\.(?:ya?ml|json|toml|sh)$/);
  const yaml = corpus(/\.ya?ml$/);
  const perSecond = (files: readonly string[], seconds: number): number => rounded(files.length / seconds);
  const mine = perSecond(yaml, checkSeconds(yaml));
  const theirs = perSecond(yaml, await peerSeconds(yaml));
  return [
    {
      name: `check, the whole corpus (${String(all.length)} files)`,
      value: perSecond(all, checkSeconds(all)),
      unit: 'files/s',
    },
    {
      name: `check, its YAML (${String(yaml.length)} files)`,
      value: mine,
      unit: 'files/s',
      peer: { name: 'yaml-language-server, syntax alone', value: theirs },
      ratio: rounded(mine / theirs),
    },
  ];
}
