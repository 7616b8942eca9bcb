import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { detectDialect } from '../../../server/src/dialects/registry';
import { languageOf } from '../../../server/src/features/uris';
import { parseConfig } from '../../../server/src/syntax/parse';

const PACKAGES = resolve(import.meta.dirname, '../../../node_modules');
const LARGEST = 200_000;

/** Manifests, compiler settings, workflows and schemas that other people wrote: what stands installed beside us. */
function installedFiles(): string[] {
  return readdirSync(PACKAGES, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:ya?ml|jsonc?|toml)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => statSync(path).size < LARGEST);
}

it('recognises none of the manifests, workflows and settings of installed packages', { timeout: 120_000 }, () => {
  const files = installedFiles();
  const taken = files.flatMap((path) => {
    const found = detectDialect(parseConfig(readFileSync(path, 'utf8'), languageOf(path)), path);
    return found === undefined ? [] : [`${path.slice(PACKAGES.length + 1)}: ${found.dialect}`];
  });
  expect(taken).toEqual([]);
  expect(files.length).toBeGreaterThan(300);
});
