import type { Arity } from '../../syntax/arguments';
import { dereference, type JsonSchema } from '../common/json-schema';
import { vllmSchema } from './schema-data';

/** What vLLM's argument parser makes of one key or option. */
export type VllmKey =
  | { readonly kind: 'known'; readonly flag: string; readonly schema: JsonSchema; readonly rest: readonly string[] }
  /** `no-x`: the switch x, turned off. */
  | { readonly kind: 'off'; readonly flag: string; readonly schema: JsonSchema }
  /** A one-dash name such as `tp`, which a config file turns into `--tp`, and that is no option. */
  | { readonly kind: 'short'; readonly flag: string; readonly schema: JsonSchema; readonly level?: number }
  | { readonly kind: 'removed'; readonly flag: string; readonly successor: string | null }
  | { readonly kind: 'ambiguous'; readonly options: readonly string[] }
  | { readonly kind: 'unknown' };

const properties: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(vllmSchema.properties ?? {}).map(([flag, schema]) => [flag, dereference(vllmSchema, schema)]),
);
const shorts: ReadonlyMap<string, string> = new Map(
  Object.entries(properties).flatMap(([flag, schema]) =>
    (schema['x-aliases'] ?? []).map((name) => [name, flag] as const),
  ),
);

/** All long options, for suggestions. */
export const vllmOptions: readonly string[] = Object.keys(properties);

export function schemaOfFlag(flag: string): JsonSchema | undefined {
  return Object.hasOwn(properties, flag) ? properties[flag] : undefined;
}

function shortKey(key: string): VllmKey | undefined {
  const level = /^O([0-3])$/.exec(key);
  const flag = level === null ? shorts.get(key) : 'optimization-level';
  const schema = flag === undefined ? undefined : schemaOfFlag(flag);
  if (flag === undefined || schema === undefined) return undefined;
  return { kind: 'short', flag, schema, ...(level === null ? {} : { level: Number(level[1]) }) };
}

/**
 * Matches a key without its dashes as vLLM does: underscores become hyphens, `a.b` reaches into a JSON argument, `no-` turns a switch off,
 * and a prefix that fits one option only stands for it. Source: vllm/utils/argparse_utils.py, `FlexibleArgumentParser.parse_args`.
 */
export function matchVllmKey(key: string): VllmKey {
  const short = shortKey(key);
  if (short !== undefined) return short;
  const [head = '', ...rest] = key.split('.');
  const name = head.replaceAll('_', '-');
  const schema = schemaOfFlag(name) ?? schemaOfFlag(shorts.get(head) ?? '');
  if (schema !== undefined)
    return { kind: 'known', flag: schemaOfFlag(name) === undefined ? (shorts.get(head) ?? name) : name, schema, rest };
  const on = name.startsWith('no-') ? schemaOfFlag(name.slice(3)) : undefined;
  if (on?.['x-optional'] === true) return { kind: 'off', flag: name.slice(3), schema: on };
  const successor = Object.hasOwn(vllmSchema['x-removed'], name) ? vllmSchema['x-removed'][name] : undefined;
  if (successor !== undefined) return { kind: 'removed', flag: name, successor };
  const fitting = name.length < 3 ? [] : vllmOptions.filter((option) => option.startsWith(name));
  const [only] = fitting;
  const abbreviated = only === undefined ? undefined : schemaOfFlag(only);
  if (fitting.length === 1 && only !== undefined && abbreviated !== undefined)
    return { kind: 'known', flag: only, schema: abbreviated, rest };
  return fitting.length > 1 ? { kind: 'ambiguous', options: fitting } : { kind: 'unknown' };
}

/** The option a key stands for, whether vLLM accepts the spelling or not: what was meant decides the plan. */
export function flagOfVllm(key: string): string | undefined {
  const match = matchVllmKey(key);
  return 'flag' in match && match.kind !== 'removed' ? match.flag : undefined;
}

/** How many words an option of `vllm serve` takes, for reading command lines. */
export const vllmArity: Arity = (name) => {
  const match = matchVllmKey(name);
  if (match.kind === 'off') return 'flag';
  if (match.kind === 'short' && match.level !== undefined) return 'flag';
  if (match.kind !== 'known' && match.kind !== 'short') return undefined;
  if (match.schema.type === 'boolean') return 'switch';
  return match.schema.type === 'array' ? 'many' : 'one';
};
