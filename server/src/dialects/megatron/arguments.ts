import type { Unresolved } from '../../plan/plan';
import type { ConfigNode, ConfigTree, Entry, MapNode } from '../../syntax/tree';
import type { JsonSchema } from '../common/json-schema';
import {
  booleanOf,
  childOf,
  integerOf,
  isUnresolved,
  mapOf,
  numberOf,
  placeOf,
  rootMap,
  textOf,
  wordsOf,
} from '../common/nodes';
import { megatronFlags } from '../schemas';
import { profileOf, type Profile } from './profiles';

/** How a file spells Megatron's arguments. */
export type MegatronForm = 'model-args' | 'sections' | 'flat';

export interface FlagMatch {
  readonly flag: string;
  readonly schema: JsonSchema;
}

/** Every spelling of a flag; those that argparse adds with `--no-` switch their destination off. */
function spellings(flag: string, schema: JsonSchema): (readonly [string, FlagMatch])[] {
  const own = [flag, ...(schema['x-aliases'] ?? [])].map((name) => [name, { flag, schema }] as const);
  if (schema['x-optional'] !== true) return own;
  const dest = schema['x-dest'] ?? snake(flag);
  return [...own, [`--no-${flag.slice(2)}`, { flag, schema: { ...schema, 'x-dest': dest, 'x-off': true } }]];
}

const byFlag: ReadonlyMap<string, FlagMatch> = new Map(
  Object.entries(megatronFlags).flatMap(([flag, schema]) => spellings(flag, schema)),
);

function snake(flag: string): string {
  return flag.replace(/^--/, '').replaceAll('-', '_');
}

/** Where argparse stores a flag. */
export function destinationOf({ flag, schema }: FlagMatch): string {
  return schema['x-dest'] ?? snake(flag);
}

const byDestination: ReadonlyMap<string, FlagMatch> = new Map(
  [...byFlag.values()].reverse().map((match) => [destinationOf(match), match]),
);

/** What argparse stores where a flag is left out: its default, `true` for switches that only a `--no-…` flag turns off. */
export function defaultOf(destination: string): string | number | boolean | undefined {
  const schema = byDestination.get(destination)?.schema;
  if (schema?.['x-off'] === true) return true;
  const value = schema?.default;
  if (typeof value === 'string' || typeof value === 'number') return value;
  return schema?.type === 'boolean' ? value === true : undefined;
}

/** Field names of TransformerConfig and of the YAML configs for arguments that argparse stores under another name. */
const FIELD_NAMES: Readonly<Record<string, string>> = {
  num_moe_experts: 'num_experts',
  num_layers_in_first_pipeline_stage: 'decoder_first_pipeline_num_layers',
  num_layers_in_last_pipeline_stage: 'decoder_last_pipeline_num_layers',
  fp8_format: 'fp8',
  fp4_format: 'fp4',
  fp8_param: 'fp8_param_gather',
  max_length: 'seq_length',
  norm_epsilon: 'layernorm_epsilon',
};

/** The flag that a key stands for: with dashes, in snake_case, as a destination, or as a field of a config class. */
export function matchMegatronKey(key: string): FlagMatch | undefined {
  if (key.startsWith('--')) return byFlag.get(key);
  const name = FIELD_NAMES[key] ?? key;
  return byFlag.get(`--${name.replaceAll('_', '-')}`) ?? byDestination.get(name);
}

/** Every spelling with dashes, for suggestions. */
export const megatronFlagNames: readonly string[] = [...byFlag.keys()];

interface Written {
  readonly entry: Entry;
  /** The key switches its destination off: `--no-…` and `--disable-…` flags. */
  readonly negated: boolean;
}

/** Arguments by destination, whichever way the file spells them. */
export interface MegatronArguments {
  readonly form: MegatronForm;
  readonly profile: Profile;
  readonly entry: (destination: string) => Entry | undefined;
  readonly integer: (destination: string) => number | undefined;
  readonly number: (destination: string) => number | undefined;
  /** Undefined when unknown, no boolean, or absent without a default of the profile. */
  readonly flag: (destination: string) => boolean | undefined;
  readonly text: (destination: string) => string | undefined;
  readonly words: (destination: string) => readonly string[] | undefined;
  readonly node: (destination: string) => ConfigNode | undefined;
  /** Given, but as an interpolation. */
  readonly unknown: (destination: string) => boolean;
  readonly unresolved: (field: string, destination: string) => Unresolved[];
  /** Keys that are no flags, such as `trainer.num_nodes` or entries of the environment. */
  readonly other: (key: string) => Entry | undefined;
  /** False where absent arguments may be set elsewhere (a recipe, a sourced script): nothing follows from their absence. */
  readonly complete: boolean;
}

/** A value that a framework built on Megatron writes in its own words, such as `precision: bf16`. */
export interface Translated {
  readonly entry: Entry;
  readonly value: string | number | boolean;
}

/** Where arguments come from: entries in any spelling, and what a framework on top of Megatron calls otherwise. */
export interface ArgumentSource {
  readonly form: MegatronForm;
  readonly profile: Profile;
  readonly entries: readonly Entry[];
  /** Names of single keys that have another name in Megatron. */
  readonly renamed?: Readonly<Record<string, string>>;
  /** Arguments by destination whose value is put in other words; they win over entries of the same name. */
  readonly translated?: Readonly<Record<string, Translated | undefined>>;
  readonly other?: (key: string) => Entry | undefined;
  readonly complete?: boolean;
}

