import { CancellationTokenSource, LSPErrorCodes } from 'vscode-languageserver';
import { afterEach, describe, expect, it } from 'vitest';
import { startClient, until, type ClientOptions, type TestClient } from './client';
import { PLAN, sample } from './samples';

let client: TestClient;

async function start(options?: ClientOptions): Promise<TestClient> {
  client = await startClient(options);
  return client;
}

afterEach(async () => {
  await client.close();
});

describe('life of a document', () => {
  it('publishes findings with the version they belong to', async () => {
    const { open } = await start();
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    const found = await document.diagnostics();
    expect(found.map(({ code }) => code)).toContain('heads-not-divisible');
    const range = found.find(({ code }) => code === 'heads-not-divisible')?.range;
    const line = document.text().split('\n')[range?.start.line ?? -1];
    expect(line).toContain('24');
  });

  it('mends and breaks with the text', async () => {
    const { open } = await start();
    const document = open('plan.shardlens.yaml', PLAN);
    expect((await document.settled()).filter(({ severity }) => severity === 1)).toEqual([]);
    await document.replace('tensor: 2', 'tensor: 24');
    expect((await document.diagnostics()).some(({ severity }) => severity === 1)).toBe(true);
    await document.replace('tensor: 24', 'tensor: 2');
    expect((await document.diagnostics()).filter(({ severity }) => severity === 1)).toEqual([]);
  });

  it('never publishes an older version after a newer one, and few of a burst of fifty', async () => {
    const { open, published } = await start();
    const document = open('plan.shardlens.yaml', PLAN);
    await document.settled();
    const before = published.length;
    const edits: Promise<void>[] = [];
    for (let step = 0; step < 50; step += 1)
      edits.push(document.replace(/global: \d+/.exec(document.text())?.[0] ?? '', `global: ${64 + step}`));
    await Promise.all(edits);
    await document.settled();
    const versions = published.slice(before).map(({ version }) => version ?? 0);
    expect(versions.at(-1)).toBe(51);
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(versions.length).toBeLessThan(26);
  });

  it('clears its findings when the document is closed', async () => {
    const { open, published } = await start();
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    expect(await document.settled()).not.toEqual([]);
    await document.close();
    await until('the findings are cleared', () => published.at(-1)?.diagnostics.length === 0);
    expect(await document.ask('shardlens/plan')).toMatchObject({ empty: true });
  });

  it('clears its findings when the text becomes something else', async () => {
    const { open } = await start();
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    expect(await document.settled()).not.toEqual([]);
    const whole = document.text();
    await document.replace(whole, 'services: { web: { image: nginx } }\n# shardlens: dialect=none\n');
    expect(await document.diagnostics()).toEqual([]);
  });

  it('tells the version of every list of findings, and again for a document opened anew', async () => {
    const { open, published } = await start();
    const first = open('plan.shardlens.yaml', PLAN);
    await first.replace('tensor: 2', 'tensor: 4');
    await first.settled();
    await first.close();
    const again = open('plan.shardlens.yaml', PLAN);
    await again.settled();
    expect(again.version()).toBe(1);
    expect(published.at(-1)).toMatchObject({ version: 1 });
    for (const { version, diagnostics } of published)
      expect(version !== undefined || diagnostics.length === 0).toBe(true);
  });

  it('says nothing about files of other kinds', async () => {
    const { open } = await start();
    const compose = open('docker-compose.yaml', 'services:\n  web:\n    image: nginx\n    ports: ["80:80"]\n');
    expect(await compose.settled()).toEqual([]);
    expect(await compose.at('textDocument/hover', 'image')).toBeNull();
    expect(await compose.ask('textDocument/codeLens')).toEqual([]);
  });
});

describe('settings', () => {
  it('are there before the first findings, and change them', async () => {
    const { open, settings, notify, published } = await start({
      settings: { rules: { 'heads-not-divisible': 'off' } },
    });
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    await document.settled();
    const codes = () => published.flatMap(({ diagnostics }) => diagnostics.map(({ code }) => code));
    expect(codes()).not.toContain('heads-not-divisible');
    settings.value = {};
    await notify('workspace/didChangeConfiguration', { settings: null });
    await until('the rule is on again', () => codes().includes('heads-not-divisible'));
    settings.value = { dialect: 'none' };
    await notify('workspace/didChangeConfiguration', { settings: null });
    await until('the file is left alone', () => published.at(-1)?.diagnostics.length === 0);
  });

  it('reach a client that cannot be asked', async () => {
    const { open, notify, published } = await start({ configuration: false });
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    expect((await document.diagnostics()).map(({ code }) => code)).toContain('heads-not-divisible');
    await notify('workspace/didChangeConfiguration', { settings: { shardlens: { dialect: 'none' } } });
    await until('the file is left alone', () => published.at(-1)?.diagnostics.length === 0);
  });

  it('of a wrong type are passed over', async () => {
    const { open } = await start({ settings: { gpu: 7, nodes: 'many', rules: ['off'], model: null } });
    const document = open('heads.shardlens.yaml', sample('broken', 'heads.shardlens.yaml'));
    expect((await document.diagnostics()).map(({ code }) => code)).toContain('heads-not-divisible');
  });
});

