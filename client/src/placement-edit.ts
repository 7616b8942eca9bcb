import * as vscode from 'vscode';
import { PLACEMENT_TEXTS } from '../../server/src/protocol/placement-text';
import type {
  PlacementEditAnswer,
  PlacementEditParams,
  PlacementTextAnswer,
  PlacementTextParams,
  SlotChange,
} from '../../server/src/protocol/placement';
import { REQUEST } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';
import { saveExport } from './save';

/** Puts other experts into slots of the text that holds the placement, as one step that the editor can undo. */
export async function editPlacement(client: ClientHandle, uri: string, changes: readonly SlotChange[]): Promise<void> {
  const running = await client.get();
  const params: PlacementEditParams = { uri, changes };
  const answer = await running.sendRequest<PlacementEditAnswer>(REQUEST.placementEdit, params);
  if (answer.uri === undefined || answer.edits.length === 0) return;
  const target = vscode.Uri.parse(answer.uri, true);
  // An edit of a file that is not open would be written to disk with nothing to undo it in.
  await vscode.workspace.openTextDocument(target);
  const edit = new vscode.WorkspaceEdit();
  for (const { range, newText } of answer.edits) {
    const { start, end } = range;
    edit.replace(target, new vscode.Range(start.line, start.character, end.line, end.character), newText);
  }
  await vscode.workspace.applyEdit(edit);
}

/** Asks for a format and a place, and writes the placement that the file would have. */
export async function savePlacement(client: ClientHandle, uri: vscode.Uri): Promise<void> {
  const items = Object.entries(PLACEMENT_TEXTS).map(([format, { title }]) => ({ label: title, format }));
  const picked = await vscode.window.showQuickPick(items, { title: 'Save the placement for' });
  if (picked === undefined) return;
  const running = await client.get();
  const params: PlacementTextParams = { uri: uri.toString(), format: picked.format };
  const answer = await running.sendRequest<PlacementTextAnswer>(REQUEST.placementText, params);
  if ('empty' in answer) void vscode.window.showInformationMessage(answer.reason);
  else await saveExport({ type: 'save', fileName: answer.fileName, text: answer.text }, uri.toString());
}
