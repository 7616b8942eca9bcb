import { CancellationTokenSource, type CodeAction, type CodeLens } from 'vscode-languageserver-protocol';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { afterEach, describe, expect, it } from 'vitest';
import { ADVICE_PROGRESS, type AdviceAnswer, type AdviceProgress } from '../../server/src/protocol/advice';
import { startClient, type TestClient } from './client';
import { PLAN, sample } from './samples';

const WIDE = PLAN.replace('tensor: 2', 'tensor: 8').replace('pipeline: 4', 'pipeline: 2');

let client: TestClient | undefined;
afterEach(async () => {
  await client?.close();
  client = undefined;
});

async function start(options: Parameters<typeof startClient>[0] = {}): Promise<TestClient> {
  client = await startClient(options);
  return client;
}

describe('better layouts over the protocol', () => {
  it('come with edits of one document version that lead to just that layout', async () => {
    const document = (await start()).open('plan.shardlens.yaml', WIDE);
    const answer = await document.ask<AdviceAnswer>('shardlens/advice', { objective: 'time' });
    if ('empty' in answer) throw new Error(answer.reason);
    expect(answer.items.length).toBeGreaterThan(0);
    expect(answer.unmet).toBe(false);
    expect(answer.now).toMatch(/TP 8 · PP 2 .* a step/);
    for (const { edits = [], title, changes } of answer.items) {
      // Keys as the file spells them, those that it lacks too.
      expect(changes.filter((change) => /^(?:layout|recompute|batch|pipeline|optimizer)\./.test(change))).toEqual([]);
      const text = TextDocument.applyEdits(
        TextDocument.create('file:///x', 'yaml', 1, WIDE),
        edits.map(({ range, newText }) => ({ range, newText })),
      );
      expect(text).not.toBe(WIDE);
      const [, tensor] = /TP (\d+)/.exec(title) ?? [];
      expect(text).toContain(`tensor: ${tensor ?? '?'}\n`);
    }
  });

  it('scale typed times with the layout, and say so', async () => {
    const typed = WIDE.replace('kind: 1f1b', 'kind: 1f1b\n  durations: { F: 40, B: 80 }');
    const document = (await start()).open('plan.shardlens.yaml', typed);
    const answer = await document.ask<AdviceAnswer>('shardlens/advice', { objective: 'time' });
    if ('empty' in answer) throw new Error(answer.reason);
    const piped = answer.items.filter(({ title }) => /PP [2-9]/.test(title));
    expect(piped.length).toBeGreaterThan(0);
    for (const { changes, edits = [] } of piped) {
      const text = TextDocument.applyEdits(TextDocument.create('file:///x', 'yaml', 1, typed), [...edits]);
      expect(changes).toContain('durations: as typed → scaled');
      expect(text).not.toContain('{ F: 40, B: 80 }');
    }
  });

  it('are searched in turns, with progress, and stop when nobody waits any more', async () => {
    const running = await start();
    const document = running.open('big.shardlens.yaml', sample('deepseek-v3-2048xH800.shardlens.yaml'));
    const shares: number[] = [];
    running.connection.onNotification(ADVICE_PROGRESS, ({ share }: AdviceProgress) => {
      shares.push(share);
    });
    const source = new CancellationTokenSource();
    const asked = running.connection.sendRequest<AdviceAnswer>('shardlens/advice', { uri: document.uri }, source.token);
    const outcome = asked.then(
      () => 'answered',
      () => 'cancelled',
    );
    await document.ask('textDocument/codeLens');
    while (shares.length === 0) await new Promise((done) => setTimeout(done, 5));
    source.cancel();
    expect(await outcome).toBe('cancelled');
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });

  it('say what is missing', async () => {
    const document = (await start()).open('plan.shardlens.yaml', WIDE.replace('gpu: H100, ', ''));
    const answer = await document.ask<AdviceAnswer>('shardlens/advice');
    if (!('empty' in answer)) throw new Error('there is no GPU to search for');
    expect(answer.needs).toContain('cluster.gpu');
    expect(answer.reason).toMatch(/the GPU, such as "# shardlens: gpu=H800"\.$/);
    expect(answer.reason).not.toContain('--');
  });

  it('are offered on the lines that decide the layout and nowhere else', async () => {
    const document = (await start()).open('plan.shardlens.yaml', WIDE);
    const at = (line: number): object => ({
      range: { start: { line, character: 0 }, end: { line, character: 1 } },
      context: { diagnostics: [] },
    });
    const tensor = WIDE.split('\n').findIndex((text) => text.includes('tensor'));
    const actions = await document.ask<CodeAction[]>('textDocument/codeAction', at(tensor));
    expect(actions.map(({ command }) => command?.command)).toContain('shardlens.findBetterLayout');
    expect(await document.ask<CodeAction[]>('textDocument/codeAction', at(0))).toEqual([]);
  });
});

describe('the lens on the last commit', () => {
  const lenses = async (committed: Record<string, string>, text: string): Promise<string[]> => {
    const running = await start({ heads: committed });
    const document = running.open('plan.shardlens.yaml', text);
    await document.ask('textDocument/hover', { position: { line: 0, character: 0 } });
    // The committed text is asked for after the first findings.
    for (let round = 0; round < 100 && running.changed.length === 0; round += 1)
      await new Promise((done) => setTimeout(done, 10));
    await new Promise((done) => setTimeout(done, 30));
    const found = await document.ask<CodeLens[]>('textDocument/codeLens');
    return found
      .map(({ command }) => command?.title ?? '')
      .filter((title) => title.startsWith('Since the last commit'));
  };

  it('tells what the change does to memory and time', async () => {
    const [title, ...more] = await lenses({ 'plan.shardlens.yaml': WIDE }, PLAN);
    expect(title).toMatch(/memory of the fullest rank .* → .* · time of a step .* → /);
    expect(more).toEqual([]);
  });

  it('is not there without a commit, or while nothing changed', async () => {
    expect(await lenses({}, PLAN)).toEqual([]);
    await client?.close();
    client = undefined;
    expect(await lenses({ 'plan.shardlens.yaml': PLAN }, PLAN)).toEqual([]);
  });
});
