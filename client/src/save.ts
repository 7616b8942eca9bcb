import * as vscode from 'vscode';
import type { FromWebview } from '../../server/src/protocol/panels';

type SaveMessage = Extract<FromWebview, { type: 'save' }>;

function bytesOf(message: SaveMessage): Uint8Array {
  if (message.base64 === undefined) return new TextEncoder().encode(message.text ?? '');
  return Uint8Array.from(atob(message.base64), (character) => character.charCodeAt(0));
}

/** Asks where to put an export of a panel, beside the config first, and writes it. */
export async function saveExport(message: SaveMessage, beside: string): Promise<void> {
  const source = vscode.Uri.parse(beside, true);
  const folder = vscode.Uri.joinPath(source, '..');
  const name = message.fileName.replace(/[\\/:*?"<>|]/g, '-');
  const target = await vscode.window.showSaveDialog({ defaultUri: vscode.Uri.joinPath(folder, name) });
  if (target !== undefined) await vscode.workspace.fs.writeFile(target, bytesOf(message));
}
