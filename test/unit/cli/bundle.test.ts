import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type InitializeResult,
} from 'vscode-languageserver/node';
import { SAMPLES } from './run';

const ROOT = path.resolve(import.meta.dirname, '../../..');
let folder = '';
let cli = '';

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'shardlens-bundle-'));
  cli = path.join(folder, 'cli.js');
  await build({
    absWorkingDir: ROOT,
    entryPoints: { cli: 'server/src/cli/main.ts', server: 'server/src/lsp/main-node.ts' },
    outdir: folder,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'es2022',
    mainFields: ['module', 'main'],
    external: ['./server.js'],
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Exit {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(...args: string[]): Promise<Exit> {
  const answer = promisify(execFile)(process.execPath, [cli, ...args], { cwd: SAMPLES, maxBuffer: 2 ** 28 });
  return answer.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Exit) => error,
  );
}

describe('the bundled command line', () => {
  it('exits with 0, 1 and 2', async () => {
    expect(await run('check', 'llama-3.1-70b/config.json')).toMatchObject({ code: 0, stderr: '' });
    expect(await run('check', 'broken/heads.shardlens.yaml')).toMatchObject({ code: 1, stderr: '' });
    expect(await run('check', 'nowhere.yaml')).toMatchObject({ code: 2, stdout: '' });
  });

  it('writes a large document whole through a pipe', async () => {
    const { stdout, code } = await run(
      'schedule',
      '--kind',
      '1f1b',
      '--ranks',
      '32',
      '--microbatches',
      '1024',
      '--format',
      'json',
    );
    expect(code).toBe(0);
    const { actions } = JSON.parse(stdout) as { actions: string[][] };
    expect(actions.flat()).toHaveLength(32 * 1024 * 2);
  });

  it('starts the language server for any editor', async () => {
    const child = spawn(process.execPath, [cli, 'lsp', '--stdio'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const connection = createProtocolConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    connection.listen();
    const answer = await connection.sendRequest<InitializeResult>('initialize', {
      processId: null,
      rootUri: null,
      capabilities: {},
    });
    expect(answer.serverInfo?.name).toBe('shardlens');
    await connection.sendRequest('shutdown');
    await connection.sendNotification('exit');
    expect(await ended).toBe(0);
    connection.dispose();
  });
});
