import * as vscode from 'vscode';
import { bytesToText, isBinaryName } from '../../server/src/protocol/bytes';
import type { ReadFileAnswer } from '../../server/src/protocol/requests';

const MAX_BYTES = 1024 * 1024;

/** Text of a file below a workspace folder, at most 1 MB; an empty answer for everything else. Works on virtual file systems too. */
export async function readWorkspaceFile(uri: string): Promise<ReadFileAnswer> {
  const file = vscode.Uri.parse(uri, true);
  if (file.path.split(/[\\/]/).includes('..') || vscode.workspace.getWorkspaceFolder(file) === undefined) return {};
  try {
    const { type, size } = await vscode.workspace.fs.stat(file);
    if (type !== vscode.FileType.File || size > MAX_BYTES) return {};
    const bytes = await vscode.workspace.fs.readFile(file);
    return { text: isBinaryName(file.path) ? bytesToText(bytes) : new TextDecoder().decode(bytes) };
  } catch {
    // A file that is not there is an ordinary answer, not a fault.
    return {};
  }
}
