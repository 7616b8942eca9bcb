import * as vscode from 'vscode';
import { REQUEST, type PlanView } from '../../server/src/protocol/requests';
import type { NoView } from '../../server/src/protocol/common';
import type { ClientHandle } from './client';

export interface StatusItem extends vscode.Disposable {
  /** Asks anew what the active document is. */
  readonly refresh: () => Promise<void>;
  /** What the active document was taken for, if it is ours. */
  readonly plan: () => PlanView | undefined;
}

function tooltip(plan: PlanView): vscode.MarkdownString {
  const lines = plan.facts.map(
    ({ label, value, origin }) => `| ${label} | ${value.replaceAll('|', '\\|')} | ${origin.replaceAll('|', '\\|')} |`,
  );
  const table = lines.length === 0 ? [] : ['| | | from |', '| --- | --- | --- |', ...lines];
  const missing = plan.missing.length === 0 ? [] : ['', `Not known: ${plan.missing.join(', ')}`];
  return new vscode.MarkdownString(
    [
      `**${plan.dialectTitle}** (${plan.reasons.join(', ')})`,
      '',
      ...table,
      ...missing,
      '',
      'Click to choose the model, the GPU or the number of nodes.',
    ].join('\n'),
  );
}

/** The status bar entry of the active document: what it is, on which GPUs, and how full the fullest rank is. */
export function createStatusItem(
  client: ClientHandle,
  onPlan: (uri: vscode.Uri | undefined, plan: PlanView | undefined) => void,
): StatusItem {
  const item = vscode.window.createStatusBarItem('shardlens.plan', vscode.StatusBarAlignment.Right, 90);
  item.name = 'Shardlens';
  item.command = 'shardlens.choose';
  let shown: PlanView | undefined;
  let asked = 0;
  const hide = (uri: vscode.Uri | undefined): void => {
    shown = undefined;
    item.hide();
    onPlan(uri, undefined);
  };
  const refresh = async (): Promise<void> => {
    const document = vscode.window.activeTextEditor?.document;
    asked += 1;
    const mine = asked;
    const running = client.current();
    // A panel or an output view is no editor: what was shown stays true of the file beside it.
    if (document === undefined) return;
    if (running === undefined) {
      hide(document.uri);
      return;
    }
    const answer = await running.sendRequest<PlanView | NoView>(REQUEST.plan, { uri: document.uri.toString() });
    if (mine !== asked) return;
    if ('empty' in answer) {
      hide(document.uri);
      return;
    }
    shown = answer;
    item.text = `$(server-environment) ${answer.summary}`;
    item.tooltip = tooltip(answer);
    item.accessibilityInformation = { label: `Shardlens: ${answer.dialectTitle}, ${answer.summary}`, role: 'button' };
    item.show();
    onPlan(document.uri, answer);
  };
  return {
    refresh,
    plan: () => shown,
    dispose: () => {
      item.dispose();
    },
  };
}
