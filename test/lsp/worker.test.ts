import path from 'node:path';
import vm from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { until } from './client';
import { PLAN } from './samples';

const ROOT = path.resolve(import.meta.dirname, '../..');

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly uri?: string;
    readonly version?: number;
    readonly diagnostics?: readonly { readonly code?: unknown }[];
  };
  readonly result?: { readonly serverInfo?: { readonly name: string } };
}

/** As much of a worker's own scope as the protocol library uses. */
interface WorkerScope {
  onmessage?: (event: { readonly data: object }) => void;
  readonly addEventListener: () => void;
  readonly postMessage: (message: Message) => void;
}

/** The bundle of the browser editor in a world that has what a worker has, and nothing of Node's. */
async function startWorker(): Promise<{ readonly send: (message: object) => void; readonly received: Message[] }> {
  const { outputFiles } = await build({
    entryPoints: [path.join(ROOT, 'server/src/lsp/main-browser.ts')],
    bundle: true,
    write: false,
    platform: 'browser',
    format: 'iife',
    mainFields: ['browser', 'module', 'main'],
    logLevel: 'error',
  });
  const received: Message[] = [];
  const self: WorkerScope = {
    addEventListener: () => undefined,
    postMessage: (message) => {
      received.push(structuredClone(message));
    },
  };
  const world = {
    self,
    setTimeout,
    clearTimeout,
    performance,
    queueMicrotask,
    console,
    TextDecoder,
    TextEncoder,
    URL,
    btoa,
    atob,
  };
  vm.runInNewContext(outputFiles[0]?.text ?? '', world);
  const send = (message: object): void => {
    self.onmessage?.({ data: { jsonrpc: '2.0', ...message } });
  };
  // What the client says first; here the formats are in the same script, so their address is never used.
  self.onmessage?.({ data: { dialects: 'unused:' } });
  return { received, send };
}

describe('the server in a web worker', () => {
  it('shakes hands and publishes findings without a disk', async () => {
    const { send, received } = await startWorker();
    send({
      id: 1,
      method: 'initialize',
      params: { processId: null, rootUri: null, capabilities: {}, workspaceFolders: null },
    });
    await until('it shakes hands', () => received.some(({ id }) => id === 1));
    expect(received.find(({ id }) => id === 1)?.result?.serverInfo?.name).toBe('shardlens');
    send({ method: 'initialized', params: {} });
    const text = PLAN.replace('tensor: 2', 'tensor: 5');
    const textDocument = { uri: 'vscode-vfs://x/plan.shardlens.yaml', languageId: 'yaml', version: 1, text };
    send({ method: 'textDocument/didOpen', params: { textDocument } });
    const published = (): Message | undefined =>
      received.filter(({ method }) => method === 'textDocument/publishDiagnostics').at(-1);
    await until('it publishes findings', () => published() !== undefined);
    expect(published()?.params).toMatchObject({ uri: textDocument.uri, version: 1 });
    expect(published()?.params?.diagnostics?.map(({ code }) => code)).toContain('world-not-divisible');
  });
});