describe('companion files', () => {
  const text = 'model-path: ./model\ntp-size: 8\nenable-dp-attention: false\nmem-fraction-static: 0.85\n';

  it('are read where the document names them, and a change of one is followed', async () => {
    const config = sample('llama-3.1-70b', 'config.json');
    const { open, files, notify, reads } = await start({ files: { 'model/config.json': config } });
    const document = open('serve.yaml', text);
    await document.settled();
    expect(reads).toContain('file:///workspace/model/config.json');
    const before = await document.ask<{ summary: string }>('shardlens/plan');
    expect(before.summary).not.toContain('not known');
    files.set('file:///workspace/model/config.json', '{}');
    await notify('workspace/didChangeWatchedFiles', {
      changes: [{ uri: 'file:///workspace/model/config.json', type: 2 }],
    });
    await document.settled();
    const after = await document.ask<{ summary: string }>('shardlens/plan');
    expect(after.summary).toContain('model not known');
  });

  it('that are open count as the editor has them', async () => {
    const config = sample('llama-3.1-70b', 'config.json');
    const { open, reads } = await start({ files: { 'model/config.json': '{}' } });
    const model = open('model/config.json', config, 'json');
    await model.settled();
    const document = open('serve.yaml', text);
    await document.settled();
    const plan = await document.ask<{ summary: string }>('shardlens/plan');
    expect(plan.summary).not.toContain('not known');
    await model.close();
    await until('the disk is read', () => reads.includes('file:///workspace/model/config.json'));
    await document.settled();
    const after = await document.ask<{ summary: string }>('shardlens/plan');
    expect(after.summary).toContain('model not known');
  });

  it('are read by the client where it offers to', async () => {
    const files = { 'model/config.json': sample('llama-3.1-70b', 'config.json') };
    const { open, reads } = await start({ files, readFile: true });
    const document = open('serve.yaml', text);
    await document.settled();
    expect(reads).toContain('file:///workspace/model/config.json');
    const plan = await document.ask<{ summary: string }>('shardlens/plan');
    expect(plan.summary).not.toContain('not known');
  });

  it('are read once, however many keystrokes pass', async () => {
    const { open, reads } = await start({ files: { 'model/config.json': sample('llama-3.1-70b', 'config.json') } });
    const document = open('serve.yaml', text);
    for (let step = 4; step < 9; step += 1)
      await document.replace(`tp-size: ${step === 4 ? 8 : step - 1}`, `tp-size: ${step}`);
    await document.settled();
    expect(new Set(reads).size).toBe(reads.length);
  });

  it('make editors show code lenses anew when they arrive or change, and keystrokes do not', async () => {
    const { open, refreshed, files, notify } = await start({ files: { 'model/config.json': '{}' } });
    const document = open('serve.yaml', text);
    await document.settled();
    const first = refreshed.count;
    expect(first).toBeGreaterThan(0);
    await document.replace('tp-size: 8', 'tp-size: 4');
    await document.settled();
    expect(refreshed.count).toBe(first);
    files.set('file:///workspace/model/config.json', sample('llama-3.1-70b', 'config.json'));
    await notify('workspace/didChangeWatchedFiles', {
      changes: [{ uri: 'file:///workspace/model/config.json', type: 2 }],
    });
    await until('the lenses are asked for again', () => refreshed.count > first);
  });

  it('that are open are found however the editor escapes their names', async () => {
    const { open } = await start({ files: { 'a@b/config.json': '{}' } });
    const model = open('a%40b/config.json', sample('llama-3.1-70b', 'config.json'), 'json');
    await model.settled();
    const document = open('serve.yaml', text.replace('./model', './a@b'));
    await document.settled();
    const plan = await document.ask<{ summary: string }>('shardlens/plan');
    expect(plan.summary).not.toContain('not known');
  });

  it('outside of what the document names are not asked for', async () => {
    const { open, reads } = await start();
    const document = open('serve.yaml', text.replace('./model', '/etc/passwd'));
    await document.settled();
    expect(reads.filter((uri) => !uri.startsWith('file:///workspace/') && !uri.endsWith('/.shardlens.yaml'))).toEqual(
      [],
    );
  });
});

describe('cancelled requests', () => {
  it('are answered with the cancellation while they wait, and the next one is answered', async () => {
    const { open, connection } = await start();
    const document = open('plan.shardlens.yaml', PLAN);
    await document.settled();
    const params = { textDocument: { uri: document.uri }, position: { line: 5, character: 4 } };
    const source = new CancellationTokenSource();
    // Requests are worked off in order, so that the cancellation overtakes the last of many.
    const early = Array.from({ length: 20 }, () => connection.sendRequest('shardlens/memory', { uri: document.uri }));
    const cancelled = connection.sendRequest('textDocument/hover', params, source.token);
    source.cancel();
    await expect(cancelled).rejects.toMatchObject({ code: LSPErrorCodes.RequestCancelled });
    expect(await Promise.all(early)).toHaveLength(20);
    expect(await connection.sendRequest('textDocument/hover', params)).not.toBeNull();
  });
});
