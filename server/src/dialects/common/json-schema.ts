/** The part of JSON Schema draft-07 that our schemas use, and the annotations that say what a validator cannot. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly JsonValue[];
  readonly default?: JsonValue;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  /** Dotted plan field that the key sets, such as `layout.tensor`. */
  readonly 'x-plan'?: string;
  /** Unit of the value as the file gives it. */
  readonly 'x-unit'?: string;
  /** Factor from the file's unit to bytes, bytes a second or FLOP/s. */
  readonly 'x-scale'?: number;
  /** How the value is read beyond its type: a number format, a model reference, a layer pattern. */
  readonly 'x-read'?: string;
  /** Other spellings of the key. */
  readonly 'x-aliases'?: readonly string[];
  /** Destination of a command line flag, where it is not the flag in snake_case. */
  readonly 'x-dest'?: string;
  /** The flag switches its destination off. */
  readonly 'x-off'?: boolean;
  /** The flag also exists with `--no-` in front. */
  readonly 'x-optional'?: boolean;
  /** Integers may carry a suffix such as `128k`. */
  readonly 'x-suffix'?: boolean;
  /** The text is JSON. */
  readonly 'x-json'?: boolean;
  /** The value may be left out. */
  readonly 'x-nargs'?: string;
  /** Successor of a key that still works, or true where there is none. */
  readonly 'x-deprecated'?: string | boolean;
  /** The key exists only to be refused; the text is its successor. */
  readonly 'x-refused'?: string;
  readonly 'x-removed'?: boolean;
  readonly 'x-since'?: string;
  /** Section of the framework's own argument list, for keys without a description. */
  readonly 'x-group'?: string;
}

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Follows a local `$ref` (`#/definitions/…`) as far as it leads; keywords beside the reference stay. */
export function dereference(root: JsonSchema, schema: JsonSchema): JsonSchema {
  let current = schema;
  for (let depth = 0; current.$ref !== undefined && depth < 8; depth += 1) {
    const name = current.$ref.replace('#/definitions/', '');
    const target = root.definitions?.[name];
    if (target === undefined) return current;
    const { $ref: _followed, ...beside } = current;
    current = { ...target, ...beside };
  }
  return current;
}

/** Alternatives of a schema: itself, or its `oneOf`/`anyOf` branches, references followed. */
export function branches(root: JsonSchema, schema: JsonSchema): readonly JsonSchema[] {
  const own = dereference(root, schema);
  const choices = own.oneOf ?? own.anyOf;
  return choices === undefined ? [own] : choices.map((choice) => dereference(root, choice));
}

/** Schema of one key below `schema`, through alternatives; undefined for a key that no alternative names. */
export function schemaOfKey(root: JsonSchema, schema: JsonSchema, key: string): JsonSchema | undefined {
  for (const branch of branches(root, schema)) {
    const property = branch.properties?.[key];
    if (property !== undefined) return dereference(root, property);
  }
  for (const branch of branches(root, schema)) {
    if (typeof branch.additionalProperties === 'object') return dereference(root, branch.additionalProperties);
  }
  return undefined;
}

/** Schema at a path of keys and list indices; undefined where the schema does not say. */
export function schemaAt(root: JsonSchema, path: readonly (string | number)[]): JsonSchema | undefined {
  let current: JsonSchema | undefined = root;
  for (const step of path) {
    if (current === undefined) return undefined;
    if (
      typeof step === 'number' ||
      (/^\d+$/.test(step) && branches(root, current).some(({ items }) => items !== undefined))
    ) {
      current = branches(root, current).find(({ items }) => items !== undefined)?.items;
      if (current !== undefined) current = dereference(root, current);
    } else {
      current = schemaOfKey(root, current, step);
    }
  }
  return current;
}

/** Keys that may stand below `schema`, with their schemas, through alternatives, each once. */
export function keysBelow(root: JsonSchema, schema: JsonSchema): readonly (readonly [string, JsonSchema])[] {
  const found = new Map<string, JsonSchema>();
  for (const branch of branches(root, schema)) {
    for (const [key, property] of Object.entries(branch.properties ?? {})) {
      if (!found.has(key)) found.set(key, dereference(root, property));
    }
  }
  return [...found];
}
