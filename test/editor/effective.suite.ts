import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { positionOf, sample, show, until } from './support';

const SERVER = ['sglang-deepseek-v3.yaml'];

/** What will really run, beside what was written, and the same layout for another engine. */
export function effectiveSuite(): void {
  describe('effective configuration', () => {
    it('stands behind a written value that the server changes', async () => {
      const { document } = await show(...SERVER);
      const whole = new vscode.Range(0, 0, document.lineCount, 0);
      const hints = await until('inlay hints', async () => {
        const found = await vscode.commands.executeCommand<vscode.InlayHint[]>(
          'vscode.executeInlayHintProvider',
          document.uri,
          whole,
        );
        return found.length > 0 ? found : undefined;
      });
      const { line } = positionOf(document, 'chunked-prefill-size: 65536');
      assert.deepEqual(
        hints.filter(({ position }) => position.line === line).map(({ label }) => label),
        ['→ 2048'],
      );
    });

    it('opens beside the file, read-only, with the source of every value', async () => {
      await show(...SERVER);
      await vscode.commands.executeCommand('shardlens.showEffective', sample(...SERVER));
      const opened = await until('the effective configuration', () =>
        vscode.workspace.textDocuments.find(({ uri }) => uri.scheme === 'shardlens-effective'),
      );
      assert.match(opened.getText(), /chunkedPrefill: 2048 +# chunked-prefill-size, line \d+; written 65536/);
    });
  });
}
