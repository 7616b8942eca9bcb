import * as vscode from 'vscode';
import type { NoView, SourceLink, ViewParams } from '../../server/src/protocol/common';
import type { FromWebview, PanelKind, PanelState, ScheduleRequest, ToWebview } from '../../server/src/protocol/panels';
import type { PlacementParams, PlacementRequest } from '../../server/src/protocol/placement';
import { REQUEST, type AnalysisChangedParams } from '../../server/src/protocol/requests';
import type { WhatIfAnswer, WhatIfParams } from '../../server/src/protocol/what-if';
import { applyTrial } from './trial';
import type { ClientHandle } from './client';
import { panelHtml } from './panel-html';
import { editPlacement } from './placement-edit';
import { saveExport } from './save';
import { scheduleQueries, type ScheduleQueries } from './schedule-queries';

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
  parameters: ScheduleRequest & PlacementRequest;
  /** What the timeline asks besides its picture. */
  readonly queries: ScheduleQueries;
  /** Counts trials of other values, likewise. */
  tried: number;
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
  // Where the file already is on screen it stays; otherwise it goes beside the panel, never over it.
  const seen = vscode.window.visibleTextEditors.find((editor) => editor.document.uri.toString() === link.uri);
  const viewColumn = seen?.viewColumn ?? vscode.ViewColumn.One;
  await vscode.window.showTextDocument(vscode.Uri.parse(link.uri, true), { selection, viewColumn });
}

/** The document must be known to the server: a restored panel may come before its file was shown. */
async function openDocument(uri: string): Promise<void> {
  if (vscode.workspace.textDocuments.some((document) => document.uri.toString() === uri)) return;
  await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
}

/** The type of the message names the view inside, which the compiler cannot follow through `kind`. */
async function send(open: OpenPanel, answer: unknown): Promise<void> {
  await open.panel.webview.postMessage({ type: open.kind, answer } as ToWebview);
}

async function refresh(context: Context, open: OpenPanel): Promise<void> {
  if (!open.ready || open.disposed || open.uri === '') return;
  open.asked += 1;
  const mine = open.asked;
  try {
    const client = await context.client.get();
    await openDocument(open.uri);
    const params: ViewParams & OpenPanel['parameters'] = { uri: open.uri, ...open.parameters };
    const answer: unknown = await client.sendRequest(REQUESTS[open.kind], params);
    if (open.disposed || mine !== open.asked) return;
    await send(open, answer);
    if (open.kind === 'placement' && open.parameters.compare === true) await compared(context, open, mine, params);
    if (open.kind === 'timeline') await open.queries.again({ uri: open.uri, ...open.parameters });
  } catch (error) {
    context.output.error(`${TITLES[open.kind]} of ${open.uri}: ${String(error)}`);
    if (open.disposed || mine !== open.asked) return;
    const reason = 'No answer came for this file; the log says why (Shardlens: Show Log).';
    await send(open, { empty: true, uri: open.uri, reason } satisfies NoView);
  }
}

/** The same picture with others beside it: slower, so it comes second. */
async function compared(context: Context, open: OpenPanel, mine: number, params: PlacementParams): Promise<void> {
  const client = await context.client.get();
  const answer: unknown = await client.sendRequest(REQUEST.placementCompare, params);
  if (!open.disposed && mine === open.asked) await send(open, answer);
}

/** Asks what other values would bring; an answer that a newer question has overtaken is of no use. */
async function tryValues(context: Context, open: OpenPanel, values: WhatIfParams['values']): Promise<void> {
  open.tried += 1;
  const mine = open.tried;
  const client = await context.client.get();
  const params: WhatIfParams = { uri: open.uri, values };
  const answer = await client.sendRequest<WhatIfAnswer>(REQUEST.whatIf, params);
  if (open.disposed || mine !== open.tried || answer.uri !== open.uri) return;
  await open.panel.webview.postMessage({ type: 'whatIf', answer } satisfies ToWebview);
}

