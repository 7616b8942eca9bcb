import * as vscode from 'vscode';
import type { NoView } from '../../server/src/protocol/common';
import { REQUEST, type EffectiveView } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';

const SCHEME = 'shardlens-effective';

export interface EffectiveDocuments extends vscode.Disposable {
  /** Opens the effective configuration beside its file. */
  readonly open: (source: vscode.Uri) => Promise<void>;
  /** The analysis of a file changed: its effective configuration, where it is open, is asked anew. */
  readonly changed: (uri: string) => void;
}

/** The file's own name in front, so that the tab says what it is; the whole address behind, as it may be anything. */
function effectiveUri(source: vscode.Uri): vscode.Uri {
  const name = source.path.split('/').at(-1) ?? 'config';
  return vscode.Uri.from({ scheme: SCHEME, path: `/${name} (effective).yaml`, query: source.toString() });
}

/** Read-only texts that say what the framework will run for an open file. */
export function createEffectiveDocuments(client: ClientHandle): EffectiveDocuments {
  const changes = new vscode.EventEmitter<vscode.Uri>();
  const provider: vscode.TextDocumentContentProvider = {
    onDidChange: changes.event,
    provideTextDocumentContent: async (uri) => {
      const running = await client.get();
      const answer = await running.sendRequest<EffectiveView | NoView>(REQUEST.effective, { uri: uri.query });
      return 'empty' in answer ? `# ${answer.reason}\n` : answer.text;
    },
  };
  const registration = vscode.workspace.registerTextDocumentContentProvider(SCHEME, provider);
  return {
    open: async (source) => {
      const document = await vscode.workspace.openTextDocument(effectiveUri(source));
      const options = { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true };
      await vscode.window.showTextDocument(document, options);
    },
    changed: (uri) => {
      const open = vscode.workspace.textDocuments.find(
        (document) => document.uri.scheme === SCHEME && document.uri.query === uri,
      );
      if (open !== undefined) changes.fire(open.uri);
    },
    dispose: () => {
      registration.dispose();
      changes.dispose();
    },
  };
}
