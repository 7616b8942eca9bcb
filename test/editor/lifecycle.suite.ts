import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import type { ShardlensApi } from '../../client/src/extension';
import { hoverText, ownDiagnostics, positionOf, sample, show, until } from './support';

const PLAN = 'deepseek-v3-2048xH800.shardlens.yaml';
const EVERYDAY = 'name: ci\non: push\njobs:\n  build:\n    runs-on: linux\n';

/** From a quiet editor to a running server, and back to one after a restart. */
export function lifecycleSuite(): void {
  describe('start and restart', () => {
    const api = async (): Promise<ShardlensApi> => {
      const extension = vscode.extensions.getExtension<ShardlensApi>('shardlens.shardlens');
      assert.ok(extension);
      return extension.activate();
    };

    it('runs no server for files of everyday use', async () => {
      const document = await vscode.workspace.openTextDocument({ language: 'yaml', content: EVERYDAY });
      const editor = await vscode.window.showTextDocument(document);
      const { serverIsRunning } = await api();
      await editor.edit((edit) => {
        edit.insert(new vscode.Position(0, 0), '# a comment\n');
      });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      assert.equal(serverIsRunning(), false);
    });

    it('starts one as soon as the text could be a config', async () => {
      const { serverIsRunning } = await api();
      const document = await vscode.workspace.openTextDocument({ language: 'yaml', content: '' });
      const editor = await vscode.window.showTextDocument(document);
      assert.equal(serverIsRunning(), false);
      await editor.edit((edit) => {
        edit.insert(
          new vscode.Position(0, 0),
          'model-path: deepseek-ai/DeepSeek-V3\ntp-size: 16\ndp-size: 6\nenable-dp-attention: true\n',
        );
      });
      await until('the server', () => (serverIsRunning() ? true : undefined));
      await until('a finding in a file that was never saved', () =>
        ownDiagnostics(document.uri).length > 0 ? true : undefined,
      );
    });

    it('answers again after Restart Server', async () => {
      const broken = sample('broken', 'heads.shardlens.yaml');
      await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(broken));
      await until('an error', () => (ownDiagnostics(broken).length > 0 ? true : undefined));
      await vscode.commands.executeCommand('shardlens.restartServer');
      await until('the error again', () => (ownDiagnostics(broken).length > 0 ? true : undefined));
      const { document } = await show(PLAN);
      const text = await hoverText(document.uri, positionOf(document, 'pipeline: 16'));
      assert.match(text, /GiB/);
    });

    it('names every command with its category, and hides none that works', async () => {
      const known = await vscode.commands.getCommands(true);
      const { packageJSON } = vscode.extensions.getExtension('shardlens.shardlens') ?? {};
      const declared = (packageJSON as { contributes: { commands: { command: string; category: string }[] } })
        .contributes.commands;
      assert.ok(declared.length >= 7);
      for (const { command, category } of declared) {
        assert.equal(category, 'Shardlens');
        assert.ok(known.includes(command), `${command} is declared and not registered`);
      }
    });
  });
}
