import * as vscode from 'vscode';
import { REQUEST, type TranslateAnswer, type TranslateParams } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';

/** Asks for a format and opens the layout in it as a new, unsaved file; nothing is written anywhere. */
export async function convertLayout(client: ClientHandle, source: vscode.Uri): Promise<void> {
  const running = await client.get();
  const ask = (target?: string): Promise<TranslateAnswer> => {
    const params: TranslateParams = { uri: source.toString(), ...(target === undefined ? {} : { target }) };
    return running.sendRequest<TranslateAnswer>(REQUEST.translate, params);
  };
  const { targets } = await ask();
  if (targets.length === 0) {
    void vscode.window.showInformationMessage('This file holds no layout that another framework could be given.');
    return;
  }
  const items = targets.map(({ dialect, title }) => ({ label: title, dialect }));
  const picked = await vscode.window.showQuickPick(items, { title: 'Convert the layout to' });
  const result = picked === undefined ? undefined : (await ask(picked.dialect)).result;
  if (result === undefined) return;
  // VS Code brings no TOML of its own: a language that is not known would be refused.
  const known = await vscode.languages.getLanguages();
  const language = known.includes(result.language) ? result.language : 'plaintext';
  const document = await vscode.workspace.openTextDocument({ content: result.text, language });
  await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preview: false });
  if (result.language !== 'json' || result.report.length === 0) return;
  // JSON has no comments: what could not be said stands in a file of its own.
  const content = result.report.map((line) => `- ${line}`).join('\n');
  const report = await vscode.workspace.openTextDocument({ content: `${content}\n`, language: 'markdown' });
  await vscode.window.showTextDocument(report, { viewColumn: vscode.ViewColumn.Beside, preview: false });
}
