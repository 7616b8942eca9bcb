import type { FromWebview, PanelState, ToWebview } from '../../../server/src/protocol/panels';

/** What a panel needs from the outside. The only door: no other file talks to VS Code. */
export interface Host {
  readonly post: (message: FromWebview) => void;
  /** Calls `listener` for every message of the host; returns how to stop. */
  readonly listen: (listener: (message: ToWebview) => void) => () => void;
  readonly getState: () => PanelState | undefined;
  readonly setState: (state: PanelState) => void;
}

interface VsCodeApi {
  postMessage(message: FromWebview): void;
  getState(): PanelState | undefined;
  setState(state: PanelState): void;
}

declare const acquireVsCodeApi: undefined | (() => VsCodeApi);

const TYPES: ReadonlySet<string> = new Set<ToWebview['type']>([
  'timeline',
  'placement',
  'memory',
  'compare',
  'sweep',
  'measured',
  'whatIf',
]);

function isToWebview(data: unknown): data is ToWebview {
  if (typeof data !== 'object' || data === null) return false;
  const { type } = data as { type?: unknown };
  return typeof type === 'string' && TYPES.has(type);
}

/** The host of this page: VS Code's, or one that keeps everything in memory where there is no VS Code. */
export function connectHost(): Host {
  // VS Code gives its interface once a page; a second call throws, so this is called by `main.tsx` alone.
  if (typeof acquireVsCodeApi !== 'function') return memoryHost().host;
  const api = acquireVsCodeApi();
  return {
    post: (message) => api.postMessage(message),
    getState: () => api.getState(),
    setState: (state) => api.setState(state),
    listen: (listener) => {
      const onMessage = (event: MessageEvent<unknown>): void => {
        if (isToWebview(event.data)) listener(event.data);
        else console.warn('Shardlens: a message of unknown type was ignored.');
      };
      window.addEventListener('message', onMessage);
      return () => window.removeEventListener('message', onMessage);
    },
  };
}

export interface MemoryHost {
  readonly host: Host;
  /** Everything the panel posted, oldest first. */
  readonly posted: readonly FromWebview[];
  /** Plays the host's side. */
  readonly send: (message: ToWebview) => void;
}

/** A host without an editor, for tests and for a page opened in a plain browser. */
export function memoryHost(initial?: PanelState): MemoryHost {
  const posted: FromWebview[] = [];
  const listeners = new Set<(message: ToWebview) => void>();
  let state = initial;
  return {
    posted,
    send: (message) => {
      for (const listener of listeners) listener(message);
    },
    host: {
      post: (message) => void posted.push(message),
      getState: () => state,
      setState: (next) => {
        state = next;
      },
      listen: (listener) => {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
  };
}
