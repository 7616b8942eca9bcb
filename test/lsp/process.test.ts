import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import {
  createProtocolConnection,
  IPCMessageReader,
  IPCMessageWriter,
  StreamMessageReader,
  StreamMessageWriter,
  type InitializeResult,
  type ProtocolConnection,
  type PublishDiagnosticsParams,
} from 'vscode-languageserver/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from './client';
import { PLAN } from './samples';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Server {
  readonly child: ChildProcess;
  readonly connection: ProtocolConnection;
  readonly ended: Promise<number | null>;
}

let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'shardlens-server-'));
  bundle = path.join(folder, 'server.js');
  await build({
    entryPoints: [path.join(ROOT, 'server/src/lsp/main-node.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    mainFields: ['module', 'main'],
    logLevel: 'error',
  });
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function start(mode: '--stdio' | '--node-ipc'): Server {
  const isIpc = mode === '--node-ipc';
  const child = spawn(process.execPath, [bundle, mode], {
    stdio: isIpc ? ['ignore', 'ignore', 'inherit', 'ipc'] : ['pipe', 'pipe', 'inherit'],
  });
  const { stdin, stdout } = child;
  const [reader, writer] =
    stdin === null || stdout === null
      ? [new IPCMessageReader(child), new IPCMessageWriter(child)]
      : [new StreamMessageReader(stdout), new StreamMessageWriter(stdin)];
  const connection = createProtocolConnection(reader, writer);
  connection.listen();
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, connection, ended };
}

async function shakeHands({ connection }: Server): Promise<InitializeResult> {
  const rootUri = pathToFileURL(folder).toString();
  const workspaceFolders = [{ uri: rootUri, name: 'w' }];
  const params = { processId: process.pid, rootUri, capabilities: {}, workspaceFolders };
  const result = await connection.sendRequest<InitializeResult>('initialize', params);
  await connection.sendNotification('initialized', {});
  return result;
}

describe('the server as a process', () => {
  it.each(['--stdio', '--node-ipc'] as const)(
    'answers, reads beside the document and ends as it should, %s',
    async (mode) => {
      const server = start(mode);
      const { connection } = server;
      const { serverInfo, capabilities } = await shakeHands(server);
      expect(serverInfo?.name).toBe('shardlens');
      expect(capabilities.textDocumentSync).toMatchObject({ openClose: true, change: 2 });
      const published: PublishDiagnosticsParams[] = [];
      connection.onNotification('textDocument/publishDiagnostics', (params: PublishDiagnosticsParams) => {
        published.push(params);
      });
      writeFileSync(path.join(folder, '.shardlens.yaml'), '"*.shardlens.yaml":\n  ignore: [world-not-divisible]\n');
      const uri = pathToFileURL(path.join(folder, 'plan.shardlens.yaml')).toString();
      const text = PLAN.replace('tensor: 2', 'tensor: 5');
      const textDocument = { uri, languageId: 'yaml', version: 1, text };
      await connection.sendNotification('textDocument/didOpen', { textDocument });
      const tells = (at: number): boolean =>
        published.at(at)?.diagnostics.some(({ code }) => code === 'world-not-divisible') === true;
      // The first findings come before any file was read, the last ones know what the workspace file ignores.
      await until('the workspace file was read', () => published.length > 1 && tells(0) && !tells(-1));
      await connection.sendRequest('shutdown');
      await connection.sendNotification('exit');
      expect(await server.ended).toBe(0);
    },
  );

  it('ends with its client, also when that left without a word', async () => {
    const server = start('--stdio');
    await shakeHands(server);
    server.child.stdin?.end();
    expect(await server.ended).toBe(1);
  });
});
