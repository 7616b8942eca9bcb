import { keysBelow, schemaAt, type JsonSchema } from './common/json-schema';

export type KeyPath = readonly (string | number)[];

/** How one dialect finds the schema of a key and of the keys beside it. */
export interface Vocabulary {
  readonly root: JsonSchema;
  /** Schema of a key, and the key's own spelling where it differs from what was written. */
  readonly at: (path: KeyPath) => { readonly key: string; readonly schema: JsonSchema } | undefined;
  /** Keys that may stand in the mapping at `path`. */
  readonly below: (path: KeyPath) => readonly (readonly [string, JsonSchema])[];
}

/** Keys nest in the file as they nest in the schema. */
export function nestedVocabulary(root: JsonSchema): Vocabulary {
  return {
    root,
    at: (path) => {
      const schema = path.length === 0 ? undefined : schemaAt(root, path);
      return schema === undefined ? undefined : { key: String(path.at(-1)), schema };
    },
    below: (path) => {
      const schema = schemaAt(root, path);
      return schema === undefined ? [] : keysBelow(root, schema);
    },
  };
}
