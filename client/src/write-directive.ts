import * as vscode from 'vscode';
import { commentChange, globOf, workspaceChange, type DirectiveValues, type TextChange } from './directive-text';

function rangeOf(document: vscode.TextDocument, { start, end }: TextChange): vscode.Range {
  return new vscode.Range(document.positionAt(start), document.positionAt(end));
}

async function exists(file: vscode.Uri): Promise<boolean> {
  return vscode.workspace.fs.stat(file).then(
    () => true,
    () => false,
  );
}

/** The `.shardlens.yaml` that the server reads for a file: the nearest one above it, else one to be made at the workspace folder. */
async function workspaceFileOf(document: vscode.Uri, folder: vscode.Uri): Promise<vscode.Uri> {
  let parent = vscode.Uri.joinPath(document, '..');
  while (parent.path.length > folder.path.length && parent.path.startsWith(folder.path)) {
    const file = vscode.Uri.joinPath(parent, '.shardlens.yaml');
    if (await exists(file)) return file;
    parent = vscode.Uri.joinPath(parent, '..');
  }
  return vscode.Uri.joinPath(folder, '.shardlens.yaml');
}

/** JSON has no comments, so what a person says of it goes into `.shardlens.yaml`. */
async function writeWorkspaceFile(document: vscode.TextDocument, values: DirectiveValues): Promise<void> {
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  if (folder === undefined) {
    void vscode.window.showWarningMessage(
      'This file is outside the workspace, so there is no .shardlens.yaml to write to; set shardlens.model and shardlens.gpu in the settings instead.',
    );
    return;
  }
  const file = await workspaceFileOf(document.uri, folder.uri);
  const home = vscode.Uri.joinPath(file, '..').path;
  const glob = globOf(document.uri.path.slice(home.endsWith('/') ? home.length : home.length + 1));
  const edit = new vscode.WorkspaceEdit();
  if (await exists(file)) {
    const target = await vscode.workspace.openTextDocument(file);
    const change = workspaceChange(target.getText(), glob, values);
    edit.replace(file, rangeOf(target, change), change.text);
  } else {
    edit.createFile(file, { contents: new TextEncoder().encode(workspaceChange('', glob, values).text) });
  }
  const seen = vscode.window.visibleTextEditors.some((editor) => editor.document.uri.toString() === file.toString());
  if (!(await vscode.workspace.applyEdit(edit))) throw new Error(`${file.toString()} could not be changed.`);
  // A file that nobody looks at must not be left unsaved behind their back.
  if (!seen) await (await vscode.workspace.openTextDocument(file)).save();
  const said = values.map(([key, value]) => `${key} ${value}`).join(', ');
  vscode.window.setStatusBarMessage(`Shardlens: ${said} written to ${vscode.workspace.asRelativePath(file)}`, 6000);
}

/** Says of a document which model or cluster it is for: in a comment at its top, or for JSON in `.shardlens.yaml`; one step to undo. */
export async function writeDirective(document: vscode.TextDocument, values: DirectiveValues): Promise<void> {
  const json = ['json', 'jsonc'].includes(document.languageId) || /\.jsonc?$/.test(document.uri.path);
  if (json) {
    await writeWorkspaceFile(document, values);
    return;
  }
  const change = commentChange(document.getText(), values);
  const edit = new vscode.WorkspaceEdit();
  edit.replace(document.uri, rangeOf(document, change), change.text);
  if (!(await vscode.workspace.applyEdit(edit))) throw new Error(`${document.uri.toString()} could not be changed.`);
}
