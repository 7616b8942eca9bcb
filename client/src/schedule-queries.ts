import * as vscode from 'vscode';
import type { ViewParams } from '../../server/src/protocol/common';
import type { FromWebview, ScheduleRequest, ToWebview } from '../../server/src/protocol/panels';
import { REQUEST } from '../../server/src/protocol/requests';
import type {
  MeasuredAnswer,
  SweepAnswer,
  TimelineAnswer,
  TimelineParams,
  TraceFileAnswer,
} from '../../server/src/protocol/timeline';
import type { ClientHandle } from './client';
import { saveExport } from './save';

type Query = Extract<FromWebview, { readonly type: 'compare' | 'sweep' | 'trace' | 'measure' }>;

/** The schedule that a panel shows. */
type Shown = ViewParams & ScheduleRequest;

/** What the timeline asks besides its picture: comparison, sweep, trace and measured runs. */
export interface ScheduleQueries {
  readonly run: (query: Query, shown: Shown) => Promise<void>;
  /** The file changed: what stands beside its picture is asked for anew. */
  readonly again: (shown: Shown) => Promise<void>;
  /** Nobody waits any more. */
  readonly stop: () => void;
}

/** Larger measured runs than this are refused: the server keeps within its memory. */
const LARGEST_MEASURED = 32 * 1024 * 1024;

async function pickFile(title: string, filters: Record<string, string[]>): Promise<vscode.Uri | undefined> {
  const [found] = (await vscode.window.showOpenDialog({ title, filters, canSelectMany: false })) ?? [];
  return found;
}

function baseName(uri: string): string {
  return decodeURIComponent(uri.slice(uri.lastIndexOf('/') + 1));
}

interface Compared {
  readonly ask?: ScheduleRequest;
  readonly uri?: string;
}

export function scheduleQueries(
  handle: ClientHandle,
  post: (message: ToWebview) => Thenable<boolean>,
): ScheduleQueries {
  let compared: Compared | undefined;
  let sweeping: vscode.CancellationTokenSource | undefined;
  const stopSweep = (): void => {
    sweeping?.cancel();
    sweeping?.dispose();
    sweeping = undefined;
  };
  const compare = async (shown: Shown): Promise<void> => {
    if (compared === undefined) return;
    const client = await handle.get();
    const uri = compared.uri ?? shown.uri;
    if (compared.uri !== undefined) await vscode.workspace.openTextDocument(vscode.Uri.parse(uri, true));
    const params: TimelineParams = { uri, ...compared.ask, sameWork: true };
    const answer = await client.sendRequest<TimelineAnswer>(REQUEST.schedule, params);
    await post({ type: 'compare', answer, label: compared.uri === undefined ? '' : baseName(uri) });
  };
  const sweep = async (shown: Shown): Promise<void> => {
    stopSweep();
    const source = new vscode.CancellationTokenSource();
    sweeping = source;
    const client = await handle.get();
    try {
      const answer = await client.sendRequest<SweepAnswer>(REQUEST.scheduleSweep, { uri: shown.uri }, source.token);
      if (sweeping === source) await post({ type: 'sweep', answer });
    } catch (error) {
      // An answer that nobody waits for any more is no fault.
      if (!source.token.isCancellationRequested) throw error;
    }
  };
  const trace = async (shown: Shown): Promise<void> => {
    const client = await handle.get();
    const { text, reason } = await client.sendRequest<TraceFileAnswer>(REQUEST.scheduleTrace, shown);
    const stem = baseName(shown.uri).replace(/\.[^.]*$/, '');
    if (text !== undefined)
      await saveExport({ type: 'save', fileName: `${stem}-schedule.trace.json`, text }, shown.uri);
    else void vscode.window.showInformationMessage(reason ?? 'There is no schedule to save.');
  };
  const measure = async (shown: Shown): Promise<void> => {
    const filters = { 'Traces and timers': ['json', 'jsonl', 'txt', 'log', 'out'] };
    const file = await pickFile('A measured run to lay over the plan', filters);
    if (file === undefined) return;
    const { size } = await vscode.workspace.fs.stat(file);
    if (size > LARGEST_MEASURED) {
      void vscode.window.showInformationMessage('The measured run is larger than 32 MB: cut it to one step.');
      return;
    }
    const bytes = await vscode.workspace.fs.readFile(file);
    const fileName = baseName(file.toString());
    const text = new TextDecoder().decode(bytes);
    const client = await handle.get();
    const answer = await client.sendRequest<MeasuredAnswer>(REQUEST.scheduleMeasured, { ...shown, fileName, text });
    await post({ type: 'measured', answer });
  };
  const run: ScheduleQueries['run'] = async (query, shown) => {
    if (query.type === 'trace') await trace(shown);
    else if (query.type === 'measure') await measure(shown);
    else if (query.type === 'sweep') {
      if (query.stop === true) stopSweep();
      else await sweep(shown);
    } else if (query.file === true) {
      const file = await pickFile('A plan to compare with', { Plans: ['yaml', 'yml', 'json', 'toml', 'sh', 'py'] });
      if (file === undefined) return;
      compared = { uri: file.toString() };
      await compare(shown);
    } else {
      compared = query.ask === undefined ? undefined : { ask: query.ask };
      await compare(shown);
    }
  };
  return {
    run,
    again: compare,
    stop: () => {
      compared = undefined;
      stopSweep();
    },
  };
}
