import * as vscode from 'vscode';
import type { SourceLink, ViewParams } from '../../server/src/protocol/common';
import type { FromWebview, PanelKind, PanelState, ToWebview } from '../../server/src/protocol/panels';
import { REQUEST, type AnalysisChangedParams } from '../../server/src/protocol/requests';
import type { ClientHandle } from './client';
import { panelHtml } from './panel-html';
import { saveExport } from './save';

export const PANEL_KINDS: readonly PanelKind[] = ['timeline', 'placement', 'memory'];

const TITLES: Readonly<Record<PanelKind, string>> = {
  timeline: 'Pipeline Timeline',
  placement: 'Expert Placement',
  memory: 'Memory Breakdown',
};
const REQUESTS: Readonly<Record<PanelKind, string>> = {
  timeline: REQUEST.schedule,
  placement: REQUEST.placement,
  memory: REQUEST.memory,
};

/** View type of a panel; `package.json` names the same ones to wake the extension for a restored panel. */
export function viewType(kind: PanelKind): string {
  return `shardlens.${kind}`;
}

/** One open panel and what it shows. */
interface OpenPanel {
  readonly kind: PanelKind;
  readonly panel: vscode.WebviewPanel;
  uri: string;
  pinned: boolean;
  ready: boolean;
  disposed: boolean;
  parameters: { readonly kind?: string; readonly policy?: string };
  /** Counts requests: an answer that a newer one has overtaken is dropped. */
  asked: number;
}

export interface PanelManager {
  readonly open: (kind: PanelKind, uri: vscode.Uri) => void;
  readonly revive: (kind: PanelKind, panel: vscode.WebviewPanel, state: unknown) => void;
  /** A document was analysed anew. */
  readonly changed: (params: AnalysisChangedParams) => void;
  /** Another qualifying document became active. */
  readonly follow: (uri: vscode.Uri) => void;
}

interface Context {
  readonly extensionUri: vscode.Uri;
  readonly client: ClientHandle;
  readonly output: vscode.LogOutputChannel;
}

async function reveal(link: SourceLink): Promise<void> {
  const { start, end } = link.range;
  const selection = new vscode.Range(start.line, start.character, end.line, end.character);
  await vscode.window.showTextDocument(vscode.Uri.parse(link.uri, true), {
    selection,
    viewColumn: vscode.ViewColumn.One,
    preserveFocus: false,
  });
}

/** The document must be known to the server: a restored panel may come before its file was shown. */
async function openDocument(uri: string): Promise<void> {
  if (vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri)) return;
  await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
}

async function refresh(context: Context, open: OpenPanel): Promise<void> {
  if (!open.ready || open.disposed || !open.panel.visible) return;
  open.asked += 1;
  const mine = open.asked;
  try {
    const client = await context.client.get();
    await openDocument(open.uri);
    const params: ViewParams & OpenPanel['parameters'] = { uri: open.uri, ...open.parameters };
    const answer: unknown = await client.sendRequest(REQUESTS[open.kind], params);
    if (open.disposed || mine !== open.asked) return;
    await open.panel.webview.postMessage({ type: open.kind, answer, pinned: open.pinned } as unknown as ToWebview);
  } catch (error) {
    context.output.error(`${TITLES[open.kind]} of ${open.uri}: ${String(error)}`);
  }
}

function receive(context: Context, open: OpenPanel, message: FromWebview): void {
  const failed = (error: unknown): void => {
    context.output.error(`${TITLES[open.kind]}: ${String(error)}`);
  };
  switch (message.type) {
    case 'ready':
      open.ready = true;
      void refresh(context, open);
      return;
    case 'reveal':
      reveal(message.link).then(undefined, failed);
      return;
    case 'request':
      open.parameters = {
        ...(message.kind === undefined ? {} : { kind: message.kind }),
        ...(message.policy === undefined ? {} : { policy: message.policy }),
      };
      void refresh(context, open);
      return;
    case 'pin':
      open.pinned = message.pinned;
      return;
    case 'save':
      saveExport(message, open.uri).then(undefined, failed);
      return;
    default:
      context.output.warn(`${TITLES[open.kind]} sent a message that nobody knows: ${JSON.stringify(message)}`);
  }
}

function isState(value: unknown): value is PanelState {
  return typeof value === 'object' && value !== null && typeof (value as PanelState).uri === 'string';
}

/** Opens, restores and feeds the three panels; at most one of each kind. */
export function createPanelManager(context: Context): PanelManager {
  const panels = new Map<PanelKind, OpenPanel>();
  const adopt = (kind: PanelKind, panel: vscode.WebviewPanel, uri: string, pinned: boolean): OpenPanel => {
    const open: OpenPanel = { kind, panel, uri, pinned, ready: false, disposed: false, parameters: {}, asked: 0 };
    panel.webview.options = {
      enableScripts: true,
      localResourceRoots: [vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview')],
    };
    panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'icon.png');
    panel.webview.onDidReceiveMessage((message: FromWebview) => {
      receive(context, open, message);
    });
    panel.onDidChangeViewState(() => void refresh(context, open));
    panel.onDidDispose(() => {
      open.disposed = true;
      if (panels.get(kind) === open) panels.delete(kind);
    });
    panel.webview.html = panelHtml(panel.webview, context.extensionUri, kind, TITLES[kind]);
    panels.set(kind, open);
    return open;
  };
  const show = (open: OpenPanel, uri: string): void => {
    if (open.uri !== uri) open.parameters = {};
    open.uri = uri;
    void refresh(context, open);
  };
  return {
    open: (kind, uri) => {
      const found = panels.get(kind);
      if (found === undefined) {
        const panel = vscode.window.createWebviewPanel(
          viewType(kind),
          TITLES[kind],
          { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
          { enableScripts: true },
        );
        adopt(kind, panel, uri.toString(), false);
        return;
      }
      found.panel.reveal(undefined, true);
      show(found, uri.toString());
    },
    revive: (kind, panel, state) => {
      const kept = isState(state) ? state : undefined;
      const fallback = vscode.window.activeTextEditor?.document.uri.toString() ?? '';
      adopt(kind, panel, kept?.uri ?? fallback, kept?.pinned ?? false);
    },
    changed: ({ uri }) => {
      for (const open of panels.values()) if (open.uri === uri) void refresh(context, open);
    },
    follow: (uri) => {
      for (const open of panels.values()) if (!open.pinned && open.uri !== uri.toString()) show(open, uri.toString());
    },
  };
}
