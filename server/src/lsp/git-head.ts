import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const LIMIT = 1024 * 1024;
const PATIENCE_MS = 3000;

/**
 * Text of a file as it was last committed; null without git, repository or commit. Git is asked for one blob only, without filters,
 * hooks, pagers or locks, so that nothing that the repository's own configuration names is run.
 */
export function readGitHead(uri: string): Promise<string | null> {
  if (!uri.startsWith('file:')) return Promise.resolve(null);
  const file = fileURLToPath(uri);
  const guard = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null', '--no-pager'];
  const show = ['show', '--no-textconv', '--no-ext-diff', `HEAD:./${path.basename(file)}`];
  return new Promise((resolve) => {
    execFile(
      'git',
      [...guard, ...show],
      {
        cwd: path.dirname(file),
        timeout: PATIENCE_MS,
        maxBuffer: LIMIT,
        windowsHide: true,
        env: { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' },
      },
      (error, out) => {
        resolve(error === null ? out : null);
      },
    );
  });
}
