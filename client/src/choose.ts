import * as vscode from 'vscode';
import type { PlanView } from '../../server/src/protocol/requests';

type Key = 'model' | 'gpu' | 'nodes' | 'gpus';

const COMMENT = /^([ \t]*#\s*shardlens:)(?!\s*ignore)(.*)$/m;

/** The comment line with one key set; other keys keep their values and order. */
export function withDirective(line: string, key: Key, value: string): string {
  const written = /\s/.test(value) ? `"${value}"` : value;
  const pair = new RegExp(`(^|\\s)${key}\\s*=\\s*("[^"]*"|\\S+)`);
  return pair.test(line) ? line.replace(pair, `$1${key}=${written}`) : `${line.trimEnd()} ${key}=${written}`;
}

function editComment(document: vscode.TextDocument, key: Key, value: string): vscode.WorkspaceEdit {
  const edit = new vscode.WorkspaceEdit();
  const text = document.getText();
  const match = COMMENT.exec(text);
  if (match === null) {
    edit.insert(document.uri, new vscode.Position(0, 0), `${withDirective('# shardlens:', key, value)}\n`);
    return edit;
  }
  const range = new vscode.Range(document.positionAt(match.index), document.positionAt(match.index + match[0].length));
  edit.replace(document.uri, range, withDirective(match[0], key, value));
  return edit;
}

/** JSON has no comments, so what a person says of it goes into the workspace's `.shardlens.yaml`. */
async function editWorkspaceFile(
  document: vscode.TextDocument,
  key: Key,
  value: string,
): Promise<vscode.WorkspaceEdit | undefined> {
  const folder = vscode.workspace.getWorkspaceFolder(document.uri);
  if (folder === undefined) {
    void vscode.window.showWarningMessage(
      'This file is outside the workspace, so there is no .shardlens.yaml to write to; set shardlens.model or shardlens.gpu instead.',
    );
    return undefined;
  }
  const file = vscode.Uri.joinPath(folder.uri, '.shardlens.yaml');
  const glob = vscode.workspace.asRelativePath(document.uri, false);
  const edit = new vscode.WorkspaceEdit();
  const entry = `${JSON.stringify(glob)}:\n  ${key}: ${JSON.stringify(value)}\n`;
  try {
    const open = await vscode.workspace.openTextDocument(file);
    const text = open.getText();
    const section = new RegExp(`^["']?${glob.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}["']?:[ \\t]*\\r?\\n`, 'm').exec(
      text,
    );
    if (section === null)
      edit.insert(
        file,
        open.positionAt(text.length),
        `${text.length === 0 || text.endsWith('\n') ? '' : '\n'}${entry}`,
      );
    else {
      const start = section.index + section[0].length;
      const body = /^(?:[ \t]+.*(?:\r?\n|$))*/.exec(text.slice(start))?.[0] ?? '';
      const old = new RegExp(`^[ \\t]+${key}:.*$`, 'm').exec(body);
      if (old === null) edit.insert(file, open.positionAt(start), `  ${key}: ${JSON.stringify(value)}\n`);
      else
        edit.replace(
          file,
          new vscode.Range(open.positionAt(start + old.index), open.positionAt(start + old.index + old[0].length)),
          `  ${key}: ${JSON.stringify(value)}`,
        );
    }
  } catch {
    edit.createFile(file, { ignoreIfExists: true });
    edit.insert(file, new vscode.Position(0, 0), entry);
  }
  return edit;
}

async function write(document: vscode.TextDocument, key: Key, value: string): Promise<void> {
  const json = document.languageId === 'json' || document.languageId === 'jsonc' || /\.jsonc?$/.test(document.uri.path);
  const edit = json ? await editWorkspaceFile(document, key, value) : editComment(document, key, value);
  if (edit !== undefined) await vscode.workspace.applyEdit(edit);
}

async function pickName(
  title: string,
  names: readonly string[],
  current: string | undefined,
): Promise<string | undefined> {
  const picked = await vscode.window.showQuickPick(
    names.map((label) => ({ label, ...(label === current ? { description: 'now' } : {}) })),
    { title, matchOnDescription: true },
  );
  return picked?.label;
}

async function askNumber(title: string, current: string | undefined): Promise<string | undefined> {
  return vscode.window.showInputBox({
    title,
    ...(current === undefined ? {} : { value: current.replaceAll(',', '') }),
    validateInput: (text) => (/^[1-9]\d{0,6}$/.test(text.trim()) ? undefined : 'A positive whole number is needed.'),
  });
}

function factOf(plan: PlanView, field: string): string | undefined {
  return plan.facts.find((fact) => fact.field === field)?.value;
}

/** Lets a person choose the model of the active file. */
export async function chooseModel(document: vscode.TextDocument, plan: PlanView): Promise<void> {
  const name = await pickName('Model', plan.choices.models, factOf(plan, 'model.name'));
  if (name !== undefined) await write(document, 'model', name);
}

/** Lets a person choose GPU and number of nodes of the active file. */
export async function chooseCluster(document: vscode.TextDocument, plan: PlanView): Promise<void> {
  const gpu = await pickName('GPU', plan.choices.gpus, factOf(plan, 'cluster.gpu'));
  if (gpu === undefined) return;
  await write(document, 'gpu', gpu);
  const nodes = await askNumber('Number of nodes', factOf(plan, 'cluster.nodes') ?? '1');
  if (nodes !== undefined) await write(document, 'nodes', nodes.trim());
}
