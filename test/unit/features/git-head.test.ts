import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { readGitHead } from '../../../server/src/lsp/git-head';

const folder = mkdtempSync(path.join(os.tmpdir(), 'shardlens-git-'));
const file = path.join(folder, 'plan.yaml');
const git = (...args: string[]): void => {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.invalid'];
  execFileSync('git', [...who, ...args], { cwd: folder, stdio: 'ignore' });
};
const uri = (name: string): string => pathToFileURL(path.join(folder, name)).toString();

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('the committed text of a file', () => {
  it('is what was committed, whatever the file holds now', async () => {
    git('init', '-q');
    writeFileSync(file, 'old: 1\n');
    git('add', 'plan.yaml');
    expect(await readGitHead(uri('plan.yaml'))).toBeNull();
    git('commit', '-q', '-m', 'one');
    writeFileSync(file, 'new: 2\n');
    expect(await readGitHead(uri('plan.yaml'))).toBe('old: 1\n');
  });

  it('is nothing for files that were never committed, other schemes and places without a repository', async () => {
    expect(await readGitHead(uri('other.yaml'))).toBeNull();
    expect(await readGitHead('untitled:plan.yaml')).toBeNull();
    expect(await readGitHead(pathToFileURL(path.join(os.tmpdir(), 'nowhere-at-all', 'x.yaml')).toString())).toBeNull();
  });
});