/** The form a tree has, if it has one: `MODEL_ARGS`, the two sections of `--yaml-cfg`, or a flat mapping. */
export function formOf(tree: ConfigTree): MegatronForm | undefined {
  const root = rootMap(tree);
  if (root === undefined) return undefined;
  if (mapOf(root, 'MODEL_ARGS') !== undefined) return 'model-args';
  return mapOf(root, 'language_model') !== undefined && mapOf(root, 'model_parallel') !== undefined
    ? 'sections'
    : 'flat';
}

/** Entries that hold arguments, outermost first so that nested sections win where both say something. */
export function argumentEntries(root: MapNode, form: MegatronForm): readonly Entry[] {
  if (form === 'model-args') return mapOf(root, 'MODEL_ARGS')?.entries ?? [];
  if (form === 'flat') return root.entries;
  const inner = ['language_model', 'model_parallel'].flatMap((key) => mapOf(root, key)?.entries ?? []);
  return [...root.entries.filter(({ value }) => value.kind !== 'map'), ...inner];
}

function isAbsent(node: ConfigNode): boolean {
  return node.kind === 'scalar' && node.value === null;
}

function collect(
  entries: readonly Entry[],
  renamed: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, Written> {
  const found = new Map<string, Written>();
  for (const entry of entries) {
    // In Python `null` is the default None: the argument is not set.
    if (isAbsent(entry.value)) continue;
    const own = entry.key.startsWith('--') ? entry.key : (entry.key.split('.').at(-1) ?? entry.key);
    const dotted = renamed[own] ?? own;
    const match = matchMegatronKey(dotted);
    const name = FIELD_NAMES[dotted] ?? dotted;
    if (match === undefined) {
      found.set(snake(name), { entry, negated: false });
      continue;
    }
    const destination = destinationOf(match);
    const asFlag =
      dotted.startsWith('--') ||
      name.replaceAll('_', '-') === match.flag.slice(2) ||
      (match.schema['x-aliases'] ?? []).includes(`--${name.replaceAll('_', '-')}`);
    found.set(destination, { entry, negated: match.schema['x-off'] === true && asFlag });
  }
  return found;
}

function otherEntry(root: MapNode, form: MegatronForm, key: string): Entry | undefined {
  const places = [
    root,
    childOf(root, 'ENV_VARS'),
    childOf(root, 'ENV'),
    form === 'model-args' ? childOf(root, 'MODEL_ARGS') : undefined,
  ];
  for (const place of places) {
    const found = place?.kind === 'map' ? place.entries.find((entry) => entry.key === key) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function numeric(value: string | number | boolean | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function worded(value: string | number | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

/** Reads arguments of any of the three forms into one table by destination. */
export function readMegatronArguments(root: MapNode, form: MegatronForm): MegatronArguments {
  const profile = profileOf(root, form);
  return megatronArguments({
    form,
    profile,
    entries: argumentEntries(root, form),
    other: (key) => otherEntry(root, form, key),
    // A flat mapping may be a part of anything; ms-swift's files are whole.
    complete: form !== 'flat' || profile.namedModel,
  });
}

/** One table by destination from entries of any origin; launch scripts and frameworks on top of Megatron come here. */
export function megatronArguments(source: ArgumentSource): MegatronArguments {
  const { form, profile } = source;
  const table = collect(source.entries, source.renamed);
  const put = (destination: string): Translated | undefined => source.translated?.[destination];
  const otherwise = (destination: string): string | number | boolean | undefined =>
    put(destination)?.value ?? (table.has(destination) ? undefined : profile.defaults[destination]);
  const entry = (destination: string): Entry | undefined => put(destination)?.entry ?? table.get(destination)?.entry;
  const known = (destination: string): ConfigNode | undefined => {
    const node = put(destination) === undefined ? entry(destination)?.value : undefined;
    return node === undefined || isUnresolved(node) ? undefined : node;
  };
  const unknown = (destination: string): boolean => {
    const found = entry(destination);
    return found !== undefined && isUnresolved(found.value);
  };
  return {
    form,
    profile,
    complete: source.complete ?? true,
    entry,
    unknown,
    node: known,
    integer: (destination) => integerOf(known(destination)) ?? numeric(otherwise(destination)),
    number: (destination) => numberOf(known(destination)) ?? numeric(otherwise(destination)),
    text: (destination) => textOf(known(destination)) ?? worded(otherwise(destination)),
    words: (destination) => wordsOf(known(destination)),
    flag: (destination) => {
      const value = booleanOf(known(destination));
      const silent = otherwise(destination);
      if (typeof silent === 'boolean') return silent;
      return value === undefined ? undefined : table.get(destination)?.negated === true ? !value : value;
    },
    unresolved: (field, destination) => {
      const found = entry(destination);
      return found !== undefined && isUnresolved(found.value) ? [{ path: field, at: placeOf(found) }] : [];
    },
    other: source.other ?? (() => undefined),
  };
}
