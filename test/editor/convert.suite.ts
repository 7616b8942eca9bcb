import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { accept, show, until } from './support';

/** One conversion, as the command makes it: the bundle that it needs is opened by the first question only. */
async function converted(file: string): Promise<vscode.TextDocument> {
  const { document } = await show(file);
  const before = new Set(vscode.workspace.textDocuments.map(({ uri }) => uri.toString()));
  const opened = (): vscode.TextDocument | undefined =>
    vscode.workspace.textDocuments.find(({ uri, isUntitled }) => isUntitled && !before.has(uri.toString()));
  const finished = vscode.commands.executeCommand('shardlens.convertLayout', document.uri);
  await accept('the converted layout', opened);
  await finished;
  return until('the converted layout', opened);
}

/** The same layout for another framework: what is written is a file that the server reads again. */
export function convertSuite(): void {
  describe('Convert Layout to…', () => {
    for (const file of ['deepseek-v3-2048xH800.shardlens.yaml', 'sglang-deepseek-v3.yaml'])
      it(`writes ${file} in another framework's words, as a config that is read again`, async () => {
        const document = await converted(file);
        assert.ok(document.getText().startsWith(`# Layout of ${file} (`), document.getText().slice(0, 200));
        const lenses = await until('lenses above the new file', async () => {
          const found = await vscode.commands.executeCommand<vscode.CodeLens[]>(
            'vscode.executeCodeLensProvider',
            document.uri,
            10,
          );
          return found.length > 0 ? found : undefined;
        });
        assert.match(lenses.map(({ command }) => command?.title ?? '').join('\n'), /GiB/);
      });
  });
}
