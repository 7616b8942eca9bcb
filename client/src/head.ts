import * as vscode from 'vscode';
import type { ReadHeadAnswer } from '../../server/src/protocol/advice';

/** What we use of the built-in Git extension (extensions/git/src/api/git.d.ts of VS Code, version 1). */
interface GitRepository {
  readonly show: (ref: string, path: string) => Promise<string>;
}
interface GitApi {
  readonly getRepository: (uri: vscode.Uri) => GitRepository | null;
}
interface GitExtension {
  readonly enabled: boolean;
  readonly getAPI: (version: 1) => GitApi;
}

const MOST_CHARACTERS = 1024 * 1024;

/** The file as it was last committed, from the built-in Git extension; empty where there is none, which is no fault. */
export async function readHead(uri: string): Promise<ReadHeadAnswer> {
  try {
    const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
    // Nobody's Git is woken for a lens.
    if (extension?.isActive !== true || !extension.exports.enabled) return {};
    const file = vscode.Uri.parse(uri, true);
    const text = await extension.exports.getAPI(1).getRepository(file)?.show('HEAD', file.fsPath);
    return text === undefined || text.length > MOST_CHARACTERS ? {} : { text };
  } catch {
    return {};
  }
}

/** Shows what changed since the last commit, in the editor's own comparison. */
export async function openChange(uri: vscode.Uri): Promise<void> {
  try {
    await vscode.commands.executeCommand('git.openChange', uri);
  } catch {
    void vscode.window.showInformationMessage('The Git extension has no committed version of this file to show.');
  }
}
