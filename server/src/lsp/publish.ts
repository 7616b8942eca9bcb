import { CodeLensRefreshRequest, type Connection, type PublishDiagnosticsParams } from 'vscode-languageserver';
import { diagnostics } from '../features/diagnostics';
import { ANALYSIS_CHANGED } from '../protocol/requests';
import type { ServerState } from './state';

/** A config names a model config, which may name an index: deeper chains are not followed. */
const MAX_ROUNDS = 3;

/** Takes findings back; a connection that is gone has none to take back. */
export async function clear(connection: Connection, params: PublishDiagnosticsParams): Promise<void> {
  try {
    await connection.sendDiagnostics(params);
  } catch {
    // Nobody is left to be told.
  }
}

function refreshLenses({ connection, facts, log }: ServerState): void {
  if (!facts.refreshesLenses) return;
  connection.sendRequest(CodeLensRefreshRequest.type).catch((error: unknown) => {
    log('refresh of code lenses', error);
  });
}

/**
 * Analyses and publishes; files that the document names are fetched and the analysis repeated while something new arrives.
 * The document is looked up anew in every round, so that no round can publish an older text after a newer one.
 */
async function publishRounds(state: ServerState, uri: string): Promise<void> {
  const { connection, documents, store, files } = state;
  for (let round = 0; ; round += 1) {
    const document = documents.get(uri);
    if (document === undefined) return;
    const analysis = store.analysisOf(document);
    const { version } = analysis;
    // The first answer does not wait for files: a person sees the nearest faults at once.
    await connection.sendDiagnostics({ uri, version, diagnostics: diagnostics(analysis) });
    await connection.sendNotification(ANALYSIS_CHANGED, { uri, version });
    // It may have been closed meanwhile, and nothing is kept of closed documents.
    if (documents.get(uri) === undefined) return;
    // Editors ask for lenses again after an edit, but cannot know that a file or a setting changed them.
    if (state.published.get(uri) === version) refreshLenses(state);
    state.published.set(uri, version);
    const missing = analysis.wanted.filter((file) => files.lookup(file) === undefined);
    if (missing.length === 0 || round === MAX_ROUNDS || !(await files.fetch(missing))) return;
    store.invalidate(uri);
  }
}

/** Lenses tell what changed since the last commit, once that is known. */
function refreshHead(state: ServerState, uri: string): void {
  const { heads, documents, log } = state;
  heads.refresh(uri, performance.now()).then(
    (changed) => {
      if (changed && documents.get(uri) !== undefined) refreshLenses(state);
    },
    (error: unknown) => {
      log('committed text', error);
    },
  );
}

/** Publishes the findings of a document as it is now. Never rejects: a fault of ours is logged, and what was published is taken back. */
export async function publish(state: ServerState, uri: string): Promise<void> {
  try {
    await publishRounds(state, uri);
    const document = state.documents.get(uri);
    // Files that are not ours cost nobody a look into a repository.
    if (document !== undefined && state.store.analysisOf(document).dialect !== undefined) refreshHead(state, uri);
  } catch (error) {
    state.log(`analysis of ${uri}`, error);
    // Findings of a text that is gone would be worse than none.
    const version = state.documents.get(uri)?.version;
    if (version !== undefined) await clear(state.connection, { uri, version, diagnostics: [] });
  }
}
