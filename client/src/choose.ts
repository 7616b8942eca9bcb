import * as vscode from 'vscode';
import type { PlanView } from '../../server/src/protocol/requests';
import type { DirectiveValues } from './directive-text';
import { relativePath } from './uri-paths';

function factOf(plan: PlanView, field: string): string | undefined {
  return plan.facts.find((fact) => fact.field === field)?.value;
}

interface NameItem extends vscode.QuickPickItem {
  readonly pick: () => Promise<string | undefined>;
}

function nameItems(names: readonly string[], current: string | undefined): NameItem[] {
  return names.map((label) => ({
    label,
    ...(label === current ? { description: 'now' } : {}),
    pick: () => Promise.resolve(label),
  }));
}

/** A Hugging Face config.json of one's own, as a path that the server may follow: below the same workspace folder. */
async function askConfigFile(document: vscode.TextDocument): Promise<string | undefined> {
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  const [file] =
    (await vscode.window.showOpenDialog({
      title: 'config.json of the model',
      canSelectMany: false,
      filters: { 'Model config': ['json'] },
      ...(folder === undefined ? {} : { defaultUri: folder.uri }),
    })) ?? [];
  if (file === undefined) return undefined;
  const inside = folder !== undefined && vscode.workspace.getWorkspaceFolder(file)?.index === folder.index;
  if (inside) return relativePath(document.uri.path, file.path);
  void vscode.window.showWarningMessage('Shardlens reads files of the workspace only; copy the config.json into it.');
  return undefined;
}

/** Asks for the model of a file; nothing when the person leaves. */
export async function askModel(document: vscode.TextDocument, plan: PlanView): Promise<DirectiveValues | undefined> {
  const own: NameItem = {
    label: '$(folder-opened) Another model: choose its config.json…',
    alwaysShow: true,
    pick: () => askConfigFile(document),
  };
  const items = [...nameItems(plan.choices.models, factOf(plan, 'model.name')), own];
  const name = await (await vscode.window.showQuickPick(items, { title: 'Model', matchOnDescription: true }))?.pick();
  return name === undefined ? undefined : [['model', name]];
}

/** Asks for GPU and number of nodes of a file; nothing when the person leaves at either step. */
export async function askCluster(_document: vscode.TextDocument, plan: PlanView): Promise<DirectiveValues | undefined> {
  const items = nameItems(plan.choices.gpus, factOf(plan, 'cluster.gpu'));
  const gpu = await (await vscode.window.showQuickPick(items, { title: 'GPU (step 1 of 2)' }))?.pick();
  if (gpu === undefined) return undefined;
  const nodes = await vscode.window.showInputBox({
    title: 'Number of nodes (step 2 of 2)',
    value: (factOf(plan, 'cluster.nodes') ?? '1').replace(/\D/g, ''),
    validateInput: (text) => (/^[1-9]\d{0,6}$/.test(text.trim()) ? undefined : 'A positive whole number is needed.'),
  });
  if (nodes === undefined) return undefined;
  return [
    ['gpu', gpu],
    ['nodes', nodes.trim()],
  ];
}
