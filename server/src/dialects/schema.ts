import { keysBelow, schemaAt, type JsonSchema, type JsonValue } from './common/json-schema';
import { matchMegatronKey } from './megatron/arguments';
import { hfConfigSchema, megatronFlags, megatronSchema, sglangSchema, shardlensSchema } from './schemas';
import { isSupported, matchKey } from './sglang/keys';

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

type Path = readonly (string | number)[];

/** How one dialect finds the schema of a key and of the keys beside it. */
interface Vocabulary {
  readonly root: JsonSchema;
  /** Schema of a key, and the key's own spelling where it differs from what was written. */
  readonly at: (path: Path) => { readonly key: string; readonly schema: JsonSchema } | undefined;
  /** Keys that may stand in the mapping at `path`. */
  readonly below: (path: Path) => readonly (readonly [string, JsonSchema])[];
}

function nested(root: JsonSchema): Vocabulary {
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

/** Where a config file may not hold the successor, the deprecated spelling is the right one. */
function inFile(schema: JsonSchema): JsonSchema {
  const successor = schema['x-deprecated'];
  if (typeof successor !== 'string' || isSupported(successor)) return schema;
  const { 'x-deprecated': _successor, ...rest } = schema;
  return rest;
}

const sglang: Vocabulary = {
  root: sglangSchema,
  at: (path) => {
    if (path.length !== 1) return undefined;
    const match = matchKey(String(path[0]));
    const flag = 'flag' in match ? match.flag : undefined;
    const schema = flag === undefined ? undefined : schemaAt(sglangSchema, [flag]);
    return flag === undefined || schema === undefined ? undefined : { key: flag, schema: inFile(schema) };
  },
  below: (path) =>
    path.length > 0
      ? []
      : keysBelow(sglangSchema, sglangSchema).flatMap(([key, schema]) =>
          isSupported(key) ? [[key, inFile(schema)] as const] : [],
        ),
};

const SECTIONS = new Set(['language_model', 'model_parallel']);

const megatron: Vocabulary = {
  root: megatronSchema,
  at: (path) => {
    const inner = path[0] === 'MODEL_ARGS' ? path.slice(1) : SECTIONS.has(String(path[0])) ? path.slice(1) : path;
    if (path[0] === 'ENV_VARS') return undefined;
    if (inner.length === 1) {
      const match = matchMegatronKey(String(inner[0]));
      if (match !== undefined)
        return { key: path[0] === 'MODEL_ARGS' ? match.flag : String(inner[0]), schema: match.schema };
    }
    const schema = path.length === 0 ? undefined : schemaAt(megatronSchema, path);
    return schema === undefined ? undefined : { key: String(path.at(-1)), schema };
  },
  below: (path) => {
    const flags = Object.entries(megatronFlags);
    if (path[0] === 'MODEL_ARGS') return path.length === 1 ? flags : [];
    if (path.length > 0 && !SECTIONS.has(String(path[0]))) return [];
    const snake = flags.map(([flag, schema]) => [flag.slice(2).replaceAll('-', '_'), schema] as const);
    return path.length > 0 ? snake : [...keysBelow(megatronSchema, megatronSchema), ...snake];
  },
};

const TEXT_PARTS = new Set(['text_config', 'language_config', 'llm_config']);
const plainConfig = nested(hfConfigSchema);

/** The language part of a multimodal config has the keys of the top level. */
const hfConfig: Vocabulary = {
  root: hfConfigSchema,
  at: (path) => plainConfig.at(path.length > 1 && TEXT_PARTS.has(String(path[0])) ? path.slice(1) : path),
  below: (path) => plainConfig.below(TEXT_PARTS.has(String(path[0])) ? path.slice(1) : path),
};

const vocabularies: ReadonlyMap<string, Vocabulary> = new Map([
  ['shardlens', nested(shardlensSchema)],
  ['hf-config', hfConfig],
  ['sglang', sglang],
  ['megatron', megatron],
]);

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
export function keyInfo(dialect: string, path: Path): KeyInfo | undefined {
  const found = vocabularies.get(dialect)?.at(path);
  return found === undefined ? undefined : infoOf(found.key, found.schema);
}

/** The keys that may stand in the mapping at `path`, refused and removed ones left out, documented ones first. */
export function keysOf(dialect: string, path: Path): readonly KeyInfo[] {
  const vocabulary = vocabularies.get(dialect);
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
