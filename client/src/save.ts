import * as vscode from 'vscode';
import type { FromWebview } from '../../server/src/protocol/panels';

type SaveMessage = Extract<FromWebview, { type: 'save' }>;

function bytesOf(message: SaveMessage): Uint8Array {
  if (message.base64 === undefined) return new TextEncoder().encode(message.text ?? '');
  return Uint8Array.from(atob(message.base64), (character) => character.charCodeAt(0));
}

/** Where the dialog starts: beside the config; a file that was never saved has no place of its own. */
function folderOf(config: string): vscode.Uri | undefined {
  const source = vscode.Uri.parse(config);
  if (source.path.startsWith('/')) return vscode.Uri.joinPath(source, '..');
  return vscode.workspace.workspaceFolders?.[0]?.uri;
}

/** Asks where to put an export of a panel and writes it. */
export async function saveExport(message: SaveMessage, config: string): Promise<void> {
  const name = message.fileName.replace(/[\\/:*?"<>|]/g, '-');
  const folder = folderOf(config);
  const options = folder === undefined ? {} : { defaultUri: vscode.Uri.joinPath(folder, name) };
  const target = await vscode.window.showSaveDialog(options);
  if (target !== undefined) await vscode.workspace.fs.writeFile(target, bytesOf(message));
}
