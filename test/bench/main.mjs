// `npm run bench [part of a file name …]`: every test/bench/*.bench.{ts,mjs} in a process of its own, one table, and
// .bench/results.json. Nothing here fails on a slow machine: goals are shown beside the figures, not asserted.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { root } from '../../scripts/install.mjs';

const folder = path.join(root, 'test/bench');
const out = path.join(root, '.bench');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const files = readdirSync(folder)
  .filter((file) => /\.bench\.(?:ts|mjs)$/.test(file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

/** A file finds its neighbours by where it stands, which a bundle would hide from it. */
const inPlace = {
  name: 'in-place',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]test[\\/].*\.(?:ts|mjs)$/ }, ({ path: file }) => ({
      contents: readFileSync(file, 'utf8').replaceAll('import.meta.dirname', JSON.stringify(path.dirname(file))),
      loader: file.endsWith('.ts') ? 'ts' : 'js',
    }));
  },
};

/** A bundle that runs one file and sends its rows to this process. */
async function bundle(file) {
  const target = path.join(out, file.replace(/\.bench\.\w+$/, '.mjs'));
  const own = /^export (?:async )?function run\b/m.test(readFileSync(path.join(folder, file), 'utf8'));
  await build({
    stdin: {
      contents: `import * as suite from './${file}';
        import { runPlanned } from './vitest-bench';
        const rows = ${own ? 'await suite.run()' : 'await runPlanned()'};
        process.send(rows, () => process.exit(0));`,
      resolveDir: folder,
      sourcefile: `run-${file}`,
      loader: 'js',
    },
    outfile: target,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    mainFields: ['module', 'main'],
    plugins: [inPlace],
    alias: { vitest: path.join(folder, 'vitest-bench.ts') },
    // Packages of CommonJS inside an ES module still ask for these.
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
    external: ['playwright-core', 'esbuild'],
    logLevel: 'warning',
  });
  return target;
}

function measure(bundled) {
  return new Promise((resolve) => {
    let rows = [];
    const child = spawn(process.execPath, ['--expose-gc', bundled], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, SHARDLENS_ROOT: root },
    });
    child.on('message', (sent) => {
      rows = sent;
    });
    child.once('exit', (status) => resolve({ rows, status: status ?? 1 }));
  });
}

function figure(value, unit) {
  return `${value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 1 })} ${unit}`;
}

/** What a row is held against, and whether it is met. A goal may also be words, with or without a number after `<=`. */
function verdict({ value, goal, ratio, atLeast, unit }) {
  const parts = [];
  const limit = typeof goal === 'string' ? Number(/<=\s*([\d.]+)/.exec(goal)?.[1] ?? Number.NaN) : (goal ?? Number.NaN);
  if (!Number.isNaN(limit)) parts.push(`${value <= limit ? 'ok  ' : 'MISS'} <= ${figure(limit, unit)}`);
  else if (typeof goal === 'string' && goal !== '') parts.push(goal);
  if (atLeast !== undefined) parts.push(`${ratio >= atLeast ? 'ok  ' : 'MISS'} >= ${atLeast}x`);
  return parts.join(', ');
}

function print(table) {
  const cells = table.map((row) => [
    row.name,
    figure(row.value, row.unit),
    row.peer === undefined ? '' : `${figure(row.peer.value, row.unit)} ${row.peer.name}`,
    row.ratio === undefined ? '' : `${row.ratio}x`,
    verdict(row),
  ]);
  const head = ['what', 'ours', 'peer', 'ratio', 'goal'];
  const widths = head.map((title, at) => Math.max(title.length, ...cells.map((row) => row[at].length)));
  for (const row of [head, ...cells])
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at]))
        .join('  ')
        .trimEnd(),
    );
}

if (files.length === 0) {
  console.error(`No file of test/bench has ${wanted.join(' or ')} in its name.`);
  process.exit(2);
}
mkdirSync(out, { recursive: true });
execFileSync(process.execPath, ['scripts/generate.mjs'], { cwd: root, stdio: 'ignore' });
// The engine's own figures need no bundles.
if (files.some((file) => !/^(?:memory|schedule|placement)\./.test(file))) {
  console.log('Building …');
  execFileSync(process.execPath, ['esbuild.mjs', '--production'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
const table = [];
let failed = false;
for (const file of files) {
  console.log(`Measuring ${file} …`);
  const { rows, status } = await measure(await bundle(file));
  if (status !== 0 || rows.length === 0) {
    failed = true;
    console.error(`${file} gave no figures (exit status ${status}).`);
  }
  table.push(...rows.map((row) => ({ file, ...row })));
}
const sizes = path.join(root, 'dist/sizes.json');
const limits = JSON.parse(readFileSync(path.join(root, 'scripts/size-limits.json'), 'utf8'));
if (wanted.length === 0 && existsSync(sizes)) {
  for (const [file, bytes] of Object.entries(JSON.parse(readFileSync(sizes, 'utf8')))) {
    const goal = limits[file] === undefined ? {} : { goal: limits[file] / 1024 };
    table.push({
      file: 'sizes',
      name: `size of ${file}`,
      value: Number((bytes / 1024).toFixed(1)),
      unit: 'KiB',
      ...goal,
    });
  }
}
console.log('');
print(table);
const machine = {
  node: process.version,
  cpu: os.cpus()[0]?.model.trim(),
  cores: os.cpus().length,
  memory: os.totalmem(),
};
writeFileSync(
  path.join(out, 'results.json'),
  JSON.stringify({ date: new Date().toISOString(), machine, rows: table }, null, 2),
);
console.log(`\nWritten to .bench/results.json (${machine.cpu}, ${machine.cores} cores, Node ${machine.node})`);
process.exitCode = failed ? 1 : 0;
