// `npm run rules`: writes docs/rules/README.md from the coverage tables in the code. The same test holds the page to them ever after.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  [vitest, 'run', 'test/reference/rules-index.test.ts', '-t', 'is what the code says'],
  {
    cwd: root,
    env: { ...process.env, SHARDLENS_WRITE: '1' },
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
