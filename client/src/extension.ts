import * as vscode from 'vscode';
import { ANALYSIS_CHANGED, type AnalysisChangedParams, type PlanView } from '../../server/src/protocol/requests';
import type { PanelKind } from '../../server/src/protocol/panels';
import { chooseCluster, chooseModel } from './choose';
import { createClientHandle, hasCandidate, type ClientHandle, type CreateClient } from './client';
import { createPanelManager, PANEL_KINDS, viewType, type PanelManager } from './panels';
import { createStatusItem, type StatusItem } from './status';

interface Parts {
  readonly client: ClientHandle;
  readonly panels: PanelManager;
  readonly status: StatusItem;
  readonly output: vscode.LogOutputChannel;
}

const OPEN: Readonly<Record<PanelKind, string>> = {
  timeline: 'shardlens.openTimeline',
  placement: 'shardlens.openPlacement',
  memory: 'shardlens.openMemory',
};

/** The document a command is about: named by a lens, else the active one. */
function targetOf(argument: unknown): vscode.Uri | undefined {
  if (typeof argument === 'string') return vscode.Uri.parse(argument, true);
  if (argument instanceof vscode.Uri) return argument;
  return vscode.window.activeTextEditor?.document.uri;
}

function registerPanels({ panels }: Parts): vscode.Disposable[] {
  const nothing = 'Open a parallelism, serving or model config first; Shardlens panels draw the active file.';
  return PANEL_KINDS.flatMap((kind) => [
    vscode.commands.registerCommand(OPEN[kind], (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri === undefined) void vscode.window.showInformationMessage(nothing);
      else panels.open(kind, uri);
    }),
    vscode.window.registerWebviewPanelSerializer(viewType(kind), {
      deserializeWebviewPanel: (panel, state: unknown) => {
        panels.revive(kind, panel, state);
        return Promise.resolve();
      },
    }),
  ]);
}

type Choice = (document: vscode.TextDocument, plan: PlanView) => Promise<void>;

function choose(parts: Parts, choice: Choice): () => Promise<void> {
  return async () => {
    await parts.client.get();
    await parts.status.refresh();
    const plan = parts.status.plan();
    const document = vscode.window.activeTextEditor?.document;
    if (plan === undefined || document === undefined) {
      void vscode.window.showInformationMessage(
        'The active file was not recognised as a parallelism, serving or model config.',
      );
      return;
    }
    await choice(document, plan);
  };
}

function registerCommands(parts: Parts): vscode.Disposable[] {
  const { client, output } = parts;
  const either: Choice = async (document, plan) => {
    const items = [
      { label: 'Choose model…', run: chooseModel },
      { label: 'Choose GPU and nodes…', run: chooseCluster },
    ];
    const picked = await vscode.window.showQuickPick(items, { title: plan.summary });
    await picked?.run(document, plan);
  };
  return [
    vscode.commands.registerCommand('shardlens.choose', choose(parts, either)),
    vscode.commands.registerCommand('shardlens.chooseModel', choose(parts, chooseModel)),
    vscode.commands.registerCommand('shardlens.chooseCluster', choose(parts, chooseCluster)),
    vscode.commands.registerCommand('shardlens.showLog', () => {
      output.show();
    }),
    vscode.commands.registerCommand('shardlens.restartServer', () => client.restart()),
  ];
}

/** Starts the server once a document could be ours, and keeps status and panels on the active one. */
function watchEditors(parts: Parts): vscode.Disposable[] {
  const { client, panels, status, output } = parts;
  let listening = false;
  const failed = (error: unknown): void => {
    output.error(String(error));
  };
  const start = async (): Promise<void> => {
    const running = await client.get();
    if (listening) return;
    listening = true;
    running.onNotification(ANALYSIS_CHANGED, (params: AnalysisChangedParams) => {
      panels.changed(params);
      if (vscode.window.activeTextEditor?.document.uri.toString() === params.uri)
        status.refresh().then(undefined, failed);
    });
    await status.refresh();
  };
  const consider = (documents: readonly vscode.TextDocument[]): void => {
    if (hasCandidate(documents)) start().then(undefined, failed);
  };
  consider(vscode.workspace.textDocuments);
  return [
    vscode.workspace.onDidOpenTextDocument((document) => {
      consider([document]);
    }),
    vscode.window.onDidChangeActiveTextEditor(() => void status.refresh().then(undefined, failed)),
  ];
}

/** Registers everything; no work is done before a document could be a config. */
export function activateShardlens(context: vscode.ExtensionContext, create: CreateClient): ClientHandle {
  const output = vscode.window.createOutputChannel('Shardlens', { log: true });
  const client = createClientHandle(create, output, context.extensionUri);
  const panels = createPanelManager({ extensionUri: context.extensionUri, client, output });
  const status = createStatusItem(client, (uri, plan) => {
    void vscode.commands.executeCommand('setContext', 'shardlens.active', plan !== undefined);
    void vscode.commands.executeCommand('setContext', 'shardlens.task', plan?.task ?? '');
    if (plan !== undefined && uri !== undefined) panels.follow(uri);
  });
  const parts: Parts = { client, panels, status, output };
  context.subscriptions.push(
    output,
    status,
    ...registerPanels(parts),
    ...registerCommands(parts),
    ...watchEditors(parts),
  );
  return client;
}
