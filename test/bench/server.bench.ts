import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { startPeer, type Peer } from './lsp-peer';
import { against, percentile, rounded, type Row } from './rows';

const ROOT = process.env['SHARDLENS_ROOT'] ?? process.cwd();
const OURS = [path.join(ROOT, 'dist/server.js'), '--stdio'];
const THEIRS = [path.join(ROOT, 'node_modules/yaml-language-server/bin/yaml-language-server'), '--stdio'];
const PEER = 'yaml-language-server';
/** Documents of this folder are open only, never on disk. */
const FOLDER = pathToFileURL(path.join(tmpdir(), 'shardlens-bench')).toString();

const STARTS = 7;
const WARM_EDITS = 20;
const EDITS = 200;
/** Their fixed delay of 200 ms makes every edit slow, so fewer must do. */
const PEER_EDITS = 40;
const ASKS = 60;
const GROWTH_EDITS = 2000;

const SAMPLE = readFileSync(path.join(ROOT, 'samples/deepseek-v3-2048xH800.shardlens.yaml'), 'utf8');
/** A line whose last digit is typed over; both values are legal numbers, one of them breaks the plan. */
const EDITED = SAMPLE.split('\n').findIndex((line) => line.trim() === 'pipeline: 16');
const COLUMN = (SAMPLE.split('\n')[EDITED] ?? '').length - 1;

/** The sample made longer by what real files are made longer with: comments and settings that concern others. */
function textOf(lines: number): string {
  const filler = Array.from({ length: Math.max(0, lines - SAMPLE.split('\n').length) }, (_, at) =>
    at % 5 === 0
      ? `  # setting ${String(at)} of the launcher`
      : `  setting_${String(at)}: { value: ${String(at)}, tags: [a, b] }`,
  );
  return filler.length === 0 ? SAMPLE : `${SAMPLE}x-launcher:\n${filler.join('\n')}\n`;
}

const SETTINGS = {
  yaml: {
    validate: true,
    hover: true,
    completion: true,
    schemaStore: { enable: false },
    schemas: { [pathToFileURL(path.join(ROOT, 'schemas/shardlens.schema.json')).toString()]: '*.shardlens.yaml' },
  },
};

async function start(command: readonly string[]): Promise<Peer> {
  return startPeer(command, SETTINGS, FOLDER);
}

async function startTimes(command: readonly string[]): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < STARTS; round += 1) {
    const peer = await start(command);
    times.push(peer.startMs);
    await peer.stop();
  }
  return times;
}

/** Milliseconds of single-digit edits, each sent when the answer to the one before has come. */
async function editTimes(peer: Peer, uri: string, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) times.push(await peer.edit(uri, EDITED, COLUMN, at % 2 === 0 ? '5' : '6'));
  return times;
}

/** The same for a character that comes and goes amid the longest section: everything below it moves. */
async function insertTimes(peer: Peer, uri: string, count: number, line: number): Promise<number[]> {
  const times: number[] = [];
  const column = '  setting_'.length;
  for (let at = 0; at < count; at += 1)
    times.push(at % 2 === 0 ? await peer.edit(uri, line, column, '9', 0) : await peer.edit(uri, line, column, '', 1));
  return times;
}

async function askTimes(peer: Peer, method: string, params: object): Promise<number[]> {
  const times: number[] = [];
  for (let at = 0; at < ASKS; at += 1) times.push(await peer.ask(method, params));
  return times.slice(5);
}

function ms(name: string, value: number, goal?: number): Row {
  return { name, value: rounded(value), unit: 'ms', ...(goal === undefined ? {} : { goal }) };
}

