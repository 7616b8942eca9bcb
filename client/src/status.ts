import * as vscode from 'vscode';
import type { NoView } from '../../server/src/protocol/common';
import { REQUEST, type PlanView } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';

export interface StatusItem extends vscode.Disposable {
  /** Asks anew what the active document is. Never fails: a fault goes to the log. */
  readonly refresh: () => Promise<void>;
  /** What the active document was taken for, if it is ours. */
  readonly plan: () => PlanView | undefined;
}

/** Text of a file inside a Markdown table: it must neither end the cell nor become a link or an image. */
function cell(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+!|<>~]/g, '\\$&').replace(/\s+/g, ' ');
}

function tooltip(plan: PlanView): vscode.MarkdownString {
  const rows = plan.facts.map(({ label, value, origin }) => `| ${cell(label)} | ${cell(value)} | ${cell(origin)} |`);
  const table = rows.length === 0 ? [] : ['| | | from |', '| --- | --- | --- |', ...rows];
  const missing = plan.missing.length === 0 ? [] : ['', `Not known: ${cell(plan.missing.join(', '))}`];
  const head = `**${cell(plan.dialectTitle)}** (${cell(plan.reasons.join(', '))})`;
  const hint = 'Click to choose the model, the GPU or the number of nodes.';
  const stale = plan.stale === undefined ? [] : [cell(plan.stale), ''];
  return new vscode.MarkdownString([head, '', ...stale, ...table, ...missing, '', hint].join('\n'));
}

/** The status bar entry of the active document: what it is, on which GPUs, and how full the fullest rank is. */
export function createStatusItem(
  client: ClientHandle,
  output: vscode.LogOutputChannel,
  onPlan: (uri: vscode.Uri, plan: PlanView | undefined) => void,
): StatusItem {
  const item = vscode.window.createStatusBarItem('shardlens.plan', vscode.StatusBarAlignment.Right, 90);
  item.name = 'Shardlens';
  item.command = 'shardlens.choose';
  let shown: PlanView | undefined;
  let asked = 0;
  const show = (uri: vscode.Uri, plan: PlanView | undefined): void => {
    shown = plan;
    if (plan === undefined) item.hide();
    else {
      // While the text is broken the numbers are those of the last one that was not.
      item.text = `$(${plan.stale === undefined ? 'server-environment' : 'history'}) ${plan.summary}`;
      item.tooltip = tooltip(plan);
      item.accessibilityInformation = { label: `Shardlens: ${plan.dialectTitle}, ${plan.summary}`, role: 'button' };
      item.show();
    }
    onPlan(uri, plan);
  };
  const ask = async (uri: vscode.Uri): Promise<PlanView | undefined> => {
    const answer = await client.current()?.sendRequest<PlanView | NoView>(REQUEST.plan, { uri: uri.toString() });
    return answer === undefined || 'empty' in answer ? undefined : answer;
  };
  const refresh = async (): Promise<void> => {
    const uri = vscode.window.activeTextEditor?.document.uri;
    // A panel or the log is no config file: what was shown stays true of the file beside it.
    if (uri === undefined || uri.scheme === 'output') return;
    asked += 1;
    const mine = asked;
    try {
      const plan = await ask(uri);
      if (mine === asked) show(uri, plan);
    } catch (error) {
      output.error(`The state of ${uri.toString()} could not be asked: ${String(error)}`);
    }
  };
  return {
    refresh,
    plan: () => shown,
    dispose: () => {
      item.dispose();
    },
  };
}
