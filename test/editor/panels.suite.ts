import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { ownDiagnostics, show, until } from './support';

const PANELS = [
  ['shardlens.openTimeline', 'Pipeline Timeline'],
  ['shardlens.openPlacement', 'Expert Placement'],
  ['shardlens.openMemory', 'Memory Breakdown'],
] as const;

function tab(label: string): vscode.Tab | undefined {
  return vscode.window.tabGroups.all
    .flatMap(({ tabs }) => tabs)
    .find((candidate) => candidate.label === label && candidate.input instanceof vscode.TabInputWebview);
}

/** The panels open beside the text; what they draw is looked at in the walk-through, which sees the page. */
export function panelSuite(): void {
  describe('panels', () => {
    for (const [command, label] of PANELS) {
      it(`opens ${label} beside the training plan`, async () => {
        const { document } = await show('deepseek-v3-2048xH800.shardlens.yaml');
        await vscode.commands.executeCommand(command, document.uri.toString());
        const opened = await until(`the tab ${label}`, () => tab(label));
        assert.ok(opened.input instanceof vscode.TabInputWebview);
        assert.match(opened.input.viewType, /shardlens\./);
      });
    }

    it('leaves a file of another kind alone', async () => {
      const document = await vscode.workspace.openTextDocument({
        language: 'yaml',
        content: 'name: ci\non: push\njobs:\n  build:\n    runs-on: linux\n',
      });
      await vscode.window.showTextDocument(document);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.deepEqual(ownDiagnostics(document.uri), []);
    });
  });
}
