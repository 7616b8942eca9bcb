import * as vscode from 'vscode';
import {
  ADVICE_PROGRESS,
  type AdviceAnswer,
  type AdviceItem,
  type AdviceParams,
  type AdviceProgress,
  type AdviceView,
} from '../../server/src/protocol/advice';
import { REQUEST } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';

/** What a search is for; the same words mean latency, cache and throughput of a server. */
const OBJECTIVES: readonly (vscode.QuickPickItem & { readonly objective: 'time' | 'memory' | 'cost' })[] = [
  { label: 'Less time', description: 'of a training step, or between tokens to one user', objective: 'time' },
  {
    label: 'Less memory',
    description: 'on the fullest rank, or more of it for the cache of a server',
    objective: 'memory',
  },
  { label: 'Less cost', description: 'fewer GPU-hours, or more tokens a GPU', objective: 'cost' },
];

interface Row extends vscode.QuickPickItem {
  readonly item: AdviceItem;
}

const COMPARE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon('diff'), tooltip: 'Show the change' };

/** Runs the search with its progress in a notification that can cancel it; undefined when cancelled. */
async function search(client: ClientHandle, params: AdviceParams): Promise<AdviceAnswer | undefined> {
  const running = await client.get();
  const title = 'Looking for better layouts';
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    let told = 0;
    const listening = running.onNotification(ADVICE_PROGRESS, ({ uri, share }: AdviceProgress) => {
      if (uri !== params.uri || share <= told) return;
      progress.report({ increment: 100 * (share - told) });
      told = share;
    });
    try {
      return await running.sendRequest<AdviceAnswer>(REQUEST.advice, params, token);
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    } finally {
      listening.dispose();
    }
  });
}

function changeOf(document: vscode.TextDocument, { edits = [] }: AdviceItem): vscode.WorkspaceEdit {
  const change = new vscode.WorkspaceEdit();
  for (const { range, newText } of edits) {
    const { start, end } = range;
    change.replace(document.uri, new vscode.Range(start.line, start.character, end.line, end.character), newText);
  }
  return change;
}

/** The text as a layout would leave it, beside the text as it is. */
async function compare(document: vscode.TextDocument, item: AdviceItem): Promise<void> {
  const text = document.getText();
  const edits = (item.edits ?? [])
    .map(({ range, newText }, index) => {
      const at = (place: { line: number; character: number }): number =>
        document.offsetAt(new vscode.Position(place.line, place.character));
      return { start: at(range.start), end: at(range.end), newText, index };
    })
    .sort((a, b) => b.start - a.start || b.index - a.index);
  const content = edits.reduce(
    (result, { start, end, newText }) => result.slice(0, start) + newText + result.slice(end),
    text,
  );
  const after = await vscode.workspace.openTextDocument({ content, language: document.languageId });
  await vscode.commands.executeCommand('vscode.diff', document.uri, after.uri, item.title);
}

/** Writes a layout into the file as one step that can be undone; what has changed meanwhile is not overwritten. */
async function apply(document: vscode.TextDocument, view: AdviceView, item: AdviceItem): Promise<void> {
  if (item.edits === undefined) {
    void vscode.window.showInformationMessage(`This file has no place for all of it: ${item.changes.join(', ')}.`);
    return;
  }
  if (document.version !== view.version) {
    void vscode.window.showWarningMessage('The file has changed since the search; please search again.');
    return;
  }
  if (!(await vscode.workspace.applyEdit(changeOf(document, item))))
    throw new Error(`${document.uri.toString()} could not be changed.`);
}

function offer(document: vscode.TextDocument, view: AdviceView): void {
  const pick = vscode.window.createQuickPick<Row>();
  pick.title = view.unmet ? `Nothing fits; the nearest · now ${view.now}` : `Now ${view.now}`;
  pick.placeholder = [view.searched, ...view.notes].join(' · ');
  pick.matchOnDetail = true;
  pick.items = view.items.map((item) => ({
    // A row shows some eighty characters: first what the layout brings, then what it changes; the reasons show when it is pointed at.
    label: item.detail,
    detail: [item.changes.length > 0 ? item.changes.join(', ') : item.title, ...item.reasons].join(' · '),
    buttons: item.edits === undefined ? [] : [COMPARE],
    item,
  }));
  const failed = (error: unknown): void => {
    void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
  };
  pick.onDidTriggerItemButton(({ item: { item } }) => {
    compare(document, item).then(undefined, failed);
  });
  pick.onDidAccept(() => {
    const [chosen] = pick.selectedItems;
    pick.hide();
    if (chosen !== undefined) apply(document, view, chosen.item).then(undefined, failed);
  });
  pick.onDidHide(() => {
    pick.dispose();
  });
  pick.show();
}

const CLUSTER = 'Choose GPU and Nodes…';
const MODEL = 'Choose Model…';

/** Says what a search lacks, and asks for it where somebody wants to tell. */
async function askFirst(uri: vscode.Uri, reason: string, needs: readonly string[]): Promise<void> {
  const offers = [
    ...(needs.some((field) => field.startsWith('model.')) ? [MODEL] : []),
    ...(needs.some((field) => field.startsWith('cluster.')) ? [CLUSTER] : []),
  ];
  const chosen = await vscode.window.showInformationMessage(reason, ...offers);
  if (chosen === MODEL) await vscode.commands.executeCommand('shardlens.chooseModel', uri);
  else if (chosen === CLUSTER) await vscode.commands.executeCommand('shardlens.chooseCluster', uri);
}

/** Asks what to look for, searches, and offers what was found. */
export async function findBetterLayout(client: ClientHandle, uri: vscode.Uri): Promise<void> {
  const asked = await vscode.window.showQuickPick(OBJECTIVES, { title: 'Find a better layout' });
  if (asked === undefined) return;
  const document = await vscode.workspace.openTextDocument(uri);
  const answer = await search(client, { uri: uri.toString(), objective: asked.objective });
  if (answer === undefined) return;
  if ('empty' in answer) {
    await askFirst(uri, answer.reason, answer.needs ?? []);
    return;
  }
  if (answer.items.length === 0) {
    void vscode.window.showInformationMessage(
      `Nothing better was found among ${answer.searched}. ${[answer.now, ...answer.notes].join(' ')}`,
    );
    return;
  }
  offer(document, answer);
}
