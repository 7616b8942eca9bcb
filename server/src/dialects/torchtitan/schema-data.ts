import flavorsJson from '../../../../schemas/torchtitan-flavors.json';
import pythonJson from '../../../../schemas/torchtitan-python.schema.json';
import schemaJson from '../../../../schemas/torchtitan.schema.json';
import type { JsonSchema } from '../common/json-schema';

/** A key of the job configuration; `x-in` holds the positions in `x-versions` of the versions that have it. */
export interface TitanKey extends JsonSchema {
  readonly 'x-in'?: string;
}

/** Keys of torchtitan's job configuration over its TOML versions. */
export const titanSchema = schemaJson as unknown as JsonSchema & { readonly 'x-versions': readonly string[] };

/** Sizes of one flavor, in the Plan's names; `moeStep` is every how many layers have experts, `denseFirst` how many have none. */
export type Flavor = Readonly<Record<string, number | string | boolean>>;

type Flavors = Readonly<Record<string, Readonly<Record<string, Flavor>>>>;

const flavors = flavorsJson as { readonly models: Flavors; readonly later: Flavors };

/** Model sizes by family and flavor. */
export const titanFlavors = flavors.models;

/** Families and flavors that came after the last release with TOML files. */
export const laterFlavors = flavors.later;

type Sections = Readonly<Record<string, JsonSchema>>;

const python = pythonJson as unknown as {
  readonly properties: Sections;
  /** Keys of a section that the first releases with Python configs still had. */
  readonly 'x-earlier': Readonly<Record<string, readonly string[]>>;
};

/** Position in `x-versions` of the last release with TOML files. */
const LAST = '4';

function pythonSection(name: string): JsonSchema {
  const earlier = python['x-earlier'][name] ?? [];
  const old = Object.entries((titanSchema.properties?.[name]?.properties ?? {}) as Readonly<Record<string, TitanKey>>);
  const kept = old
    .filter(([, key]) => key['x-in']?.includes(LAST) !== false)
    .map(([key, schema]) => [key, earlier.includes(key) ? { ...schema, 'x-deprecated': true } : schema] as const);
  return { type: 'object', properties: { ...Object.fromEntries(kept), ...python.properties[name]?.properties } };
}

/** Sections whose classes are plain, so that every key of theirs is known: those of the TOML files and what came since. */
export const pythonSchema: JsonSchema = {
  type: 'object',
  properties: Object.fromEntries(Object.keys(python['x-earlier']).map((name) => [name, pythonSection(name)])),
};

export const earlierKeys = python['x-earlier'];
