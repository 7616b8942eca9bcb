import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { accept, show } from './support';

/** What "Choose Model" and "Choose GPU" write, and that one undo takes it back. */
export function choiceSuite(): void {
  describe('choosing model and cluster', () => {
    it('writes GPU and nodes into a comment at the top, in one step to undo', async () => {
      const editor = await show('broken', 'sglang-fp8-blocks.yaml');
      const { document } = editor;
      const before = document.getText();
      const finished = vscode.commands.executeCommand('shardlens.chooseCluster');
      await accept('the comment', () => (document.getText() === before ? undefined : true));
      await finished;
      const comment = document
        .getText()
        .split('\n')
        .find((line) => line.startsWith('# shardlens:'));
      assert.match(comment ?? '', /gpu=\S+/);
      assert.match(comment ?? '', /nodes=\d+/);
      await vscode.window.showTextDocument(document);
      await vscode.commands.executeCommand('undo');
      assert.equal(document.getText(), before);
    });

    it('writes the model of a JSON file into .shardlens.yaml and saves it', async () => {
      await show('broken', 'kv-heads', 'config.json');
      const file = vscode.Uri.joinPath(
        vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file('/'),
        '.shardlens.yaml',
      );
      const read = async (): Promise<string> => new TextDecoder().decode(await vscode.workspace.fs.readFile(file));
      const before = await read();
      const finished = vscode.commands.executeCommand('shardlens.chooseModel');
      const after = await accept('the entry', async () => {
        const now = await read();
        return now === before ? undefined : now;
      });
      await finished;
      assert.ok(after.startsWith(before), 'other entries and comments stay');
      assert.match(after.slice(before.length), /"broken\/kv-heads\/config\.json":\n {2}model: \S+/);
    });
  });
}
