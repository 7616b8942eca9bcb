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
const MAX_FILE_CHARACTERS = 1024 * 1024;
/** All texts together; a workspace of expert maps must not fill the memory. */
const MAX_CHARACTERS = 8 * MAX_FILE_CHARACTERS;

interface Stored {
  readonly text: string | null;
  tree?: ConfigTree;
}

/**
 * One name for one file: editors differ in which characters of a URI they escape and in the case of drive letters,
 * so URIs are compared by this and never by their text.
 */
export function fileKey(uri: string): string {
  try {
    return decodeURIComponent(uri).replace(/^file:\/\/\/[A-Z]:/, (drive) => drive.toLowerCase());
  } catch {
    return uri;
  }
}

/** Texts by file; the oldest leave when there are too many or too much. */
function createShelf(): {
  readonly get: (key: string) => Stored | undefined;
  readonly set: (key: string, text: string | null) => void;
  readonly remove: (key: string) => void;
  readonly clear: () => void;
} {
  const stored = new Map<string, Stored>();
  let characters = 0;
  const remove = (key: string): void => {
    characters -= stored.get(key)?.text?.length ?? 0;
    stored.delete(key);
  };
  return {
    get: (key) => stored.get(key),
    remove,
    set: (key, text) => {
      remove(key);
      stored.set(key, { text });
      characters += text?.length ?? 0;
      for (const oldest of stored.keys()) {
        if (oldest === key || (stored.size <= MAX_FILES && characters <= MAX_CHARACTERS)) break;
        remove(oldest);
      }
    },
    clear: () => {
      stored.clear();
      characters = 0;
    },
  };
}

/** A store over `read`: every file is read once, until it is forgotten. */
export function createFileStore(read: ReadText): FileStore {
  const shelf = createShelf();
  const pending = new Map<string, Promise<boolean>>();
  const begin = (uri: string, key: string): Promise<boolean> => {
    const reading: Promise<boolean> = read(uri)
      .catch(() => null)
      .then((text) => {
        // A file that changed while it was read is left to the next question.
        if (pending.get(key) !== reading) return true;
        pending.delete(key);
        shelf.set(key, text !== null && text.length <= MAX_FILE_CHARACTERS ? text : null);
        return true;
      });
    pending.set(key, reading);
    return reading;
  };
  return {
    lookup: (uri) => shelf.get(fileKey(uri))?.text,
    parse: (uri, text) => {
      const entry = shelf.get(fileKey(uri));
      if (entry?.text !== text) return parseConfig(text, languageOf(uri));
      entry.tree ??= parseConfig(text, languageOf(uri));
      return entry.tree;
    },
    fetch: async (uris) => {
      const arrivals = uris.map((uri) => {
        const key = fileKey(uri);
        return shelf.get(key) === undefined ? (pending.get(key) ?? begin(uri, key)) : false;
      });
      return (await Promise.all(arrivals)).includes(true);
    },
    put: (uri, text) => {
      const key = fileKey(uri);
      pending.delete(key);
      shelf.set(key, text);
    },
    forget: (uri) => {
      const key = fileKey(uri);
      pending.delete(key);
      shelf.remove(key);
    },
    clear: () => {
      pending.clear();
      shelf.clear();
    },
  };
}
