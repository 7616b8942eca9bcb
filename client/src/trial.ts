import * as vscode from 'vscode';
import type { WhatIfView } from '../../server/src/protocol/what-if';

/** Writes tried values into the file as one step that can be undone; what has changed meanwhile is not overwritten. */
export async function applyTrial(
  uri: vscode.Uri,
  { version, edits = [] }: Pick<WhatIfView, 'version' | 'edits'>,
): Promise<void> {
  const document = await vscode.workspace.openTextDocument(uri);
  if (document.version !== version) {
    void vscode.window.showWarningMessage('The file has changed since these values were tried; please try again.');
    return;
  }
  const change = new vscode.WorkspaceEdit();
  for (const { range, newText } of edits) {
    const { start, end } = range;
    change.replace(uri, new vscode.Range(start.line, start.character, end.line, end.character), newText);
  }
  if (!(await vscode.workspace.applyEdit(change))) throw new Error(`${uri.toString()} could not be changed.`);
}
