import type { Arity } from '../../syntax/arguments';
import { dereference, type JsonSchema } from '../common/json-schema';
import { sglangSchema } from '../schemas';

/** What argparse makes of one key of a config file. */
export type KeyMatch =
  | { readonly kind: 'known'; readonly flag: string; readonly schema: JsonSchema; readonly abbreviated: boolean }
  | { readonly kind: 'ambiguous'; readonly options: readonly string[] }
  | { readonly kind: 'underscored'; readonly flag: string; readonly spelled: string }
  | { readonly kind: 'unsupported'; readonly flag: string }
  | { readonly kind: 'removed'; readonly successor: string | null }
  | { readonly kind: 'unknown' };

const properties: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(sglangSchema.properties ?? {}).map(([flag, schema]) => [flag, dereference(sglangSchema, schema)]),
);
const unsupported = new Set(sglangSchema['x-unsupported']);
/** Every option string without its dashes, with the flag it belongs to. */
const options: ReadonlyMap<string, string> = new Map(
  Object.entries(properties).flatMap(([flag, schema]) =>
    [flag, ...(schema['x-aliases'] ?? [])].map((name) => [name, flag] as const),
  ),
);

/** All option strings, for suggestions. */
export const sglangOptions: readonly string[] = [...options.keys()];

function exactOrPrefix(key: string): KeyMatch | undefined {
  const exact = options.get(key);
  if (exact !== undefined) return { kind: 'known', flag: exact, schema: properties[exact] ?? {}, abbreviated: false };
  const fitting = sglangOptions.filter((name) => name.startsWith(key));
  const [only] = fitting;
  if (key.length === 0 || only === undefined) return undefined;
  if (fitting.length > 1) return { kind: 'ambiguous', options: fitting };
  const flag = options.get(only) ?? only;
  return { kind: 'known', flag, schema: properties[flag] ?? {}, abbreviated: true };
}

/**
 * Matches a key as SGLang's config reader and Python's argparse do: the key becomes `--key` unchanged, exact option strings first,
 * then prefixes that fit one option string only. Actions other than store and store_true are refused before that.
 * Source: python/sglang/srt/server_args_config_parser.py, `ConfigArgumentMerger._convert_config_to_args`; CPython Lib/argparse.py, `_get_option_tuples`.
 */
export function matchKey(key: string): KeyMatch {
  const hyphenated = key.replaceAll('_', '-');
  const gone = properties[hyphenated]?.['x-removed'] === true ? properties[hyphenated]['x-deprecated'] : undefined;
  if (gone !== undefined) return { kind: 'removed', successor: typeof gone === 'string' ? gone : null };
  if (unsupported.has(hyphenated)) return { kind: 'unsupported', flag: hyphenated };
  const found = exactOrPrefix(key);
  if (found !== undefined) return found;
  const removed = sglangSchema['x-removed'][hyphenated];
  if (removed !== undefined) return { kind: 'removed', successor: removed };
  const respelled = key === hyphenated ? undefined : exactOrPrefix(hyphenated);
  if (respelled?.kind === 'known') return { kind: 'underscored', flag: respelled.flag, spelled: hyphenated };
  if (respelled?.kind === 'ambiguous') return respelled;
  return { kind: 'unknown' };
}

/** The flag a key stands for, also where the spelling is refused: what the user meant decides the plan. */
export function flagOf(key: string): string | undefined {
  const match = matchKey(key);
  return match.kind === 'known' || match.kind === 'underscored' || match.kind === 'unsupported'
    ? match.flag
    : undefined;
}

/** Deprecated spellings and the flag they store into, so that the plan reads both alike. */
export const DEPRECATED_TARGETS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(properties).flatMap(([flag, schema]) => {
    const successor = schema['x-deprecated'];
    return typeof successor === 'string' && successor in properties ? [[flag, successor]] : [];
  }),
);

/** True when a config file may hold the key at all: a deprecated spelling is sometimes the only one that it takes. */
export function isSupported(flag: string): boolean {
  return !unsupported.has(flag);
}

/** How many words an option of the SGLang server takes, for reading command lines. */
export const sglangArity: Arity = (name) => {
  const flag = flagOf(name);
  const schema = flag === undefined ? undefined : properties[flag];
  if (schema === undefined) return undefined;
  if (schema.type === 'boolean') return schema['x-optional'] === true ? 'one' : 'flag';
  return schema.type === 'array' ? 'many' : 'one';
};
