// `node scripts/placement-table.mjs [FOLDER]`: the tables of docs/placement.md for a folder of SGLang recordings
// ({"logical_count": [layers][256]} as JSON). With --write they replace the tables in docs/placement.md.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { format, resolveConfig } from 'prettier';

const root = path.resolve(import.meta.dirname, '..');
const given = process.argv.slice(2).find((argument) => !argument.startsWith('-'));
const folder = path.resolve(given ?? path.join(root, '../shared/oracles/placement/loads'));
const { outputFiles } = await build({
  entryPoints: [path.join(root, 'test/bench/placement-table.ts')],
  bundle: true,
  platform: 'node',
  format: 'esm',
  write: false,
  logLevel: 'warning',
});
const code = Buffer.from(outputFiles[0].contents).toString('base64');
const { placementTables } = await import(`data:text/javascript;base64,${code}`);
const tables = placementTables(folder);
const MARKS = ['<!-- tables: node scripts/placement-table.mjs --write -->', '<!-- end of tables -->'];
if (process.argv.includes('--write')) {
  const file = path.join(root, 'docs/placement.md');
  const text = readFileSync(file, 'utf8');
  const [from, to] = MARKS.map((mark) => text.indexOf(mark));
  if (from < 0 || to < from) throw new Error('docs/placement.md has lost the marks around its tables.');
  const next = `${text.slice(0, from + MARKS[0].length)}\n\n${tables}\n${text.slice(to)}`;
  writeFileSync(file, await format(next, { ...(await resolveConfig(file)), filepath: file }));
} else process.stdout.write(tables);
