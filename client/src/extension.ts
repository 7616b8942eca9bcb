import * as vscode from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';
import { ANALYSIS_CHANGED, type AnalysisChangedParams, type PlanView } from '../../server/src/protocol/requests';
import type { PanelKind } from '../../server/src/protocol/panels';
import { askCluster, askModel } from './choose';
import { createClientHandle, isCandidate, type ClientHandle, type CreateClient } from './client';
import type { DirectiveValues } from './directive-text';
import { createEffectiveDocuments, type EffectiveDocuments } from './effective';
import { findBetterLayout } from './advice';
import { openChange } from './head';
import { createPanelManager, PANEL_KINDS, viewType, type PanelManager } from './panels';
import { savePlacement } from './placement-edit';
import { createStatusItem, type StatusItem } from './status';
import { convertLayout } from './convert';
import { writeDirective } from './write-directive';

/** What other extensions, and our own tests, may ask. */
export interface ShardlensApi {
  /** False as long as nothing that could be a config was opened. */
  readonly serverIsRunning: () => boolean;
}

interface Parts {
  readonly client: ClientHandle;
  readonly panels: PanelManager;
  readonly status: StatusItem;
  readonly effective: EffectiveDocuments;
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

/** Asks a person about a document and gives back what to write. */
type Question = (document: vscode.TextDocument, plan: PlanView) => Promise<DirectiveValues | undefined>;

function choose(parts: Parts, question: Question): () => Promise<void> {
  return async () => {
    await parts.client.get();
    await parts.status.refresh();
    const plan = parts.status.plan();
    if (plan === undefined) {
      void vscode.window.showInformationMessage(
        'The active file was not recognised as a parallelism, serving or model config.',
      );
      return;
    }
    // The file of the plan, not the active editor: a panel may have the focus.
    const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(plan.uri, true));
    const values = await question(document, plan);
    if (values !== undefined) await writeDirective(document, values);
  };
}

const askEither: Question = async (document, plan) => {
  const items = [
    { label: 'Choose model…', ask: askModel },
    { label: 'Choose GPU and nodes…', ask: askCluster },
  ];
  const picked = await vscode.window.showQuickPick(items, { title: plan.summary });
  return picked?.ask(document, plan);
};

function registerCommands(parts: Parts): vscode.Disposable[] {
  const { client, output, effective } = parts;
  return [
    vscode.commands.registerCommand('shardlens.savePlacement', async (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri !== undefined) await savePlacement(client, uri);
    }),
    vscode.commands.registerCommand('shardlens.convertLayout', async (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri !== undefined) await convertLayout(client, uri);
    }),
    vscode.commands.registerCommand('shardlens.findBetterLayout', async (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri !== undefined) await findBetterLayout(client, uri);
    }),
    vscode.commands.registerCommand('shardlens.openChange', async (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri !== undefined) await openChange(uri);
    }),
    vscode.commands.registerCommand('shardlens.showEffective', async (argument?: unknown) => {
      const uri = targetOf(argument);
      if (uri !== undefined) await effective.open(uri);
    }),
    vscode.commands.registerCommand('shardlens.choose', choose(parts, askEither)),
    vscode.commands.registerCommand('shardlens.chooseModel', choose(parts, askModel)),
    vscode.commands.registerCommand('shardlens.chooseCluster', choose(parts, askCluster)),
    vscode.commands.registerCommand('shardlens.showLog', () => {
      output.show();
    }),
    vscode.commands.registerCommand('shardlens.restartServer', () => client.restart()),
  ];
}

/** Starts the server once a document could be ours; until then only the head of what is typed is looked at. */
function watchDocuments({ client, status, output }: Parts): vscode.Disposable[] {
  const failed = (error: unknown): void => {
    output.error(`The language server did not start: ${String(error)}`);
  };
  const consider = (document: vscode.TextDocument): void => {
    if (client.current() !== undefined || !isCandidate(document)) return;
    client
      .get()
      .then(() => status.refresh())
      .then(undefined, failed);
  };
  vscode.workspace.textDocuments.forEach(consider);
  return [
    vscode.workspace.onDidOpenTextDocument(consider),
    vscode.workspace.onDidChangeTextDocument(({ document }) => {
      consider(document);
    }),
    vscode.window.onDidChangeActiveTextEditor(() => {
      void status.refresh();
    }),
  ];
}

/** Registers everything; no work is done before a document could be a config. */
export function activateShardlens(context: vscode.ExtensionContext, create: CreateClient): ClientHandle {
  const { extensionUri } = context;
  const output = vscode.window.createOutputChannel('Shardlens', { log: true });
  const onCreated = (created: BaseLanguageClient): void => {
    created.onNotification(ANALYSIS_CHANGED, (params: AnalysisChangedParams) => {
      panels.changed(params);
      effective.changed(params.uri);
      if (vscode.window.activeTextEditor?.document.uri.toString() === params.uri) void status.refresh();
    });
  };
  const client = createClientHandle({ create, output, extensionUri, onCreated });
  const effective = createEffectiveDocuments(client);
  const panels = createPanelManager({ extensionUri, client, output });
  const status = createStatusItem(client, output, (uri, plan) => {
    void vscode.commands.executeCommand('setContext', 'shardlens.active', plan !== undefined);
    void vscode.commands.executeCommand('setContext', 'shardlens.task', plan?.task ?? '');
    void vscode.commands.executeCommand('setContext', 'shardlens.dialect', plan?.dialect ?? '');
    if (plan !== undefined) panels.follow(uri);
  });
  const parts: Parts = { client, panels, status, output, effective };
  context.subscriptions.push(output, status, effective, ...registerPanels(parts), ...registerCommands(parts));
  context.subscriptions.push(...watchDocuments(parts));
  return client;
}
