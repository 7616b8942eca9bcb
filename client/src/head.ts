import * as vscode from 'vscode';
import type { ReadHeadAnswer } from '../../server/src/protocol/advice';

/** What we use of the built-in Git extension (extensions/git/src/api/git.d.ts of VS Code, version 1). */
interface GitRepository {
  readonly show: (ref: string, path: string) => Promise<string>;
}
interface GitApi {
  /** `initialized` once the folders of the window were searched for repositories. */
  readonly state: 'uninitialized' | 'initialized';
  readonly getRepository: (uri: vscode.Uri) => GitRepository | null;
}
interface GitExtension {
  readonly enabled: boolean;
  readonly getAPI: (version: 1) => GitApi;
}

const MOST_CHARACTERS = 1024 * 1024;

/** How long the Git extension may take to start and to look for repositories, and how often it is looked at. */
const PATIENCE_MS = 30_000;
const STEP_MS = 500;

/** The repository of a file; undefined where there is none, `later` as long as the Git extension does not know. */
function repositoryOf(file: vscode.Uri): GitRepository | 'later' | undefined {
  const extension = vscode.extensions.getExtension<GitExtension>('vscode.git');
  if (extension === undefined) return undefined;
  // Nobody's Git is woken for a lens: it starts by itself, mostly after us.
  if (!extension.isActive) return 'later';
  if (!extension.exports.enabled) return undefined;
  const api = extension.exports.getAPI(1);
  return api.getRepository(file) ?? (api.state === 'uninitialized' ? 'later' : undefined);
}

/** The file as it was last committed, from the built-in Git extension; empty where there is none, which is no fault. */
export async function readHead(uri: string): Promise<ReadHeadAnswer> {
  try {
    const file = vscode.Uri.parse(uri, true);
    let repository = repositoryOf(file);
    for (let waited = 0; repository === 'later' && waited < PATIENCE_MS; waited += STEP_MS) {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      repository = repositoryOf(file);
    }
    const text = repository === 'later' ? undefined : await repository?.show('HEAD', file.fsPath);
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
