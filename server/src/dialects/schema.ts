import type { JsonSchema, JsonValue } from './common/json-schema';
import { dialects } from './registry';
import type { KeyPath, Vocabulary } from './vocabulary';

/** What is known about one key, for hover and completion. */
export interface KeyInfo {
  /** The key as this kind of file spells it. */
  readonly key: string;
  readonly doc?: string;
  /** JSON Schema type: `integer`, `number`, `boolean`, `string`, `array`, `object`; alternatives joined by ` | `. */
  readonly type?: string;
  readonly enum?: readonly JsonValue[];
  readonly default?: JsonValue;
  /** Unit of the value as the file gives it. */
  readonly unit?: string;
  /** Successor of a key that still works, or true where there is none. */
  readonly deprecated?: string | boolean;
  /** Dotted plan field that the key fills. */
  readonly planField?: string;
}

function vocabularyOf(dialect: string): Vocabulary | undefined {
  return dialects.find(({ id }) => id === dialect)?.vocabulary;
}

function typeOf(schema: JsonSchema): string | undefined {
  const types = (schema.oneOf ?? schema.anyOf ?? [schema]).flatMap(({ type, enum: choices }) =>
    type === undefined ? (choices === undefined ? [] : ['string']) : typeof type === 'string' ? [type] : [...type],
  );
  return types.length === 0 ? undefined : [...new Set(types)].join(' | ');
}

function docOf(schema: JsonSchema): string | undefined {
  return schema.description ?? schema['x-group'];
}

function infoOf(key: string, schema: JsonSchema): KeyInfo {
  const choice = schema.oneOf?.find((branch) => branch.enum !== undefined);
  const doc = docOf(schema);
  const type = typeOf(schema);
  const values = schema.enum ?? choice?.enum;
  const otherwise = schema.default ?? choice?.default;
  const deprecated = schema['x-deprecated'] ?? schema['x-refused'];
  const planField = schema['x-plan'] ?? choice?.['x-plan'];
  return {
    key,
    ...(doc === undefined ? {} : { doc }),
    ...(type === undefined ? {} : { type }),
    ...(values === undefined ? {} : { enum: values }),
    ...(otherwise === undefined
      ? type === 'boolean' && schema['x-off'] !== true
        ? { default: false }
        : {}
      : { default: otherwise }),
    ...(schema['x-unit'] === undefined ? {} : { unit: schema['x-unit'] }),
    ...(deprecated === undefined ? {} : { deprecated }),
    ...(planField === undefined ? {} : { planField }),
  };
}

/** What the key at `path` (keys and list positions from the document's root) means in a dialect; undefined for keys it does not know. */
export function keyInfo(dialect: string, path: KeyPath): KeyInfo | undefined {
  const found = vocabularyOf(dialect)?.at(path);
  return found === undefined ? undefined : infoOf(found.key, found.schema);
}

/** The keys that may stand in the mapping at `path`, refused and removed ones left out, documented ones first. */
export function keysOf(dialect: string, path: KeyPath): readonly KeyInfo[] {
  const vocabulary = vocabularyOf(dialect);
  if (vocabulary === undefined) return [];
  const usable = vocabulary
    .below(path)
    .filter(([, schema]) => schema['x-refused'] === undefined && schema['x-removed'] !== true);
  const infos = usable.map(([key, schema]) => ({
    info: infoOf(key, schema),
    documented: schema.description !== undefined,
  }));
  return [...infos.filter(({ documented }) => documented), ...infos.filter(({ documented }) => !documented)].map(
    ({ info }) => info,
  );
}
