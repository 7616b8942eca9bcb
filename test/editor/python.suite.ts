import assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { hoverText, ownDiagnostics, positionOf, until } from './support';

const EVERYDAY = 'import os\n\nprint(os.getcwd())\n';

/** Two jobs of a torchtitan registry; neither tokens nor heads of the second can be split over its tensor-parallel ranks. */
const REGISTRY = `from torchtitan.config import ParallelismConfig, TrainingConfig
from torchtitan.models.llama3 import model_registry
from torchtitan.trainer import Trainer


def llama3_8b() -> Trainer.Config:
    return Trainer.Config(
        model_spec=model_registry("8B"),
        training=TrainingConfig(num_tokens_per_microbatch_per_dp_rank=8192, max_context_length=8192),
    )


def llama3_70b() -> Trainer.Config:
    return Trainer.Config(
        model_spec=model_registry("70B"),
        training=TrainingConfig(num_tokens_per_microbatch_per_dp_rank=8192, max_context_length=8192),
        parallelism=ParallelismConfig(tensor_parallel_degree=24, data_parallel_shard_degree=4),
    )
`;

function errors(document: vscode.TextDocument): vscode.Diagnostic[] {
  return ownDiagnostics(document.uri).filter(({ severity }) => severity === vscode.DiagnosticSeverity.Error);
}

async function replace(editor: vscode.TextEditor, text: string): Promise<void> {
  const whole = new vscode.Range(0, 0, editor.document.lineCount, 0);
  assert.ok(
    await editor.edit((edit) => {
      edit.replace(whole, text);
    }),
  );
}

/** Configs written in Python, the only ones whose file type is somebody else's: they are read, every other program is left alone. */
export function pythonSuite(): void {
  describe('a torchtitan registry in Python', () => {
    it('has findings, lenses and a hover', async () => {
      const document = await vscode.workspace.openTextDocument({ language: 'python', content: REGISTRY });
      await vscode.window.showTextDocument(document);
      const [error] = await until('an error', () => (errors(document).length > 0 ? errors(document) : undefined));
      assert.ok(error);
      assert.match(error.message, /\b24\b/);
      assert.ok(!error.range.isEmpty);
      const text = await until('a hover', async () => {
        const found = await hoverText(
          document.uri,
          positionOf(document, 'tensor_parallel_degree').translate(0, 'tensor_parallel_degree='.length),
        );
        return found === '' ? undefined : found;
      });
      assert.match(text, /GiB|tensor/i);
    });

    it('is read as soon as a program becomes one, and left alone as soon as it is none', async () => {
      const document = await vscode.workspace.openTextDocument({ language: 'python', content: EVERYDAY });
      const editor = await vscode.window.showTextDocument(document);
      await replace(editor, REGISTRY);
      await until('an error', () => (errors(document).length > 0 ? true : undefined));
      await replace(editor, EVERYDAY);
      await until('no error', () => (ownDiagnostics(document.uri).length === 0 ? true : undefined));
    });
  });
}
