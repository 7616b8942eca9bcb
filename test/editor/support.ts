import assert from 'node:assert/strict';
import * as vscode from 'vscode';

const STEP_MS = 100;
const LIMIT_MS = 30_000;

/** Waits until `probe` answers something, and fails with `what` when it never does. */
export async function until<T>(what: string, probe: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const end = Date.now() + LIMIT_MS;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    assert.ok(Date.now() < end, `waited ${String(LIMIT_MS)} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

/** A file of the workspace the tests run in, a copy of the samples. */
export function sample(...parts: string[]): vscode.Uri {
  const folder = vscode.workspace.workspaceFolders?.[0];
  assert.ok(folder, 'the tests need the samples as their workspace');
  return vscode.Uri.joinPath(folder.uri, ...parts);
}

/** Opens a sample in an editor. */
export async function show(...parts: string[]): Promise<vscode.TextEditor> {
  const document = await vscode.workspace.openTextDocument(sample(...parts));
  return vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.One });
}

/** Our diagnostics of a document. */
export function ownDiagnostics(uri: vscode.Uri): vscode.Diagnostic[] {
  return vscode.languages.getDiagnostics(uri).filter(({ source }) => source === 'shardlens');
}

/** Position just inside the first occurrence of `text`. */
export function positionOf(document: vscode.TextDocument, text: string): vscode.Position {
  const offset = document.getText().indexOf(text);
  assert.ok(offset >= 0, `${text} is not in ${document.uri.path}`);
  return document.positionAt(offset + 1);
}

/** All text of the hovers at a position. */
export async function hoverText(uri: vscode.Uri, position: vscode.Position): Promise<string> {
  const hovers = await vscode.commands.executeCommand<vscode.Hover[]>('vscode.executeHoverProvider', uri, position);
  return hovers
    .flatMap(({ contents }) => contents.map((content) => (typeof content === 'string' ? content : content.value)))
    .join('\n');
}

/** Takes what a quick pick or an input box shows first; its time to appear is not told, so the key is pressed until `done` holds. */
export async function accept<T>(what: string, done: () => T | undefined | Promise<T | undefined>): Promise<T> {
  return until(what, async () => {
    await vscode.commands.executeCommand('workbench.action.acceptSelectedQuickOpenItem');
    await new Promise((resolve) => setTimeout(resolve, 200));
    return done();
  });
}