/** The same edits and questions to both servers on the same text. */
async function features(lines: number, goal: number | undefined): Promise<Row[]> {
  const ours = await start(OURS);
  const theirs = await start(THEIRS);
  const uri = `${FOLDER}/bench-${String(lines)}.shardlens.yaml`;
  const text = textOf(lines);
  await ours.open(uri, 'yaml', text);
  await theirs.open(uri, 'yaml', text);
  await editTimes(ours, uri, WARM_EDITS);
  await editTimes(theirs, uri, 4);
  const mine = await editTimes(ours, uri, EDITS);
  const other = await editTimes(theirs, uri, PEER_EDITS);
  const what = `keystroke to diagnostics, ${String(lines)} lines`;
  const rows = [
    against(ms(`${what}, p50`, percentile(mine, 0.5)), { name: PEER, value: percentile(other, 0.5) }),
    {
      ...against(ms(`${what}, p95`, percentile(mine, 0.95), goal), { name: PEER, value: percentile(other, 0.95) }),
      atLeast: 10,
    },
    against(ms(`${what}, max`, Math.max(...mine)), { name: PEER, value: Math.max(...other) }),
  ];
  if (lines > 1000) {
    const line = text.split('\n').findIndex((content, at) => at > lines / 2 && content.startsWith('  setting_'));
    const own = await insertTimes(ours, uri, EDITS, line);
    const peer = await insertTimes(theirs, uri, PEER_EDITS, line);
    const row = ms(`inserted amid the longest section, ${String(lines)} lines, p95`, percentile(own, 0.95), goal);
    rows.push({ ...against(row, { name: PEER, value: percentile(peer, 0.95) }), atLeast: 10 });
  }
  const at = { textDocument: { uri }, position: { line: EDITED, character: 4 } };
  const value = { textDocument: { uri }, position: { line: EDITED, character: COLUMN } };
  const asks = [
    ['hover', 'textDocument/hover', at],
    ['completion of a value', 'textDocument/completion', value],
    ['code lens', 'textDocument/codeLens', { textDocument: { uri } }],
  ] as const;
  for (const [name, method, params] of lines === 300 ? asks : []) {
    const own = await askTimes(ours, method, params);
    const peer = await askTimes(theirs, method, params);
    const row = ms(`${name}, ${String(lines)} lines, p95`, percentile(own, 0.95), 10);
    rows.push(against(row, { name: PEER, value: percentile(peer, 0.95) }));
  }
  await ours.stop();
  await theirs.stop();
  return rows;
}

async function memory(): Promise<Row[]> {
  const peer = await start(OURS);
  await sleep(1000);
  const idle = peer.memory();
  for (let at = 0; at < 20; at += 1)
    await peer.open(`${FOLDER}/file-${String(at)}.shardlens.yaml`, 'yaml', textOf(300));
  await sleep(1000);
  const open = peer.memory();
  const uri = `${FOLDER}/file-0.shardlens.yaml`;
  await editTimes(peer, uri, GROWTH_EDITS / 2);
  const half = peer.memory();
  await editTimes(peer, uri, GROWTH_EDITS / 2);
  const end = peer.memory();
  await peer.stop();
  if (idle === undefined || open === undefined || half === undefined || end === undefined) return [];
  const megabytes = (name: string, value: number, goal: number): Row => ({
    name,
    value: rounded(value),
    unit: 'MB',
    goal,
  });
  return [
    megabytes('server memory, idle', idle, 80),
    megabytes('server memory, 20 files of 300 lines', open, 120),
    megabytes('server memory, the same after 2,000 edits', end, 120),
    // The first half lets the heap reach its working size; what grows after that would grow for ever.
    megabytes('server memory, growth over 1,000 further edits', Math.max(0, end - half), 10),
  ];
}

/** The language server as an editor feels it, beside yaml-language-server in the same run. */
export async function run(): Promise<Row[]> {
  const ours = await startTimes(OURS);
  const theirs = await startTimes(THEIRS);
  const started = ms('server start, spawn to initialize answered, median', percentile(ours, 0.5), 150);
  return [
    against(started, { name: PEER, value: percentile(theirs, 0.5) }),
    ...(await features(50, undefined)),
    ...(await features(300, 20)),
    ...(await features(2000, 80)),
    ...(await memory()),
  ];
}