/** Everything of a request but its type; what it leaves out is not sent. */
function parametersOf(message: Extract<FromWebview, { readonly type: 'request' }>): OpenPanel['parameters'] {
  const { type: _, ...asked } = message;
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

function receive(context: Context, open: OpenPanel, message: FromWebview, unpinned: () => void): void {
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
      open.parameters = parametersOf(message);
      void refresh(context, open);
      return;
    case 'edit':
      editPlacement(context.client, open.uri, message.changes).then(undefined, failed);
      return;
    case 'pin':
      open.pinned = message.pinned;
      if (!message.pinned) unpinned();
      return;
    case 'whatIf':
      tryValues(context, open, message.values).then(undefined, failed);
      return;
    case 'apply':
      applyTrial(vscode.Uri.parse(open.uri, true), message.view).then(undefined, failed);
      return;
    case 'save':
      saveExport(message, open.uri).then(undefined, failed);
      return;
    case 'compare':
    case 'sweep':
    case 'trace':
    case 'measure':
      open.queries.run(message, { uri: open.uri, ...open.parameters }).then(undefined, failed);
      return;
    default:
      context.output.warn(`${TITLES[open.kind]} sent a message that nobody knows: ${JSON.stringify(message)}`);
  }
}

function isState(value: unknown): value is PanelState {
  return typeof value === 'object' && value !== null && typeof (value as PanelState).uri === 'string';
}

/** Gives a new or restored webview its page and wires it; `unpinned` is called when it is to follow the active file again. */
function adopt(context: Context, open: OpenPanel, unpinned: () => void, gone: () => void): void {
  const { panel, kind } = open;
  panel.webview.options = {
    enableScripts: true,
    localResourceRoots: [vscode.Uri.joinPath(context.extensionUri, 'dist', 'webview')],
  };
  panel.iconPath = vscode.Uri.joinPath(context.extensionUri, 'icon.png');
  panel.webview.onDidReceiveMessage((message: FromWebview) => {
    receive(context, open, message, unpinned);
  });
  // The page of a hidden panel is thrown away; the one that comes after it says `ready` again.
  panel.onDidChangeViewState(() => {
    if (!panel.visible) open.ready = false;
  });
  panel.onDidDispose(() => {
    open.disposed = true;
    open.queries.stop();
    gone();
  });
  panel.webview.html = panelHtml(panel.webview, context.extensionUri, kind, TITLES[kind]);
}

function created(kind: PanelKind, column: vscode.ViewColumn): vscode.WebviewPanel {
  const where = { viewColumn: column, preserveFocus: true };
  return vscode.window.createWebviewPanel(viewType(kind), TITLES[kind], where, { enableScripts: true });
}

/** Opens, restores and feeds the three panels; at most one of each kind. */
export function createPanelManager(context: Context): PanelManager {
  const panels = new Map<PanelKind, OpenPanel>();
  let active: string | undefined;
  const show = (open: OpenPanel, uri: string): void => {
    if (open.uri !== uri) {
      open.parameters = {};
      open.queries.stop();
    }
    open.uri = uri;
    void refresh(context, open);
  };
  const add = (kind: PanelKind, panel: vscode.WebviewPanel, uri: string, pinned: boolean): void => {
    const queries = scheduleQueries(context.client, (message) => panel.webview.postMessage(message));
    const state = { ready: false, disposed: false, parameters: {}, asked: 0, tried: 0 };
    const open: OpenPanel = { kind, panel, uri, pinned, queries, ...state };
    panels.set(kind, open);
    const unpinned = (): void => {
      if (active !== undefined && active !== open.uri) show(open, active);
    };
    adopt(context, open, unpinned, () => {
      if (panels.get(kind) === open) panels.delete(kind);
    });
  };
  return {
    open: (kind, uri) => {
      const found = panels.get(kind);
      if (found !== undefined) {
        found.panel.reveal(undefined, true);
        show(found, uri.toString());
        return;
      }
      // A second panel joins the first one as a tab instead of splitting the window again.
      const [other] = panels.values();
      add(kind, created(kind, other?.panel.viewColumn ?? vscode.ViewColumn.Beside), uri.toString(), false);
    },
    revive: (kind, panel, state) => {
      const kept = isState(state) ? state : undefined;
      add(kind, panel, kept?.uri ?? active ?? '', kept?.pinned ?? false);
    },
    changed: ({ uri }) => {
      for (const open of panels.values()) if (open.uri === uri) void refresh(context, open);
    },
    follow: (uri) => {
      active = uri.toString();
      for (const open of panels.values()) if (!open.pinned && open.uri !== active) show(open, active);
    },
  };
}
