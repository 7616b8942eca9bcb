// Packs dist/ into a .vsix and holds it to its size.
import { statSync } from 'node:fs';
import path from 'node:path';
import { root, run } from './install.mjs';

const LIMIT = 2 * 1024 * 1024;
const file = path.join(root, 'dist/shardlens.vsix');
run(path.join(root, 'node_modules/.bin/vsce'), [
  'package',
  '--no-dependencies',
  '--allow-missing-repository',
  // There is no public repository yet that links of the README could be turned to.
  '--no-rewrite-relative-links',
  '-o',
  file,
]);
const { size } = statSync(file);
console.log(`${size} bytes in dist/shardlens.vsix`);
if (size > LIMIT) {
  console.error(`That is above the limit of ${LIMIT}.`);
  process.exitCode = 1;
}
