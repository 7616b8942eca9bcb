import { parseConfig } from '../syntax/parse';
import type { ConfigTree } from '../syntax/tree';
import { languageOf } from '../features/uris';

/** How a host reads a file that a document names: text, or null when it is not there or not allowed. */
export type ReadText = (uri: string) => Promise<string | null>;

/** Companion files as last read, with their parsed trees. */
export interface FileStore {
  readonly lookup: (uri: string) => string | null | undefined;
  readonly parse: (uri: string, text: string) => ConfigTree;
  /** Reads what is missing; answers true when anything new arrived. */
  readonly fetch: (uris: readonly string[]) => Promise<boolean>;
  /** Text of an open document goes before the disk. */
  readonly put: (uri: string, text: string) => void;
  readonly forget: (uri: string) => void;
  readonly clear: () => void;
}

const MAX_FILES = 200;

interface Stored {
  readonly text: string | null;
  tree?: ConfigTree;
}

/** A store over `read`; holds at most 200 files, the oldest leave first. */
export function createFileStore(read: ReadText): FileStore {
  const stored = new Map<string, Stored>();
  const put = (uri: string, text: string | null): void => {
    stored.delete(uri);
    stored.set(uri, { text });
    const oldest = stored.size > MAX_FILES ? stored.keys().next().value : undefined;
    if (oldest !== undefined) stored.delete(oldest);
  };
  return {
    lookup: (uri) => stored.get(uri)?.text,
    parse: (uri, text) => {
      const entry = stored.get(uri);
      if (entry?.text !== text) return parseConfig(text, languageOf(uri));
      entry.tree ??= parseConfig(text, languageOf(uri));
      return entry.tree;
    },
    fetch: async (uris) => {
      const missing = uris.filter((uri) => !stored.has(uri));
      await Promise.all(
        missing.map(async (uri) => {
          const text = await read(uri).catch(() => null);
          if (!stored.has(uri)) put(uri, text);
        }),
      );
      return missing.length > 0;
    },
    put,
    forget: (uri) => {
      stored.delete(uri);
    },
    clear: () => {
      stored.clear();
    },
  };
}
