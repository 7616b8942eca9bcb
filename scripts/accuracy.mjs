// Writes docs/accuracy.md and docs/throughput.svg from the measured rows, which lie beside the project.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const truth = path.resolve(process.env.SHARDLENS_SHARED ?? path.join(root, '../shared'), 'truth');
if (!existsSync(truth)) {
  console.error(`The measured rows are not there (${path.relative(root, truth)}): the page stays as it is.`);
  process.exit(1);
}
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const run = spawnSync(process.execPath, [vitest, 'run', 'test/reference/accuracy.test.ts', '--update=all'], {
  cwd: root,
  env: { ...process.env, SHARDLENS_WRITE: '1' },
  stdio: 'inherit',
});
process.exit(run.status ?? 1);
