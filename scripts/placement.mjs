// Writes the tables of docs/placement.md from the recorded loads, which lie beside the project or in the folder that is given.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const beside = path.resolve(process.env.SHARDLENS_SHARED ?? path.join(root, '../shared'), 'oracles/placement/loads');
const given = process.argv[2];
const folder = given === undefined ? beside : path.resolve(given);
if (!existsSync(folder)) {
  console.error(`There are no recordings (${path.relative(root, folder)}): the tables stay as they are.`);
  process.exit(1);
}
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const run = spawnSync(process.execPath, [vitest, 'run', 'test/reference/placement-page.test.ts'], {
  cwd: root,
  env: { ...process.env, SHARDLENS_WRITE: '1', SHARDLENS_LOADS: folder },
  stdio: 'inherit',
});
process.exit(run.status ?? 1);
