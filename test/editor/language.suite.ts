import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { hoverText, ownDiagnostics, positionOf, show, until } from './support';

const TRAINING = ['deepseek-v3-2048xH800.shardlens.yaml'];

/** The broken samples; the model that one of them serves is sound and only lies beside it. */
async function brokenFiles(): Promise<vscode.Uri[]> {
  const found = await vscode.workspace.findFiles('broken/**/*.{yaml,yml,json,toml}');
  const files = found.filter(({ path }) => !path.includes('/qwen3-235b-a22b-fp8/'));
  assert.ok(files.length >= 6, 'one broken file of each kind');
  return files;
}

/** Diagnostics, hover, completion, lenses and fixes as a person gets them. */
export function languageSuite(): void {
  describe('language features', () => {
    it('answers a hover on the training plan with GiB in its first line', async () => {
      const { document } = await show(...TRAINING);
      const text = await until('a hover', async () => {
        const found = await hoverText(document.uri, positionOf(document, 'pipeline: 16'));
        return found.includes('GiB') ? found : undefined;
      });
      assert.match(text.split('\n')[0] ?? '', /\d+(?:\.\d)? of \d+(?:\.\d)? GiB on rank \d+/);
    });

    it('leaves the valid samples without an error', async () => {
      for (const file of [
        TRAINING,
        ['sglang-deepseek-v3.yaml'],
        ['megatron-mixtral', 'model_config.yaml'],
        ['llama-3.1-70b', 'config.json'],
      ]) {
        const { document } = await show(...file);
        await until('code lenses', async () => {
          const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>(
            'vscode.executeCodeLensProvider',
            document.uri,
          );
          return lenses.length > 0 ? lenses : undefined;
        });
        const errors = ownDiagnostics(document.uri).filter(
          ({ severity }) => severity === vscode.DiagnosticSeverity.Error,
        );
        assert.deepEqual(
          errors.map(({ message }) => message),
          [],
          file.join('/'),
        );
      }
    });

    it('marks every broken sample, at a value, with a rule page', async () => {
      for (const uri of await brokenFiles()) {
        const document = await vscode.workspace.openTextDocument(uri);
        await vscode.window.showTextDocument(document);
        const found = await until(`an error in ${uri.path}`, () => {
          const errors = ownDiagnostics(uri).filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
          return errors.length > 0 ? errors : undefined;
        });
        const first = found[0];
        assert.ok(first && !first.range.isEmpty, uri.path);
        assert.ok(typeof first.code === 'object' && first.code.target.path.includes('/docs/rules/'), uri.path);
      }
    });

    it('says so as the text becomes wrong, and takes it back as it becomes right', async () => {
      const editor = await show(...TRAINING);
      const { document } = editor;
      const at = positionOf(document, 'pipeline: 16').translate(0, 'pipeline: '.length - 1);
      const number = new vscode.Range(at, at.translate(0, 2));
      assert.equal(document.getText(number), '16');
      await editor.edit((edit) => {
        edit.replace(number, '15');
      });
      await until('an error', () =>
        ownDiagnostics(document.uri).some(({ severity }) => severity === vscode.DiagnosticSeverity.Error)
          ? true
          : undefined,
      );
      await editor.edit((edit) => {
        edit.replace(number, '16');
      });
      await until('no error', () =>
        ownDiagnostics(document.uri).some(({ severity }) => severity === vscode.DiagnosticSeverity.Error)
          ? undefined
          : true,
      );
    });

    it('offers legal values with their consequence', async () => {
      const { document } = await show(...TRAINING);
      const line = positionOf(document, 'pipeline: 16').line;
      const end = document.lineAt(line).text.indexOf(':') + 2;
      const list = await until('completions', async () => {
        const found = await vscode.commands.executeCommand<vscode.CompletionList>(
          'vscode.executeCompletionItemProvider',
          document.uri,
          new vscode.Position(line, end),
        );
        return found.items.some(({ detail }) => detail?.includes('GiB') === true) ? found : undefined;
      });
      assert.ok(list.items.every(({ detail }) => detail?.startsWith('refused') !== true));
    });

    it('fixes a divisibility fault', async () => {
      let applied = 0;
      for (const uri of await brokenFiles()) {
        await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri));
        const [problem] = await until('a diagnostic', () =>
          ownDiagnostics(uri).length > 0 ? ownDiagnostics(uri) : undefined,
        );
        assert.ok(problem);
        const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>(
          'vscode.executeCodeActionProvider',
          uri,
          problem.range,
        );
        const fix = actions.find(({ title }) => title.startsWith('Set '));
        if (fix?.edit === undefined) continue;
        await vscode.workspace.applyEdit(fix.edit);
        const code = typeof problem.code === 'object' ? problem.code.value : problem.code;
        await until(`${String(code)} gone`, () =>
          ownDiagnostics(uri).some((other) => typeof other.code === 'object' && other.code.value === code)
            ? undefined
            : true,
        );
        applied += 1;
        await vscode.commands.executeCommand('undo');
      }
      assert.ok(applied > 0, 'at least one broken sample has a quick fix');
    });
  });
}
