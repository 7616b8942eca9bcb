import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { accept, hoverText, positionOf, sample, show, until } from './support';

const TRAINING = 'deepseek-v3-2048xH800.shardlens.yaml';
const SERVING = 'sglang-deepseek-v3.yaml';

/** The action at a place whose title matches, with its edit made out where the server does that only on request. */
async function actionAt(document: vscode.TextDocument, text: string, title: RegExp): Promise<vscode.CodeAction> {
  const at = positionOf(document, text);
  return until(`an action like ${String(title)}`, async () => {
    const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
      'vscode.executeCodeActionProvider',
      document.uri,
      new vscode.Range(at, at),
      undefined,
      10,
    );
    return actions.find((action) => title.test(action.title));
  });
}

/** Applies an edit as the light bulb does, and waits until the text shows it. */
async function apply(document: vscode.TextDocument, action: vscode.CodeAction, expected: string): Promise<void> {
  assert.ok(action.edit, `${action.title} has an edit`);
  assert.ok(await vscode.workspace.applyEdit(action.edit));
  await until(expected, () => (document.getText().includes(expected) ? true : undefined));
}

/** Hovers and fixes of schedules and placements, and the advisor, each through the real editor and back by one undo. */
export function fixesSuite(): void {
  describe('schedules, placements and advice', () => {
    it('tells bubble, memory and other schedules on the schedule key', async () => {
      const { document } = await show(TRAINING);
      const text = await until('a hover on the schedule', async () => {
        const found = await hoverText(document.uri, positionOf(document, 'kind: dualpipe'));
        return found.includes('Other schedules') ? found : undefined;
      });
      assert.match(text, /DualPipe 16 × 120 · bubble \d+\.\d %/);
      assert.match(text, /Idle ranks wait/);
      assert.match(text, /DualPipeV [+−]\d+\.\d % step, [+−]\d+\.\d GiB/);
    });

    it('switches the schedule by a fix that tells what it brings, and one undo takes it back', async () => {
      const { document } = await show(TRAINING);
      const before = document.getText();
      const action = await actionAt(document, 'dualpipe\n', /^Switch to 1F1B: [+−][\d.]+ % step, [+−][\d.]+ GiB/);
      await apply(document, action, 'kind: 1f1b');
      await vscode.commands.executeCommand('undo');
      assert.equal(document.getText(), before);
    });

    it('writes an optimised placement, points the config at it and keeps the recording named', async () => {
      const { document } = await show(SERVING);
      const before = document.getText();
      const action = await actionAt(document, 'ep-num-redundant-experts', /^Write an optimised expert placement/);
      await apply(document, action, 'init-expert-location: ./sglang-deepseek-v3.experts.json');
      assert.match(document.getText(), /# shardlens: .*loads=\.\/sglang-deepseek-v3\.expert-loads\.json/);
      const written = await vscode.workspace.openTextDocument(sample('sglang-deepseek-v3.experts.json'));
      const { physical_to_logical_map: map } = JSON.parse(written.getText()) as { physical_to_logical_map: number[][] };
      assert.deepEqual([map.length, map[0]?.length], [61, 288]);
      await vscode.window.showTextDocument(document);
      const restore = new vscode.WorkspaceEdit();
      restore.replace(document.uri, new vscode.Range(0, 0, document.lineCount, 0), before);
      await vscode.workspace.applyEdit(restore);
      await document.save();
    });

    it('applies a better layout as one edit that can be undone', async () => {
      const { document } = await show(TRAINING);
      const before = document.getText();
      const finished = vscode.commands.executeCommand('shardlens.findBetterLayout', document.uri);
      await accept('the changed layout', () => (document.getText() === before ? undefined : true));
      await finished;
      const changed = document.getText().split('\n');
      const lines = before.split('\n');
      assert.ok(
        lines.filter((line) => line.startsWith('#')).every((line) => changed.includes(line)),
        'comments stay',
      );
      await vscode.window.showTextDocument(document);
      await vscode.commands.executeCommand('undo');
      assert.equal(document.getText(), before);
    });
  });
}
